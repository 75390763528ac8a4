"""What the loop does not pass on: messages of too many frames, topics that are too long or too many."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadDevice
from zmqtopo.loop import Limits


def device(net: Any, types: tuple[int, int], limits: Limits) -> tuple[ThreadDevice, Any, Any]:
    """A device and the ends that it is connected to: a peer of its in and one of its out."""
    peers = {zmq.XSUB: zmq.XPUB, zmq.XPUB: zmq.XSUB, zmq.PULL: zmq.PUSH, zmq.PUSH: zmq.PULL}
    made = ThreadDevice(zmq.QUEUE, *types)
    made.limits = limits
    first, in_address = net.end(peers[types[0]], rcvhwm=0)
    second, out_address = net.end(peers[types[1]], sndhwm=0)
    return _start(net, made, in_address, out_address), first, second


def reaches(net: Any, giver: Any, taker: Any) -> None:
    """Wait until what ``giver`` has sent arrives: libzmq attaches a connection only when its socket is used."""
    net.until(lambda: giver.getsockopt(zmq.EVENTS) is None or taker.poll(5), "the first message")


def _start(net: Any, made: ThreadDevice, in_address: str, out_address: str) -> ThreadDevice:
    started: ThreadDevice = net.start(made, **{"in": in_address, "out": out_address})
    return started


def test_a_message_of_too_many_frames_is_dropped_and_counted(net: Any) -> None:
    made, push, pull = device(net, (zmq.PULL, zmq.PUSH), Limits(frames=3))
    for count in (3, 4, 1, 5000, 2):
        push.send_multipart([b"%d" % count] * count)
    assert [len(net.receive(pull)) for _ in range(3)] == [3, 1, 2]

    def counted() -> bool:
        flow = made.counters.in_to_out
        return (flow.messages, flow.dropped) == (3, 2)

    net.until(counted, "the count")


def test_topics_beyond_the_limit_are_dropped_until_there_is_room(net: Any) -> None:
    made, xpub, xsub = device(net, (zmq.XSUB, zmq.XPUB), Limits(topics=2))
    for topic in (b"a", b"b", b"c"):
        xsub.send(b"\1" + topic)
    reaches(net, xsub, xpub)
    assert net.receive_all(xpub, 2) == [[b"\1a"], [b"\1b"]]
    net.until(lambda: made.counters.out_to_in.dropped == 1, "the count")
    xsub.send(b"\0a")
    xsub.send(b"\0c")
    xsub.send(b"\1c")
    assert net.receive_all(xpub, 2) == [[b"\0a"], [b"\1c"]]
    assert made.counters.out_to_in.dropped == 1


@pytest.mark.parametrize("types", [(zmq.XSUB, zmq.XPUB), (zmq.XSUB, zmq.PULL)])
def test_a_topic_that_is_too_long_reaches_no_xsub(net: Any, types: tuple[int, int]) -> None:
    peers = {zmq.XPUB: zmq.XSUB, zmq.PULL: zmq.PUSH}
    made = ThreadDevice(zmq.QUEUE, *types)
    made.limits = Limits(topic_length=5)
    xpub, in_address = net.end(zmq.XPUB)
    giver, out_address = net.end(peers[types[1]])
    _start(net, made, in_address, out_address)
    giver.send(b"\1begin")
    reaches(net, giver, xpub)
    assert net.receive(xpub) == [b"\1begin"]
    giver.send(b"\1longer")
    giver.send(b"\0longer")
    giver.send(b"\2a message may have any length")
    giver.send(b"\1short")
    assert net.receive_all(xpub, 2) == [[b"\2a message may have any length"], [b"\1short"]]
    net.until(lambda: made.counters.out_to_in.dropped == 2, "the count")


def test_twenty_thousand_topics_come_and_go(net: Any) -> None:
    """The table of topics grows and shrinks, and forgets none."""
    _, xpub, xsub = device(net, (zmq.XSUB, zmq.XPUB), Limits())
    topics = [b"%d" % (number * 7919) for number in range(20_000)]
    wanted: set[bytes] = set()

    def is_told(expected: set[bytes]) -> bool:
        while xpub.poll(0):
            message = xpub.recv()
            assert (message[1:] in wanted) == (message[0] == 0)
            wanted.symmetric_difference_update({message[1:]})
        return wanted == expected

    for topic in topics:
        xsub.send(b"\1" + topic)
    reaches(net, xsub, xpub)
    net.until(lambda: is_told(set(topics)), "all topics")
    for topic in topics[::2]:
        xsub.send(b"\0" + topic)
    net.until(lambda: is_told(set(topics[1::2])), "half of the topics")
    for topic in topics[1::2]:
        xsub.send(b"\0" + topic)
    net.until(lambda: is_told(set()), "no topics")
