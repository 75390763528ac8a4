"""Programs whose threads, sockets and waits gevent has replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
import zmq.green as zmq
import zmqtopo

path, *options = sys.argv[1:]
try:
    with zmqtopo.up(path, isolated="isolated" in options) as running:
        with zmq.Context() as context, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
            push.connect(running.address("a.in"))
            pull.connect(running.address("b.out"))
            for round in range(2):
                push.send(b"x")
                print(pull.recv())
                running.restart()
                push.send(b"y")
                print(pull.recv())
                running.pause()
                running.resume()
        print(sorted(running.states.items()))
except zmqtopo.StartError as error:
    print(error)
"""


def run(folder: Path, how: str, *options: str) -> str:
    pytest.importorskip("gevent")
    (folder / "program.py").write_text(PROGRAM)
    (folder / "it.yaml").write_text(f"""
devices:
  a: {{type: streamer, run: {how}, in: {{bind: 'tcp://127.0.0.1:*'}}, out: {{connect: b.in}}}}
  b: {{type: streamer, run: {how}, in: {{bind: 'tcp://127.0.0.1:*'}}, out: {{bind: 'tcp://127.0.0.1:*'}}}}
""")
    done = subprocess.run([sys.executable, "program.py", "it.yaml", *options], cwd=folder, capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("how", "options"), [("process", []), ("process/g", []), ("thread", ["isolated"])])
def test_devices_in_worker_processes(tmp_path: Path, how: str, options: list[str]) -> None:
    passed = "b'x'\nb'y'\n"
    assert run(tmp_path, how, *options) == f"{2 * passed}[('a', 'running'), ('b', 'running')]\n"


def test_thread_devices_would_block_everything(tmp_path: Path) -> None:
    said = run(tmp_path, "thread")
    assert "a: cannot start: gevent has replaced threads by greenlets" in said
    assert "use run: process, or isolated=True" in said
