"""What the monitor sees: each message with its prefix, whole and in order, and nothing at all when nobody looks."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadMonitoredQueue, ThreadProxy


def watched(net: Any, device: Any) -> tuple[Any, Any, str]:
    """Ends of both sides of a device, and the address to which its monitor is bound."""
    asks, in_address = net.end(zmq.PAIR)
    answers, out_address = net.end(zmq.PAIR)
    device.bind_mon("tcp://127.0.0.1:*")
    net.start(device, **{"in": in_address}, out=out_address)
    return asks, answers, device.endpoints["mon"][0]


def pass_on(net: Any, from_: Any, to: Any, *messages: bytes) -> None:
    for message in messages:
        from_.send(message)
        assert net.receive(to) == [message]


@pytest.mark.parametrize(
    ("prefixes", "first"),
    [
        ((), (b"in", b"out")),
        ((b"", b"\x00\xff"), (b"", b"\x00\xff")),
        ((b"i" * 1000, b"o"), (b"i" * 1000, b"o")),
    ],
    ids=["default", "empty and binary", "long"],
)
def test_prefixes(net: Any, prefixes: tuple[bytes, ...], first: tuple[bytes, bytes]) -> None:
    mon, mon_address = net.end(zmq.PULL)
    asks, in_address = net.end(zmq.PAIR)
    answers, out_address = net.end(zmq.PAIR)
    device = ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR, zmq.PUSH, *prefixes)
    net.start(device, **{"in": in_address}, out=out_address, mon=mon_address)
    asks.send_multipart([b"", b"q", b""])
    assert net.receive(answers) == [b"", b"q", b""]
    answers.send(b"")
    assert net.receive(asks) == [b""]
    assert net.receive_all(mon, 2) == [[first[0], b"", b"q", b""], [first[1], b""]]


def test_a_proxy_has_no_prefix(net: Any) -> None:
    mon, mon_address = net.end(zmq.PULL)
    push, in_address = net.end(zmq.PUSH)
    pull, out_address = net.end(zmq.PULL)
    device = ThreadProxy(zmq.PULL, zmq.PUSH, zmq.PUSH)
    net.start(device, **{"in": in_address}, out=out_address, mon=mon_address)
    push.send_multipart([b"a", b"b"])
    assert net.receive(pull) == net.receive(mon) == [b"a", b"b"]


@pytest.mark.parametrize("mon_type", [zmq.PUSH, zmq.PAIR, zmq.DEALER])
def test_every_message_in_order_and_whole(net: Any, mon_type: int) -> None:
    """More than the queues hold: a monitor that may block loses nothing."""
    mon, mon_address = net.end({zmq.PUSH: zmq.PULL}.get(mon_type, mon_type), rcvhwm=5)
    push, in_address = net.end(zmq.PUSH)
    pull, out_address = net.end(zmq.PULL, rcvhwm=0)
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, mon_type)
    device.setsockopt_mon(zmq.SNDHWM, 5)
    net.start(device, **{"in": in_address}, out=out_address, mon=mon_address)
    sent = [[b"%d" % i] * (1 + i % 6) for i in range(1000)]
    for message in sent:
        push.send_multipart(message)
    assert net.receive_all(mon, 1000) == [[b"in", *message] for message in sent]
    assert net.receive_all(pull, 1000) == sent
    net.until(lambda: device.counters.mon.messages == 1000)
    assert device.counters.mon.dropped == 0


@pytest.mark.parametrize("mon_type", [zmq.PUB, zmq.XPUB])
def test_nobody_looks_and_somebody_comes_and_goes(net: Any, mon_type: int) -> None:
    device = ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR, mon_type)
    asks, answers, address = watched(net, device)
    pass_on(net, asks, answers, b"1", b"2")
    net.until(lambda: device.counters.in_to_out.messages == 2)
    assert device.counters.mon.messages == 0

    late = net.socket(zmq.SUB, connect=address, subscribe=b"in")
    number = 0
    while not late.poll(10):
        number += 1
        pass_on(net, asks, answers, b"to see whether it listens")
    net.receive_all(late, 1)
    pass_on(net, answers, asks, b"other direction")
    pass_on(net, asks, answers, b"seen")
    while (seen := net.receive(late)) != [b"in", b"seen"]:
        assert seen == [b"in", b"to see whether it listens"]

    late.unsubscribe(b"in")
    # What comes back on the way of the subscriptions would be one thing to wait for; a standstill of mon is another.
    before = -1
    while (now := device.counters.mon.messages) != before:
        before = now
        pass_on(net, asks, answers, b"to see whether it still listens")
        assert not net.socket(zmq.PULL).poll(20)
    pass_on(net, asks, answers, b"unseen", b"unseen")   # when the second is here, the first is done with
    assert device.counters.mon.messages == before


@pytest.mark.parametrize("leave", ["close", "unsubscribe"])
def test_two_subscribers_of_one_topic(net: Any, leave: str) -> None:
    device = ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR)
    asks, answers, address = watched(net, device)
    first, second = (net.socket(zmq.SUB, connect=address, subscribe=b"") for _ in range(2))
    for end in (first, second):
        while not end.poll(10):
            pass_on(net, asks, answers, b"hello")
    if leave == "close":
        first.close()
    else:
        first.unsubscribe(b"")
    for i in range(20):
        pass_on(net, asks, answers, b"%d" % i)
    while net.receive(second) != [b"in", b"19"]:
        pass


def test_when_the_last_copy_was_sent(net: Any) -> None:
    mon, mon_address = net.end(zmq.PULL)
    asks, in_address = net.end(zmq.PAIR)
    answers, out_address = net.end(zmq.PAIR)
    device = ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR, zmq.PUSH)
    net.start(device, **{"in": in_address}, out=out_address, mon=mon_address)
    assert device.counters.mon.last is None
    pass_on(net, asks, answers, b"one")
    net.receive(mon)
    net.until(lambda: device.counters.in_to_out.last)
    assert device.counters.mon.last == device.counters.in_to_out.last
    pass_on(net, answers, asks, b"two")
    net.receive(mon)
    net.until(lambda: device.counters.out_to_in.last)
    assert device.counters.mon.last == device.counters.out_to_in.last


def test_a_slow_subscriber_never_slows(net: Any) -> None:
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH)
    push, in_address = net.end(zmq.PUSH)
    pull, out_address = net.end(zmq.PULL)
    device.bind_mon("inproc://mon")
    device.setsockopt_mon(zmq.SNDHWM, 10)
    device.setsockopt_mon(zmq.XPUB_NODROP, 1)
    net.start(device, **{"in": in_address}, out=out_address)
    slow = net.socket(zmq.SUB, rcvhwm=10, subscribe=b"", connect="inproc://mon")
    while not slow.poll(10):
        push.send(b"hello")
        assert net.receive(pull) == [b"hello"]
    for i in range(2000):
        push.send(b"%d" % i)
        assert net.receive(pull) == [b"%d" % i]
    net.until(lambda: device.counters.mon.dropped > 1900)
    assert device.counters.in_to_out.blocked == 0
    # What it did get is whole and in order.
    kept = []
    while slow.poll(20):
        kept.append(net.receive(slow))
    numbers = [int(message[1]) for message in kept if message[1] != b"hello"]
    assert numbers[:10] == list(range(10))
    assert numbers == sorted(set(numbers))      # the last ones may have come while it read


def test_a_monitor_that_blocks_and_then_is_read(net: Any) -> None:
    mon, mon_address = net.end(zmq.PULL, "inproc", rcvhwm=5)
    push, in_address = net.end(zmq.PUSH)
    pull, out_address = net.end(zmq.PULL)
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUSH)
    device.setsockopt_mon(zmq.SNDHWM, 5)
    net.start(device, **{"in": in_address}, out=out_address, mon=mon_address)
    for i in range(100):
        push.send(b"%d" % i)
    net.until(lambda: device.counters.mon.waiting)
    assert device.counters.in_to_out.messages == 11
    assert net.receive_all(mon, 100) == [[b"in", b"%d" % i] for i in range(100)]
    assert net.receive_all(pull, 100) == [[b"%d" % i] for i in range(100)]
    net.until(lambda: not device.counters.mon.waiting)
    assert device.counters.mon.blocked >= 1
    assert device.counters.mon.blocked_time > 0


@pytest.mark.parametrize("mon_type", [zmq.PUB, zmq.PUSH])
def test_a_monitor_that_conflates_keeps_the_last_copy_and_never_a_part_of_one(net: Any, mon_type: int) -> None:
    device = ThreadProxy(zmq.PAIR, zmq.PAIR, mon_type)
    device.setsockopt_mon(zmq.CONFLATE, 1)
    asks, answers, address = watched(net, device)
    watching = net.socket(zmq.SUB if mon_type == zmq.PUB else zmq.PULL, connect=address)
    if mon_type == zmq.PUB:
        watching.subscribe(b"")

    def sees(message: bytes) -> bool:
        pass_on(net, asks, answers, message)
        return bool(watching.poll(10)) and watching.recv_multipart() == [message]

    net.until(lambda: sees(b"first"), "the first copy")
    for number in range(100):
        asks.send_multipart([b"two frames", b"%d" % number])
        assert net.receive(answers) == [b"two frames", b"%d" % number]
    net.until(lambda: device.counters.mon.dropped == 100, "the count")
    pass_on(net, asks, answers, *(b"%d" % number for number in range(1000)))
    seen = []
    while not seen or seen[-1] != b"999":
        [frame] = net.receive(watching)
        seen.append(frame)
    assert b"two frames" not in seen
