"""What a PUB or XPUB drops for readers that have no room: counted, and told as a lower bound where it is one."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadDevice, ThreadMonitoredQueue

SENT = 3000
PAYLOAD = bytes(10_000)

SENDERS = {zmq.XSUB: zmq.XPUB, zmq.SUB: zmq.XPUB, zmq.PULL: zmq.PUSH}


def started(
    net: Any, in_type: int, out_type: int, transport: str = "tcp", sndhwm: int = 20
) -> tuple[Any, Any, str]:
    """A device with a small queue for each reader; who feeds it, and where its readers connect."""
    device = ThreadDevice(zmq.FORWARDER, in_type, out_type)
    device.setsockopt_in(zmq.RCVHWM, 0)
    device.setsockopt_out(zmq.SNDHWM, sndhwm)
    device.setsockopt_out(zmq.SNDBUF, 16384)
    if in_type == zmq.SUB:
        device.setsockopt_in(zmq.SUBSCRIBE, b"")
    sender, address = net.end(SENDERS[zmq.SocketType(in_type)], sndhwm=0)
    device.bind_out(net.address(transport))
    net.start(device, **{"in": address})
    if in_type == zmq.SUB:
        assert net.receive(sender) == [b"\1"]
    return device, sender, device.endpoints["out"][0]


def reader(net: Any, address: str, *topics: bytes) -> Any:
    """A subscriber for which little is kept while it does not read."""
    sub = net.socket(zmq.SUB, connect=address, rcvhwm=10, rcvbuf=16384)
    for topic in topics:
        sub.subscribe(topic)
    return sub


def reached(net: Any, sender: Any, subs: list[Any]) -> int:
    """Send until each has received something; how many of these messages there were."""
    sent = 0
    waiting = list(subs)
    while waiting:
        sender.send_multipart([b"hello", b""])
        sent += 1
        waiting = [sub for sub in waiting if not sub.poll(5)]
    return sent


def received(sub: Any) -> list[list[bytes]]:
    """What it has got, and what is still on its way."""
    found = []
    while sub.poll(300):
        found.append(sub.recv_multipart())
    return found


def feed(net: Any, device: Any, sender: Any, count: int = SENT) -> None:
    """Send so many messages and wait until the device is done with them."""
    flow = device.counters.in_to_out
    before = flow.messages + flow.dropped
    for number in range(count):
        sender.send_multipart([b"%d" % number, PAYLOAD], copy=False)
    # A message that some readers have got and others have missed counts as both.
    net.until(lambda: (now := device.counters.in_to_out).messages + now.dropped >= before + count and not now.in_hand)


@pytest.mark.parametrize("transport", ["tcp", "ipc", "inproc"])
@pytest.mark.parametrize("in_type", [zmq.XSUB, zmq.SUB, zmq.PULL])
def test_what_the_one_reader_of_an_xpub_misses_is_counted_exactly(net: Any, in_type: int, transport: str) -> None:
    device, sender, address = started(net, in_type, zmq.XPUB, transport)
    sub = reader(net, address, b"")
    if in_type == zmq.XSUB:
        assert net.receive(sender) == [b"\1"]
    reached(net, sender, [sub])
    received(sub)
    before = device.counters.in_to_out.messages
    feed(net, device, sender)
    arrived = received(sub)
    flow = device.counters.in_to_out
    assert flow.dropped == SENT - len(arrived) > 0
    assert flow.messages == before + len(arrived)
    assert flow.dropped_exact
    assert [int(message[0]) for message in arrived] == sorted({int(message[0]) for message in arrived})


def test_several_topics_of_one_reader(net: Any) -> None:
    device, sender, address = started(net, zmq.XSUB, zmq.XPUB)
    sub = reader(net, address, b"", b"1", b"2", b"other")
    assert len(net.receive_all(sender, 4)) == 4
    feed(net, device, sender)
    assert device.counters.in_to_out.dropped == SENT - len(received(sub)) > 0
    assert device.counters.in_to_out.dropped_exact


def test_one_reader_after_another(net: Any) -> None:
    device, sender, address = started(net, zmq.XSUB, zmq.XPUB)
    first = reader(net, address, b"", b"1")
    assert len(net.receive_all(sender, 2)) == 2
    second = reader(net, address, b"")
    reached(net, sender, [first, second])
    for sub in (first, second):
        sub.close(0)
    assert sorted(net.receive_all(sender, 2)) == [[b"\0"], [b"\0001"]]
    before = device.counters.in_to_out.dropped
    last = reader(net, address, b"")
    assert net.receive(sender) == [b"\1"]
    feed(net, device, sender)
    assert device.counters.in_to_out.dropped - before == SENT - len(received(last)) > 0
    assert device.counters.in_to_out.dropped_exact


@pytest.mark.parametrize(("in_type", "out_type"), [
    (zmq.PULL, zmq.PUB), (zmq.SUB, zmq.PUB), (zmq.PULL, zmq.XPUB), (zmq.XSUB, zmq.XPUB),
])
def test_of_several_readers_it_is_a_lower_bound(net: Any, in_type: int, out_type: int) -> None:
    """Nobody knows how many read from a PUB."""
    device, sender, address = started(net, in_type, out_type)
    subs = [reader(net, address, b"") for _ in range(1 if out_type == zmq.PUB else 2)]
    if in_type == zmq.XSUB:
        assert net.receive(sender) == [b"\1"]
    sent = reached(net, sender, subs) + SENT
    feed(net, device, sender)
    net.until(lambda: device.counters.in_to_out.messages == sent, "all to be sent")
    flow = device.counters.in_to_out
    missed = max(sent - len(received(sub)) for sub in subs)
    assert 1 <= flow.dropped <= missed
    assert not flow.dropped_exact


def test_who_comes_while_another_has_no_room_misses_nothing_after_its_first_message(net: Any) -> None:
    device, sender, address = started(net, zmq.XSUB, zmq.XPUB, sndhwm=1000)
    full = reader(net, address, b"")
    assert net.receive(sender) == [b"\1"]
    feed(net, device, sender)
    assert device.counters.in_to_out.dropped_exact
    dropped = device.counters.in_to_out.dropped
    late = net.socket(zmq.SUB, connect=address, rcvhwm=0)
    late.subscribe(b"")
    number = 0
    while not late.poll(1):
        sender.send_multipart([b"%d" % number, b""])
        number += 1
    first = int(net.receive(late)[0])
    while late.poll(300):
        last = int(net.receive(late)[0])
        assert last == first + 1
        first = last
    assert first == number - 1
    assert device.counters.in_to_out.dropped > dropped
    assert full.poll()


def test_repeated_subscriptions_reach_the_other_side_once(net: Any) -> None:
    """Each counts as dropped at a PULL, which takes none, as it did when libzmq kept the repeated ones back."""
    device, sender, address = started(net, zmq.PULL, zmq.XPUB)
    subs = [reader(net, address, b"") for _ in range(5)]
    reached(net, sender, subs)
    net.until(lambda: device.counters.out_to_in.dropped, "the loop has counted it")
    assert device.counters.out_to_in.dropped == 1


def test_with_xpub_nodrop_of_its_own_it_waits(net: Any) -> None:
    device = ThreadDevice(zmq.FORWARDER, zmq.PULL, zmq.XPUB)
    device.setsockopt_out(zmq.XPUB_NODROP, 1)
    device.setsockopt_out(zmq.SNDHWM, 20)
    device.bind_out("inproc://out")
    sender, address = net.end(zmq.PUSH, sndhwm=0)
    net.start(device, **{"in": address})
    sub = reader(net, "inproc://out", b"")
    reached(net, sender, [sub])
    for number in range(SENT):
        sender.send_multipart([b"%d" % number, b""])
    net.until(lambda: device.counters.in_to_out.waiting)
    numbers = [int(message[0]) for message in received(sub) if message[0] != b"hello"]
    assert numbers == list(range(SENT))
    assert device.counters.in_to_out.dropped == 0


def test_a_monitor_sees_what_the_reader_of_out_has_missed_and_counts_its_own(net: Any) -> None:
    device = ThreadMonitoredQueue(zmq.PULL, zmq.XPUB, zmq.PUB, b"in", b"out")
    device.setsockopt_out(zmq.SNDHWM, 20)
    device.setsockopt_mon(zmq.SNDHWM, 0)
    device.bind_out("inproc://out")
    device.bind_mon("inproc://mon")
    sender, address = net.end(zmq.PUSH, sndhwm=0)
    net.start(device, **{"in": address})
    sub = reader(net, "inproc://out", b"")
    mon = net.socket(zmq.SUB, connect="inproc://mon", rcvhwm=0)
    mon.subscribe(b"in")
    reached(net, sender, [sub, mon])
    feed(net, device, sender)
    numbers = [int(message[1]) for message in received(mon) if message[1] != b"hello"]
    assert numbers == list(range(SENT))
    assert device.counters.in_to_out.dropped > 0
    assert device.counters.mon.dropped == 0


@pytest.mark.parametrize("mon_type", [zmq.PUB, zmq.XPUB])
def test_copies_that_a_reader_of_mon_misses_are_counted_apart(net: Any, mon_type: int) -> None:
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, mon_type, b"in", b"out")
    device.setsockopt_mon(zmq.SNDHWM, 20)
    device.bind_mon("inproc://mon")
    sender, address = net.end(zmq.PUSH, sndhwm=0)
    pull, out_address = net.end(zmq.PULL, rcvhwm=0)
    net.start(device, **{"in": address}, out=out_address)
    slow = reader(net, "inproc://mon", b"")
    quick = net.socket(zmq.SUB, connect="inproc://mon", rcvhwm=0)
    quick.subscribe(b"")
    hellos = reached(net, sender, [slow, quick])
    feed(net, device, sender)
    assert len(received(pull)) == hellos + SENT
    copies = device.counters.mon
    missed = device.counters.in_to_out.messages - len(received(slow))
    assert 1 <= copies.dropped <= missed
    assert not copies.dropped_exact
    assert len([message for message in received(quick) if message[1] != b"hello"]) == SENT
    assert device.counters.in_to_out.dropped == 0
    assert device.counters.in_to_out.dropped_exact
