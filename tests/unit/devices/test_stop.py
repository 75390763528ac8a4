"""What a device leaves behind when it is stopped: numbers, names and addresses."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.devices import ProcessDevice, ThreadDevice, ThreadProxySteerable

COUNT = 1100
"""Messages, of which the loop takes some and others are left to its socket; the queues of two sockets take 2000."""


@pytest.fixture(autouse=True)
def time_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqtopo.broker.sockets.UNREAD_TIMEOUT", 10)    # a busy machine may not come to it in 0.2 s


def streamer(kind: Any, in_: str, context: Any = None) -> Any:
    device = kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in(in_)
    device.bind_out("tcp://127.0.0.1:*")
    device.setsockopt_out(zmq.LINGER, 0)
    if context is not None:
        device.context_factory = lambda: context
    return device


def test_what_a_device_that_is_ended_at_once_had_received_is_dropped(net: Any) -> None:
    device = streamer(ThreadDevice, "inproc://in", net.context)
    with device:
        push = net.socket(zmq.PUSH, connect="inproc://in")
        for number in range(COUNT):
            push.send(b"%d" % number)
        net.until(lambda: device.counters.in_to_out.waiting)
        device.stop(0)
    assert device.counters.in_to_out.messages == 0
    assert device.counters.in_to_out.dropped == COUNT


def test_what_a_process_that_is_ended_at_once_had_received_is_dropped(net: Any) -> None:
    device = streamer(ProcessDevice, "tcp://127.0.0.1:*")
    with device:
        net.fill(net.socket(zmq.PUSH, connect=device.endpoints["in"][0], sndhwm=10), [bytes(10_000)])
        in_hand = device.counters.in_to_out.in_hand
        device.stop(0)
    assert device.counters.in_to_out.messages == 0
    assert device.counters.in_to_out.dropped > in_hand > 0


def test_requests_that_wait_for_a_reply_in_vain(net: Any) -> None:
    """A REP takes one request and no other before it has replied."""
    device = ThreadDevice(zmq.QUEUE, zmq.REP, zmq.REQ)
    device.context_factory = lambda: net.context
    device.bind_in("inproc://in")
    device.bind_out("tcp://127.0.0.1:*")
    with device:
        for _ in range(3):
            net.socket(zmq.REQ, connect="inproc://in").send(b"x")
        net.until(lambda: device.counters.in_to_out.waiting)
        device.stop(0)
    assert device.error is None
    assert device.counters.in_to_out.dropped >= 1


@pytest.mark.parametrize("transport", ["tcp", "ipc", "inproc"])
def test_a_device_is_started_again_at_its_address_at_once(net: Any, transport: str) -> None:
    """libzmq closes in a thread of its own, and for a moment the address is in use."""
    address = net.address(transport)
    if transport == "tcp":
        with net.context.socket(zmq.PULL) as chosen:
            address = f"tcp://127.0.0.1:{chosen.bind_to_random_port('tcp://127.0.0.1')}"
    device = streamer(ThreadDevice, address, net.context)
    net.until(lambda: starts(device))       # the port has just been closed by somebody else
    for _ in range(30):
        device.start()
        device.wait_ready(10)
        device.stop()


def starts(device: Any) -> bool:
    try:
        with device:
            return True
    except zmq.ZMQError:
        return False


def test_who_connects_to_the_name_of_a_stopped_device_waits_for_the_next_one(net: Any) -> None:
    """Not for the socket that is just being closed: that connection would end with it."""
    device = streamer(ThreadDevice, "inproc://in", net.context)
    for number in range(20):
        with device:
            pass
        with net.context.socket(zmq.PUSH) as push:
            push.linger = 0
            push.connect("inproc://in")
            with device:
                push.send(b"%d" % number)
                assert net.receive(net.socket(zmq.PULL, connect=device.endpoints["out"][0])) == [b"%d" % number]


def test_a_steered_proxy_counts_what_is_left(net: Any) -> None:
    device = ThreadProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUB, zmq.PAIR)
    device.context_factory = lambda: net.context
    for role in ("in", "out", "mon", "ctrl"):
        getattr(device, f"bind_{role}")(f"inproc://{role}")
    with device:
        push = net.socket(zmq.PUSH, connect="inproc://in")
        for number in range(COUNT):
            push.send(b"%d" % number)
        net.until(lambda: device.counters.in_to_out.waiting)
        device.stop(0)
    assert device.counters.in_to_out.dropped == COUNT
