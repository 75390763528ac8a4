"""Many messages in hand at a time: none is lost, none comes twice, and a small HWM keeps its meaning."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadDevice, ThreadMonitoredQueue


@pytest.mark.parametrize("hwm", [1, 2, 64, 1000])
def test_a_full_destination_holds_what_the_sockets_may(net: Any, hwm: int) -> None:
    """A direction never has more in its batch than its source may hold."""
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=1)
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.setsockopt_in(zmq.RCVHWM, hwm)
    device.setsockopt_out(zmq.SNDHWM, hwm)
    device.bind_out("inproc://out")
    net.start(device, **{"in": in_address})
    pull = net.socket(zmq.PULL, connect="inproc://out", rcvhwm=1)
    sent = 0
    while push.poll(200, zmq.POLLOUT):
        push.send(b"%d" % sent)
        sent += 1
    # An inproc pipe holds the HWM of both its ends together.
    assert 2 * (hwm + 1) < sent <= 2 * (hwm + 1) + hwm
    assert device.counters.in_to_out.blocked
    assert net.receive_all(pull, sent) == [[b"%d" % i] for i in range(sent)]


@pytest.mark.parametrize(("hwm", "readers", "gone", "unsubscribed", "in_hand"), [
    (1, 0, 0, 0, 1), (80, 0, 0, 0, 9), (80, 1, 0, 0, 9), (80, 4, 0, 0, 39), (1000, 0, 0, 0, 124),
    (80, 5, 1, 0, 39), (80, 4, 0, 2, 19), (80, 6, 2, 2, 19), (80, 4, 4, 0, 9),
])
def test_what_drops_is_given_an_eighth_of_its_hwm_at_a_time_for_each_reader(
    net: Any, hwm: int, readers: int, gone: int, unsubscribed: int, in_hand: int
) -> None:
    """Seen with XPUB_NODROP, which makes it wait where it would have dropped. Who reads over inproc is not counted."""
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadDevice(zmq.FORWARDER, zmq.PULL, zmq.XPUB)
    device.setsockopt_out(zmq.SNDHWM, hwm)
    device.setsockopt_out(zmq.XPUB_NODROP, 1)
    device.bind_out("inproc://out")
    port = device.bind_out_to_random_port("tcp://127.0.0.1")
    net.start(device, **{"in": in_address})
    topics = [(f"none {number}", f"nothing {number}") for number in range(readers)]
    others = [net.socket(zmq.SUB, connect=f"tcp://127.0.0.1:{port}") for _ in topics]
    for other, two in zip(others, topics, strict=True):
        for topic in two:
            other.subscribe(topic)
    sub = net.socket(zmq.SUB, connect="inproc://out", rcvhwm=1)
    sub.subscribe(b"")
    asked = 2 * readers + 1
    net.until(lambda: device.counters.out_to_in.dropped == asked)       # a PULL takes no subscription
    for number in range(gone):
        others[number].close()
    for number in range(gone, gone + unsubscribed):
        for topic in topics[number]:
            others[number].unsubscribe(topic)
    asked += 2 * (gone + unsubscribed)
    net.until(lambda: device.counters.out_to_in.dropped == asked)
    device.pause()
    for _ in range(3000):
        push.send(b"")
    device.resume()
    net.until(lambda: device.counters.in_to_out.in_hand)
    assert device.counters.in_to_out.in_hand == in_hand
    device.stop(0)
    flow = device.counters.in_to_out
    assert (flow.messages, flow.dropped) == (hwm + 1, 3000 - (hwm + 1))   # a pipe holds the HWM of both its ends


def test_frames_of_messages_that_wait_together_stay_apart(net: Any) -> None:
    """Messages of one to five frames, empty ones among them, which stood in hand while nobody took them."""
    messages = [[b"%d" % i, *[b""] * (i % 3), b"x" * (i % 50)][: 1 + i % 5] for i in range(5000)]
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUSH, b"in", b"out")
    device.setsockopt_out(zmq.SNDHWM, 50)
    device.setsockopt_mon(zmq.SNDHWM, 20)
    device.bind_out("inproc://out")
    device.bind_mon("inproc://mon")
    net.start(device, **{"in": in_address})
    for message in messages:
        push.send_multipart(message)
    pull = net.socket(zmq.PULL, connect="inproc://out", rcvhwm=0)
    mon = net.socket(zmq.PULL, connect="inproc://mon", rcvhwm=0)
    assert net.receive_all(pull, len(messages)) == messages
    assert net.receive_all(mon, len(messages)) == [[b"in", *message] for message in messages]


@pytest.mark.parametrize(("frames", "in_hand"), [(1, 1000), (3, 683), (2000, 3), (10_000, 1)])
def test_what_is_in_hand_at_a_forced_end_is_counted(net: Any, frames: int, in_hand: int) -> None:
    """At most a thousand messages and four thousand frames, or one message."""
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_out("inproc://out")         # nobody takes anything
    net.start(device, **{"in": in_address})
    device.pause()
    sent = 1000 if frames < 1000 else 10
    for _ in range(sent):
        push.send_multipart([b""] * frames)
    device.resume()
    net.until(lambda: device.counters.in_to_out.in_hand)
    assert device.counters.in_to_out.in_hand == in_hand
    device.stop(0)
    flow = device.counters.in_to_out
    assert flow.messages == 0
    assert in_hand <= flow.dropped <= sent      # what is left in the socket is counted for a fifth of a second


LIBC = ctypes.CDLL(None)
M_MMAP_THRESHOLD = -3      # from malloc.h


def in_large_blocks() -> int:
    """Bytes that malloc has given out in blocks of more than 128 KiB, once it takes each of them from the system."""
    class Mallinfo(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )]

    LIBC.mallinfo2.restype = Mallinfo
    assert LIBC.mallopt(M_MMAP_THRESHOLD, 128 * 1024)
    found: int = LIBC.mallinfo2().hblkhd
    return found


@pytest.mark.skipif(not hasattr(LIBC, "mallinfo2"), reason="only glibc 2.33 and later tell what malloc has given out")
@pytest.mark.parametrize(("frames", "count"), [(1000, 200), (200_000, 1)])
def test_the_room_for_many_frames_is_given_back(net: Any, frames: int, count: int) -> None:
    """Each takes 64 bytes in hand, and as much as a copy."""
    push, in_address = net.end(zmq.PUSH, "inproc", sndhwm=0)
    device = ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUSH, b"in", b"out")
    device.bind_out("inproc://out")
    device.bind_mon("inproc://mon")
    net.start(device, **{"in": in_address})
    ends = [net.socket(zmq.PULL, connect=f"inproc://{name}", rcvhwm=0) for name in ("out", "mon")]
    before = in_large_blocks()
    device.pause()
    for _ in range(count):
        push.send_multipart([b""] * frames)
    device.resume()
    for prefix, pull in enumerate(ends):
        assert [len(message) for message in net.receive_all(pull, count)] == [prefix + frames] * count
    net.until(lambda: in_large_blocks() - before < 5_000_000)
