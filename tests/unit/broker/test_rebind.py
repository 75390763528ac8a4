"""Addresses that are being closed, and for how long that is remembered."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from zmqtopo.broker import rebind as module
from zmqtopo.broker.rebind import BIND_RETRY, CLOSED_RETENTION, RecentTimes, may_be_closing, note_closed, rebind


class Clock(SimpleNamespace):
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.parametrize(("closed", "patient", "least", "most"), [
    (False, False, 0, 0), (True, False, BIND_RETRY, BIND_RETRY + 0.1), (False, True, BIND_RETRY, BIND_RETRY + 0.1),
])
def test_how_long_an_address_in_use_is_waited_for(
    net: Any, clock: Clock, closed: bool, patient: bool, least: float, most: float
) -> None:
    _, address = net.end(zmq.PULL)
    if closed:
        note_closed([address])
    assert may_be_closing(address) == closed
    with pytest.raises(zmq.ZMQError, match=r"in: cannot bind .*: Address already in use"):
        rebind(net.socket(zmq.PULL), "in", address, [], None, patient=patient)
    assert least <= clock.slept <= most
    assert not may_be_closing(address)


def test_the_wait_ends_when_a_stop_comes(net: Any, clock: Clock) -> None:
    _, address = net.end(zmq.PULL)
    with pytest.raises(zmq.ZMQError, match="Address already in use"):
        rebind(net.socket(zmq.PULL), "in", address, [], None, patient=True, is_stopping=lambda: clock.slept > 0)
    assert clock.slept < BIND_RETRY / 2


def test_another_error_is_not_waited_for(net: Any, clock: Clock) -> None:
    with pytest.raises(zmq.ZMQError, match="in: cannot bind nonsense://x"):
        rebind(net.socket(zmq.PULL), "in", "nonsense://x", [], None, patient=True)
    assert not clock.slept


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="Linux alone tells")  # noqa: PTH110
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_an_error_names_the_process_that_has_the_address(net: Any, transport: str) -> None:
    _, address = net.end(zmq.PULL, transport)
    with pytest.raises(zmq.ZMQError, match=rf"in use by this process \({os.getpid()}\)"):
        rebind(net.socket(zmq.PULL), "in", address, [], None)


def test_times_are_forgotten_after_a_while(clock: Clock) -> None:
    times = RecentTimes()
    for name in ("a", "b"):
        times.note(name, clock.now)
    clock.now += CLOSED_RETENTION / 2
    times.note("a", clock.now)      # the last one now
    clock.now += CLOSED_RETENTION * 0.6
    times.note("c", clock.now)
    assert [name for name, _ in times.items()] == ["a", "c"]
    assert times.get("b") is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_has_closed_nothing() -> None:
    note_closed(["tcp://127.0.0.1:1"])
    pid = os.fork()
    if pid == 0:
        os._exit(may_be_closing("tcp://127.0.0.1:1"))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
