"""The unit for systemd in README.md: what systemd says of it, and the service as it starts, reloads and stops it."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .brokers import TOPOLOGY
from .documents import ROOT, blocks, page

DEADLINE = 30.0
"""Seconds after which something that was waited for is a failure."""


def unit() -> str:
    """The text of the unit."""
    (block,) = [block.text for block in blocks((ROOT / "README.md").read_text("utf-8")) if block.language == "ini"]
    assert block.startswith("# /etc/systemd/system/zmqtopo@.service\n")
    return block


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command where a unit can call it."""
    path = tmp_path / "zmqtopo"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m zmqtopo "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def service() -> dict[str, str]:
    """The section Service of the unit."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str        # type: ignore[assignment,method-assign]
    parser.read_string(unit())
    return dict(parser["Service"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_no_fault_in_it(tmp_path: Path, command: Path) -> None:
    path = tmp_path / "zmqtopo@.service"
    # The command of this test in place of an installed one, and a user that every system has.
    path.write_text(unit().replace("/usr/local/bin/zmqtopo", str(command)).replace("User=zmqtopo", "User=daemon"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path).replace("@", "@pipeline")],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_would_find_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "zmqtopo@.service"
    path.write_text(unit().replace("/usr/local/bin/zmqtopo", "/bin/true").replace("Type=notify", "Typ=notify"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path).replace("@", "@pipeline")],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert "Typ" in done.stderr


def test_the_page_has_the_same_unit() -> None:
    assert unit() in [block.text for block in blocks(page("production"))]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare, which makes a process the first one")
def test_it_stops_as_the_first_process_of_a_container(tmp_path: Path, command: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(TOPOLOGY)
    alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may make no namespace of processes")
    with subprocess.Popen([*alone, str(command), "up", "pipeline.yaml"], cwd=tmp_path, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stderr is not None
        said = [next(process.stderr)]
        while ": ready, " not in said[-1]:
            said.append(next(process.stderr))
        (inside,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(inside), signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(DEADLINE) == 0, rest
        assert "jobs: stopped" in rest


def test_the_service_runs_as_the_unit_says(tmp_path: Path, command: Path, service: dict[str, str]) -> None:
    (tmp_path / "pipeline.yaml").write_text(TOPOLOGY)
    run, listen = tmp_path / "run", tmp_path / "notify"
    run.mkdir()
    (run / service["RuntimeDirectory"]).mkdir(mode=int(service["RuntimeDirectoryMode"], 8))
    name, value = service["Environment"].split("=")
    environ = {**os.environ, name: value.replace("%t", str(run)), "NOTIFY_SOCKET": str(listen)}
    start = shlex.split(service["ExecStart"].replace("/usr/local/bin/zmqtopo", str(command))
                        .replace("/etc/zmqtopo/%i", str(tmp_path / "pipeline")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(listen))
        manager.settimeout(DEADLINE)
        process = subprocess.Popen(start, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(manager, "READY=1")
            ps = subprocess.run([str(command), "ps", "pipeline"], env=environ, capture_output=True, check=False)
            assert ps.returncode == 0
            reload_ = shlex.split(service["ExecReload"].replace("$MAINPID", str(process.pid)))
            subprocess.run(reload_, check=True)
            wait_for(manager, "RELOADING=1")
            wait_for(manager, "READY=1")
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, said
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def wait_for(manager: socket.socket, words: str) -> None:
    while words not in manager.recv(65536).decode().splitlines():
        pass


def test_a_bad_file_is_not_tried_again(tmp_path: Path, command: Path, service: dict[str, str]) -> None:
    (tmp_path / "bad.yaml").write_text("devices: 1\n")
    done = subprocess.run([str(command), "up", str(tmp_path / "bad.yaml")], capture_output=True, check=False)
    assert done.returncode == int(service["RestartPreventExitStatus"])


def test_it_has_longer_to_stop_than_the_examples_want(service: dict[str, str]) -> None:
    seconds = [int(found) for path in (ROOT / "topologies").glob("*.yaml")
               for found in re.findall(r"stop_timeout: (\d+)s", path.read_text("utf-8"))]
    assert max([5, *seconds]) < int(service["TimeoutStopSec"])
