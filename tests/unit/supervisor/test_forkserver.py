"""Where worker processes come from: one process that forks them."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from zmqtopo.supervisor.forkserver import Forkserver

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")


@pytest.fixture
def forkserver() -> Iterator[Forkserver]:
    forkserver = Forkserver("it")
    yield forkserver
    forkserver.close()


class Worker:
    """One that was told nothing yet."""

    def __init__(self, forkserver: Forkserver, name: str = "device d") -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.pid = forkserver.fork(name, theirs.fileno())
            self.connection: Connection[Any, Any] = Connection(ours.detach())


def test_how_a_worker_ends_is_told(forkserver: Forkserver) -> None:
    first, second = Worker(forkserver), Worker(forkserver)
    first.connection.close()
    assert forkserver.wait(first.pid) == 0
    os.kill(second.pid, signal.SIGSEGV)
    assert forkserver.wait(second.pid) == -signal.SIGSEGV
    second.connection.close()


@pytest.mark.parametrize("name", ["device d", "group Zoë", "device " + "d" * 1000])
def test_process_lists_show_who_it_is(forkserver: Forkserver, name: str, net: Any) -> None:
    worker = Worker(forkserver, name)
    command = ["ps", "-ww", "-o", "args=", "-p", str(worker.pid)]
    expected = f" -m zmqtopo.worker.main it {name}"[:200]
    # It has its process id before it shows its name.
    net.until(lambda: expected in subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    worker.connection.close()
    assert forkserver.wait(worker.pid) == 0


def test_a_nursery_that_was_killed_is_replaced(forkserver: Forkserver) -> None:
    worker = Worker(forkserver)
    assert forkserver._process is not None
    forkserver._process.kill()
    forkserver._process.wait()
    again = Worker(forkserver)
    for each in (worker, again):
        each.connection.close()
    assert forkserver.wait(worker.pid) is None     # it was a child of the first
    assert forkserver.wait(again.pid) == 0


def test_a_nursery_that_stands_still_is_given_up(forkserver: Forkserver, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(forkserver)
    assert forkserver._process is not None
    os.kill(forkserver._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(forkserver, "_timeout", 0.05)
    with pytest.raises(TimeoutError, match="the process that starts workers does not answer"):
        Worker(forkserver)
    # It has been replaced, and its workers go on.
    again = Worker(forkserver)
    os.kill(worker.pid, 0)
    again.connection.close()
    assert forkserver.wait(again.pid) == 0
    assert forkserver.wait(worker.pid) is None
    worker.connection.close()


@LINUX
@pytest.mark.parametrize("stopped", [False, True])
def test_workers_end_with_the_forkserver(forkserver: Forkserver, stopped: bool, net: Any) -> None:
    worker = Worker(forkserver)
    # It shows its name when it has asked the system to end it with its parent.
    net.until(lambda: b"device d" in Path(f"/proc/{worker.pid}/cmdline").read_bytes())
    if stopped:
        os.kill(worker.pid, signal.SIGSTOP)
    assert forkserver._process is not None
    ended = os.pidfd_open(worker.pid)
    forkserver._process.kill()
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
    worker.connection.close()


@LINUX
@pytest.mark.slow    # a process of its own waits as long as it always does before it kills
def test_a_nursery_that_stands_still_goes_on_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    """And takes a worker along that stands still too, though a process that was forked keeps the connection open."""
    script = """
import os, signal, socket, sys
from zmqtopo.supervisor.forkserver import Forkserver
forkserver = Forkserver("it")
ours, theirs = socket.socketpair()
pid = forkserver.fork("device d", theirs.fileno())
starter = forkserver._process.pid
child = os.fork()
if child == 0:
    signal.pause()
os.kill(pid, signal.SIGSTOP)
os.kill(starter, signal.SIGSTOP)
print(pid, starter, child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        worker, starter, child = map(int, program.stdout.readline().split())
    try:
        for pid in (worker, starter):
            deadline = time.monotonic() + 10
            while Path(f"/proc/{pid}/exe").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_nursery_without_its_supervisor_ends(forkserver: Forkserver) -> None:
    worker = Worker(forkserver)
    assert forkserver._process is not None
    forkserver._connection.close()
    worker.connection.close()
    assert forkserver._process.wait(10) == 0


@pytest.mark.slow    # as above
def test_a_nursery_without_its_supervisor_takes_those_along_that_stand_still(forkserver: Forkserver) -> None:
    worker = Worker(forkserver)
    os.kill(worker.pid, signal.SIGSTOP)
    assert forkserver._process is not None
    forkserver._connection.close()
    worker.connection.close()
    assert forkserver._process.wait(10) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
