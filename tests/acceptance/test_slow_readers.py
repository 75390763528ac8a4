"""What readers without room miss is counted: exactly where there is one, and else as the lower bound that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zmq

from .conftest import Control

SENT = 30_000
SIZE = 1000
"""Bytes of a message: all together are more than the kernel keeps for a reader that does not read."""

BATCH = 100
"""Messages that a reader without delay is given at a time; fewer than its queue has room for."""

OUT = "options: {sndhwm: 1000, sndbuf: 16kB}"


def forwarder(start: Callable[..., Any], net: Any, transport: str, more: str = "") -> Any:
    bind = net.address(transport)
    return start(
        f"devices: {{a: {{type: forwarder, {more} in: {{bind: 'tcp://127.0.0.1:*'}}, out: {{bind: '{bind}', {OUT}}}}}}}"
    ).ready()


def flow(control: Control) -> dict[str, Any]:
    return dict(control.ps()["a"]["counters"]["in_to_out"])


def stands_still(net: Any, address: str) -> Any:
    """A subscriber that does not read, and for which little is kept."""
    sub = net.socket(zmq.SUB, connect=address, rcvhwm=10, rcvbuf=16384)
    sub.subscribe(b"")
    return sub


def numbers(net: Any, sub: Any) -> list[int]:
    """What a subscriber has received and what is still on its way to it."""
    found = []
    while sub.poll(500):
        found.append(int(sub.recv()[:8]))
    return found


def message(number: int) -> bytes:
    return b"%08d" % number + bytes(SIZE - 8)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("run", ["thread", "process"])
def test_of_one_slow_reader_every_message_is_accounted_for(
    start: Callable[..., Any], control: Control, net: Any, transport: str, run: str
) -> None:
    up = forwarder(start, net, transport, f"run: {run},")
    sub = stands_still(net, up.address("a.out"))
    pub = net.socket(zmq.XPUB, connect=up.address("a.in"), sndhwm=0)
    assert net.receive(pub) == [b"\1"]
    for number in range(SENT):
        pub.send(message(number), copy=False)

    def done() -> Any:
        counters = flow(control)
        return counters if counters["messages"] + counters["dropped"] == SENT else None

    counters = net.until(done, "the last message")
    arrived = numbers(net, sub)
    assert counters["dropped_exact"] is True
    assert arrived == sorted(set(arrived))
    assert 0 < counters["dropped"] == SENT - len(arrived)
    assert counters["messages"] == len(arrived)
    # It has read on, and gets what comes now.
    pub.send(message(SENT))
    assert net.receive(sub) == [message(SENT)]
    assert f", {counters['dropped']:,} dropped" in up.stop()


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_beside_a_slow_reader_others_get_all_and_the_number_says_that_it_is_a_lower_bound(
    start: Callable[..., Any], control: Control, net: Any, transport: str
) -> None:
    up = forwarder(start, net, transport)
    slow = stands_still(net, up.address("a.out"))
    fast = net.socket(zmq.SUB, connect=up.address("a.out"), rcvhwm=0)
    fast.subscribe(b"")
    fast.subscribe(b"both subscribe to the same, and this tells that")
    pub = net.socket(zmq.XPUB, connect=up.address("a.in"), sndhwm=0)
    assert net.receive_all(pub, 2)
    for first in range(0, SENT, BATCH):
        for number in range(first, first + BATCH):
            pub.send(message(number), copy=False)
        assert [int(net.receive(fast)[0][:8]) for _ in range(BATCH)] == list(range(first, first + BATCH))
    counters = flow(control)
    missed = SENT - len(numbers(net, slow))
    assert counters["messages"] == SENT
    assert 1 <= counters["dropped"] <= missed
    assert counters["dropped_exact"] is False
    told = f"at least {counters['dropped']:,}"
    assert told in control("ps")
    assert f", {told} dropped" in up.stop()
