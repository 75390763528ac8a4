"""Where worker processes come from: one process that forks them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from zmqtopo.runtime import nursery as module
from zmqtopo.runtime.nursery import Nursery


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery("it")
    yield nursery
    nursery.close()


class Worker:
    """One that was told nothing yet."""

    def __init__(self, nursery: Nursery, name: str = "device d") -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.pid = nursery.fork(name, theirs.fileno())
            self.connection: Connection[Any, Any] = Connection(ours.detach())


def test_how_a_worker_ends_is_told(nursery: Nursery) -> None:
    first, second = Worker(nursery), Worker(nursery)
    first.connection.close()
    assert nursery.wait(first.pid) == 0
    os.kill(second.pid, signal.SIGSEGV)
    assert nursery.wait(second.pid) == -signal.SIGSEGV
    second.connection.close()


@pytest.mark.parametrize("name", ["device d", "group Zoë", "device " + "d" * 1000])
def test_process_lists_show_who_it_is(nursery: Nursery, name: str, net: Any) -> None:
    worker = Worker(nursery, name)
    command = ["ps", "-ww", "-o", "args=", "-p", str(worker.pid)]
    expected = f" -m zmqtopo.runtime.process it {name}"[:200]
    # It has its process id before it shows its name.
    net.until(lambda: expected in subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    worker.connection.close()
    assert nursery.wait(worker.pid) == 0


def test_a_nursery_that_was_killed_is_replaced(nursery: Nursery) -> None:
    worker = Worker(nursery)
    assert nursery._process is not None
    nursery._process.kill()
    nursery._process.wait()
    again = Worker(nursery)
    for each in (worker, again):
        each.connection.close()
    assert nursery.wait(worker.pid) is None     # it was a child of the first
    assert nursery.wait(again.pid) == 0


def test_a_nursery_that_stands_still_is_given_up(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(nursery)
    assert nursery._process is not None
    os.kill(nursery._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(TimeoutError, match="the process that starts workers does not answer"):
        Worker(nursery)
    worker.connection.close()
    assert nursery.wait(worker.pid) is None


def test_a_nursery_without_its_supervisor_ends(nursery: Nursery) -> None:
    worker = Worker(nursery)
    assert nursery._process is not None
    nursery._connection.close()
    worker.connection.close()
    assert nursery._process.wait(10) == 0


def test_a_nursery_without_its_supervisor_takes_those_along_that_stand_still(nursery: Nursery) -> None:
    worker = Worker(nursery)
    os.kill(worker.pid, signal.SIGSTOP)
    assert nursery._process is not None
    nursery._connection.close()
    worker.connection.close()
    assert nursery._process.wait(10) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
