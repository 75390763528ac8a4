"""``zmqtopo top`` as lines: for files, pipes, programs, and terminals that cannot be drawn on."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Up

HEADS = ["DEVICE", "STATE", "IN/s", "OUT/s", "B/s", "BLOCKED%", "DROPPED", "PEERS", "CPU%", "RSS", "LAST"]

TWO = f"""
devices:
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
  calls: {{type: queue, run: process, in: {ANY}, out: {ANY}}}
"""


@contextmanager
def stream(net: Any, up: Up, device: str = "jobs") -> Iterator[None]:
    """Messages of 100 bytes through a streamer, all the time."""
    push = net.socket(zmq.PUSH, connect=up.address(f"{device}.in"))
    pull = net.socket(zmq.PULL, connect=up.address(f"{device}.out"))
    stop = threading.Event()

    def pump() -> None:
        while not stop.wait(0.002):
            if push.poll(0, zmq.POLLOUT):
                push.send(bytes(100), zmq.DONTWAIT)
            while pull.poll(0):
                pull.recv()

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def rows(zmqtopo: Any, *arguments: str) -> dict[str, dict[str, Any]]:
    """One look for programs, by device."""
    done = zmqtopo("top", "--once", "--format", "json", "--interval", "300ms", *arguments)
    assert done.returncode == 0, done
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["device"]: row for row in found}


def test_rates_of_real_traffic(start: Callable[..., Up], zmqtopo: Any, net: Any) -> None:
    up = start(TWO).ready()
    with stream(net, up):
        jobs, calls = rows(zmqtopo, "it").values()
    assert (jobs["topology"], jobs["device"], jobs["state"], jobs["type"]) == ("it", "jobs", "running", "streamer")
    assert 20 < jobs["in_per_second"] < 1000
    assert jobs["bytes_per_second"] == pytest.approx(100 * jobs["in_per_second"], rel=0.01)
    assert (jobs["out_per_second"], jobs["dropped"], jobs["dropped_exact"], jobs["error"]) == (0, 0, True, None)
    assert jobs["time"] - jobs["last_message"] < 2
    assert (calls["in_per_second"], calls["last_message"]) == (0, None)
    if sys.platform == "linux":
        assert 0 <= jobs["cpu"] < 1
        assert jobs["rss"] > 1 << 20
        assert calls["pid"] == up.worker("device calls")
    up.stop()


def test_a_device_that_waits(start: Callable[..., Up], zmqtopo: Any, net: Any) -> None:
    small = "{bind: \"tcp://127.0.0.1:*\", options: {hwm: 1, sndbuf: 4096, rcvbuf: 4096}}"
    up = start(f"devices:\n  jobs: {{type: streamer, in: {small}, out: {small}}}\n").ready()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"), sndhwm=1)
    net.fill(push, [bytes(10_000)])
    row = rows(zmqtopo)["jobs"]
    assert row["full"] == ["out"]
    assert row["blocked"] > 0.5     # the answers come later after one look than after the other
    table = zmqtopo("top", "--once", "--interval", "100ms").stdout
    assert re.search(r"it/jobs +out full +0 +0 +0 +\d+ ", table)
    up.stop()


def test_one_table(start: Callable[..., Up], zmqtopo: Any) -> None:
    up = start(TWO).ready()
    done = zmqtopo("top", "it", "--once", "--interval", "100ms")
    assert done.returncode == 0
    heads, jobs, calls = done.stdout.splitlines()
    assert heads.split() == HEADS
    assert jobs.split()[:4] == ["jobs", "running", "0", "0"]
    assert calls.split()[:4] == ["calls", "running", "0", "0"]
    assert len(jobs.split()) == len(heads.split())
    by_name = zmqtopo("top", "it", "--once", "--interval", "100ms", "--sort", "device").stdout.splitlines()
    assert [line.split()[0] for line in by_name] == ["DEVICE", "calls", "jobs"]
    other_way = zmqtopo("top", "it", "--once", "--interval", "100ms", "--sort", "DEVICE", "--reverse").stdout
    assert [line.split()[0] for line in other_way.splitlines()] == ["DEVICE", "jobs", "calls"]
    assert list(rows(zmqtopo, "--filter", "queue")) == ["calls"]
    assert zmqtopo("top", "it.yaml", "--count", "2", "--interval", "100ms").stdout.count("DEVICE") == 2
    up.stop()


def test_all_that_run(start: Callable[..., Up], zmqtopo: Any) -> None:
    ups = [start(TWO.replace("devices:", f"name: {name}\ndevices:"), name=name).ready() for name in ("b", "a")]
    table = zmqtopo("top", "--once", "--interval", "100ms").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["DEVICE", "a/jobs", "a/calls", "b/jobs", "b/calls"]
    assert set(rows(zmqtopo, "--filter", "b/")) == {"jobs", "calls"}
    for up in ups:
        up.stop()


class Reader:
    """The command with a pipe."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "top", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    def line_with(self, words: str) -> str:
        assert self.process.stdout is not None
        line = next((line for line in self.process.stdout if words in line), "")
        assert line, f"it ended without {words!r}"
        return line

    def end(self, code: int) -> str:
        """What it says in the end on stderr."""
        _, said = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == code, said
        assert "Traceback" not in said
        return str(said)


@pytest.fixture
def reader() -> Iterator[Callable[..., Reader]]:
    started: list[Reader] = []

    def start(*arguments: str, **options: Any) -> Reader:
        started.append(Reader(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def test_a_topology_that_ends_while_it_is_watched(start: Callable[..., Up], reader: Callable[..., Reader]) -> None:
    up = start(TWO).ready()
    top = reader("it", "--plain", "--interval", "100ms")
    top.line_with("jobs")
    up.stop()
    assert top.end(69) == "zmqtopo: error: it has ended\n"


def test_topologies_that_start_and_end_while_all_are_watched(
    start: Callable[..., Up], reader: Callable[..., Reader], zmqtopo: Any
) -> None:
    first = start(TWO, name="first").ready()
    top = reader("--interval", "100ms", "--format", "json")
    top.line_with('"first"')
    second = start(TWO, name="second").ready()
    top.line_with('"second"')
    first.stop()
    second.stop()
    assert top.end(69).startswith("zmqtopo: error: no topology is running; looked in ")


def test_devices_that_come_and_go_by_a_reload(
    start: Callable[..., Up], reader: Callable[..., Reader], zmqtopo: Any, tmp_path: Path
) -> None:
    up = start(TWO).ready()
    top = reader("it", "--interval", "100ms", "--format", "json")
    top.line_with('"calls"')
    (tmp_path / "it.yaml").write_text(TWO.replace("calls:", "other:"))
    assert zmqtopo("reload", "it").returncode == 0
    new = json.loads(top.line_with('"other"'))
    assert new["in_per_second"] in (None, 0.0)
    assert json.loads(top.line_with('"other"'))["in_per_second"] == 0.0
    up.stop()
    top.end(69)


def test_a_pipe_that_closes(start: Callable[..., Up], reader: Callable[..., Reader]) -> None:
    up = start(TWO).ready()
    top = reader("it", "--interval", "100ms")
    top.line_with("jobs")
    assert top.process.stdout is not None
    top.process.stdout.close()
    assert top.process.wait(DEADLINE) == 141
    assert top.process.stderr is not None
    assert top.process.stderr.read() == ""
    up.stop()


def test_ctrl_c(start: Callable[..., Up], reader: Callable[..., Reader]) -> None:
    up = start(TWO).ready()
    top = reader("it", "--interval", "100ms")
    top.line_with("jobs")
    top.process.send_signal(signal.SIGINT)
    assert top.end(130) == ""
    up.stop()


def test_one_that_does_not_answer_hides_none_of_the_others(
    start: Callable[..., Up], reader: Callable[..., Reader]
) -> None:
    stuck, other = start(TWO, name="stuck").ready(), start(TWO, name="other").ready()
    top = reader("--interval", "100ms", "--format", "json")
    top.line_with('"stuck"')
    stuck.send(signal.SIGSTOP)
    try:
        line = json.loads(top.line_with('"topology": "stuck", "device": "jobs", "type": "streamer", "state": null'))
        assert line["in_per_second"] is None
        top.line_with('"other"')
    finally:
        stuck.send(signal.SIGCONT)
    top.line_with('"topology": "stuck", "device": "jobs", "type": "streamer", "state": "running"')
    stuck.stop()
    other.stop()
    assert "stuck" in top.end(69)


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["nothing"], 69, "'nothing' is not running"),
    ([], 69, "no topology is running; looked in "),
    (["--sort", "stat"], 2, "invalid choice: 'stat'"),
    (["--interval", "0"], 2, "0 is not between 100ms and 1h"),
    (["--interval", "soon"], 2, "'soon' is not a time such as 5s, 500ms or 2m"),
    (["--interval", "-1s"], 2, "--interval"),
    (["--count", "0"], 2, "'0' is not a valid number of tables"),
    (["--count", "1", "--once"], 2, "not allowed with argument"),
    (["--format", "xml"], 2, "invalid choice: 'xml'"),
    (["it", "more"], 2, "unexpected argument 'more'"),
])
def test_bad_input(zmqtopo: Any, arguments: list[str], code: int, words: str) -> None:
    done = zmqtopo("top", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def on_a_terminal(
    arguments: list[str], at: str = "", do: Callable[[], Any] | None = None, **env: str
) -> tuple[int, str]:
    """Run the command on a terminal of its own, and type nothing; its exit code and what is on the terminal.

    ``do`` is called when the word ``at`` is there.
    """
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen([*COMMAND, "top", *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   env={**os.environ, **env}, start_new_session=True)
    finally:
        os.close(slave)
    shown = b""
    try:
        while chunk := _read(master):
            shown += chunk
            if do is not None and at.encode() in shown:
                do()
                do = None
        return process.wait(DEADLINE), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:     # EIO: nobody has the other end any more
        return b""


@pytest.mark.parametrize("kind", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_be_drawn_on(start: Callable[..., Up], kind: str) -> None:
    up = start(TWO).ready()
    code, shown = on_a_terminal(["it", "--interval", "100ms"], "DEVICE", lambda: up.send(signal.SIGTERM), TERM=kind)
    assert code == 69       # it has ended
    assert "\x1b" not in shown
    note, _, heads, *_ = shown.splitlines()
    assert note == ("zmqtopo: nothing can be drawn on a terminal of the type "
                    f"{kind or 'that TERM does not name'}; what follows is as with --plain")
    assert heads.split()[0] == "DEVICE"
    up.end(0)


def test_without_textual(start: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "sitecustomize.py").write_text("import sys\nsys.modules['textual'] = None\n")
    up = start(TWO).ready()
    where = {"PYTHONPATH": str(tmp_path / "none"), "TERM": "xterm"}
    code, shown = on_a_terminal(["it"], **where)
    assert code == 69
    assert shown.splitlines() == [
        "zmqtopo: error: the screen of top needs the package textual, which is not installed; install it with: "
        "pip install 'zmqtopo[top]'; --plain prints a table instead, and needs none"
    ]
    code, shown = on_a_terminal(["it", "--once", "--interval", "100ms"], **where)
    assert code == 0
    assert shown.splitlines()[0].split()[0] == "DEVICE"
    up.stop()


def test_lines_need_none_of_what_draws_the_screen(zmqtopo: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "zmqtopo", "top", "--once"], capture_output=True, text=True,
        check=False,
    )
    assert done.returncode == 69
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"textual", "rich", "zmq", "networkx", "jsonschema", "yaml"}
