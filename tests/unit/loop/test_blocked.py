"""Directions that cannot go on: they cost nothing, and the loop still hears what it is told."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadDevice, ThreadMonitoredQueue

STOP = 0.5
"""Seconds that a stop may take."""


def between_pairs(net: Any, device: Any) -> tuple[Any, Any]:
    """A device between two PAIRs that hold few messages, and its ends, which read nothing."""
    for role in ("in", "out"):
        getattr(device, f"setsockopt_{role}")(zmq.SNDHWM, 2)
        getattr(device, f"setsockopt_{role}")(zmq.RCVHWM, 2)
        getattr(device, f"bind_{role}")(f"inproc://{role}")
    net.start(device)
    return tuple(net.socket(zmq.PAIR, connect=f"inproc://{role}", sndhwm=2, rcvhwm=2) for role in ("in", "out"))


def fill_both(*ends: Any) -> None:
    while any(end.poll(100, zmq.POLLOUT) for end in ends):
        for end in ends:
            if end.poll(0, zmq.POLLOUT):
                end.send(b"")


def is_quiet_and_obeys(device: Any) -> None:
    before = time.process_time()
    device.pause(5)
    device.resume(5)
    device.stop(STOP)
    assert time.process_time() - before < STOP / 2      # a loop that spins takes all of it


def test_both_directions_full(net: Any) -> None:
    device = ThreadDevice(zmq.QUEUE, zmq.PAIR, zmq.PAIR)
    fill_both(*between_pairs(net, device))
    assert device.counters.in_to_out.waiting
    assert device.counters.out_to_in.waiting
    is_quiet_and_obeys(device)


def test_both_directions_wait_for_the_monitor(net: Any) -> None:
    device = ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR, zmq.PUSH)
    device.bind_mon("inproc://mon")     # nobody reads
    fill_both(*between_pairs(net, device))
    assert device.counters.mon.waiting
    is_quiet_and_obeys(device)


@pytest.mark.parametrize(("role", "flow"), [("in", "in_to_out"), ("out", "out_to_in")])
def test_a_stop_with_one_direction_full(net: Any, role: str, flow: str) -> None:
    device = ThreadDevice(zmq.QUEUE, zmq.PAIR, zmq.PAIR)
    device.bind_in("inproc://in")
    device.bind_out("inproc://out")     # one of them has no peer
    net.start(device)
    net.socket(zmq.PAIR, connect=f"inproc://{role}").send(b"for nobody")
    net.until(lambda: getattr(device.counters, flow).waiting)
    is_quiet_and_obeys(device)
    assert getattr(device.counters, flow).dropped == 1
