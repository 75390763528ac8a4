"""Copies for those who look on: of what has passed, each once and in order, and no others."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock
from zmqtopo.loop import relay

PATIENCE = 5.0
"""Seconds that a loop may take to answer; far more than it does."""

IN_TO_OUT, OUT_TO_IN, PRESENCE, MARKER = b"\1", b"\2", b"\3", b"\4"


class Looked:
    """A loop between two bound sockets, and its taps; the loop runs in a thread of its own."""

    def __init__(self, net: Any, in_type: int, out_type: int, *, mon: Any = None, **options: Any) -> None:
        self.net = net
        self.ends = [net.socket(kind, **options) for kind in (in_type, out_type)]
        for end, name in zip(self.ends, ("in", "out"), strict=True):
            end.bind(f"inproc://{name}")
        self.mon = mon
        self.taps: dict[str, Any] = {}
        self.control, self.block = Control(), CounterBlock()
        self.ended: list[Any] = []
        self.todo: Callable[[], None] = lambda: None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.ended.append(relay(
                *self.ends, *([self.mon] if self.mon else []), control=self.control.worker.fileno(),
                block=self.block.memory, attend=self._attend, taps=self._underlying,
            ))
        finally:
            self.control.worker.close()

    @property
    def _underlying(self) -> tuple[int, int]:
        drop, block = (self.taps[name].underlying if name in self.taps else 0 for name in ("drop", "block"))
        return drop, block

    def _attend(self) -> tuple[None, None, bool, int, int]:
        self.todo()
        return None, None, True, *self._underlying

    def start(self) -> None:
        self.thread.start()
        self.net.until(lambda: self.block.state)

    def open(self, name: str = "drop") -> None:
        """Make a tap; while the loop runs only for what `call` calls."""
        tap = self.net.socket(zmq.XPUB, xpub_verboser=1, xpub_nodrop=1, sndhwm=1000)
        tap.bind(f"inproc://{name}")
        self.taps[name] = tap

    def take_away(self, name: str) -> None:
        self.taps.pop(name).close()

    def call(self, todo: Callable[[], None]) -> None:
        self.todo = todo
        assert self.control.ask(b"c", PATIENCE)

    def reader(self, name: str = "drop", topics: tuple[bytes, ...] = (IN_TO_OUT, OUT_TO_IN), **options: Any) -> Any:
        """A reader that the loop knows of."""
        reader = self.net.socket(zmq.SUB, connect=f"inproc://{name}", **options)
        for topic in (*topics, PRESENCE, MARKER):
            reader.subscribe(topic)
        assert self.net.receive(reader)[0][:1] == MARKER
        return reader


def copies(net: Any, reader: Any, count: int = 1) -> list[tuple[bytes, bytes, int, int, list[bytes]]]:
    """The next copies; numbers that other readers have asked for come between."""
    found = []
    while len(found) < count:
        message = net.receive(reader)
        if message[0][:1] != MARKER:
            found.append(parsed(message))
    return found


@pytest.fixture
def looked(net: Any) -> Iterator[Callable[..., Looked]]:
    made: list[Looked] = []

    def make(*arguments: Any, **options: Any) -> Looked:
        made.append(Looked(net, *arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.control.send(b"n")
        if one.thread.ident is not None:
            one.thread.join()
        one.control.close()


def parsed(message: list[bytes]) -> tuple[bytes, bytes, int, int, list[bytes]]:
    """The flow's byte, the head, number, time and frames of a copy."""
    header, *frames = message
    number, at = struct.unpack("=qq", header[-16:])
    return header[:1], header[1:-16], number, at, frames


def test_a_copy_has_a_header(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.PUSH)
    it.open()
    it.start()
    push, pull = net.socket(zmq.PUSH, connect="inproc://in"), net.socket(zmq.PULL, connect="inproc://out")
    reader = it.reader()
    many = [b"a first frame that is long", *[b"%d" % i for i in range(1000)]]
    sent = [[b""], [b"topic", b"body"], many, [b"x" * 10**6]]
    before = time.time_ns()
    for number, message in enumerate(sent, 1):
        push.send_multipart(message)
        assert net.receive(pull) == message
        (flow, head, counted, at, frames), = copies(net, reader)
        assert (flow, head, counted, frames) == (IN_TO_OUT, message[0][:16], number, message)
        assert before <= at <= time.time_ns()


def test_both_flows_are_counted_apart_and_filtered_by_their_topic(net: Any, looked: Any) -> None:
    it = looked(zmq.PAIR, zmq.PAIR)
    it.open()
    it.start()
    one, other = (net.socket(zmq.PAIR, connect=f"inproc://{name}") for name in ("in", "out"))
    both, back, some = it.reader(), it.reader(topics=(OUT_TO_IN,)), it.reader(topics=(IN_TO_OUT + b"b",))
    for message in (b"a1", b"b1", b"a2"):
        one.send(message)
        assert net.receive(other) == [message]
    other.send(b"back")
    assert net.receive(one) == [b"back"]
    assert [(flow, number, frames) for flow, _, number, _, frames in copies(net, both, 4)] == [
        (IN_TO_OUT, 1, [b"a1"]), (IN_TO_OUT, 2, [b"b1"]), (IN_TO_OUT, 3, [b"a2"]), (OUT_TO_IN, 1, [b"back"])]
    assert copies(net, back)[0][4] == [b"back"]
    assert copies(net, some)[0][4] == [b"b1"]


def test_what_was_dropped_has_no_number(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.ROUTER)
    it.ends[1].router_mandatory = 1
    it.open()
    it.start()
    push = net.socket(zmq.PUSH, connect="inproc://in")
    peer = net.socket(zmq.DEALER, routing_id=b"peer", connect="inproc://out")
    reader = it.reader()
    for name in (b"peer", b"nobody", b"peer", b"nobody", b"nobody", b"peer"):
        push.send_multipart([name, b"x"])
    net.receive_all(peer, 3)
    assert [copy[2:5:2] for copy in copies(net, reader, 3)] == [(number, [b"peer", b"x"]) for number in (1, 2, 3)]
    assert it.block.read().in_to_out.dropped == 3


@pytest.mark.parametrize("late", [False, True], ids=["from the beginning", "in the middle of a batch"])
def test_a_batch_that_goes_in_parts_is_seen_once(net: Any, looked: Any, late: bool) -> None:
    it = looked(zmq.PULL, zmq.PUSH, sndhwm=10)
    if not late:
        it.open()
    it.start()
    pull = net.socket(zmq.PULL, rcvhwm=10, connect="inproc://out")
    reader = it.reader() if not late else None
    push = net.socket(zmq.PUSH, connect="inproc://in")
    for number in range(1, 501):
        push.send(b"%d" % number)
    flow = net.until(lambda: (flow := it.block.read().in_to_out).waiting and flow)
    if reader is None:
        it.call(it.open)
        reader = it.reader()
    first = flow.messages + 1 if late else 1
    assert [net.receive(pull) for _ in range(500)] == [[b"%d" % number] for number in range(1, 501)]
    assert [(number, frames) for _, _, number, _, frames in copies(net, reader, 501 - first)] == [
        (number, [b"%d" % number]) for number in range(first, 501)]


def test_beside_a_monitor_that_blocks(net: Any, looked: Any) -> None:
    mon = net.socket(zmq.PUSH, sndhwm=1)
    mon.bind("inproc://mon")
    it = looked(zmq.PULL, zmq.PUSH, mon=mon)
    it.start()
    push, pull = net.socket(zmq.PUSH, connect="inproc://in"), net.socket(zmq.PULL, connect="inproc://out")
    for number in range(1, 11):
        push.send(b"%d" % number)
    assert net.receive(pull) == [b"1"]
    net.until(lambda: it.block.read().mon.waiting)
    it.call(it.open)
    reader = it.reader()
    monitor = net.socket(zmq.PULL, connect="inproc://mon")
    assert net.receive_all(pull, 9) == [[b"%d" % number] for number in range(2, 11)]
    assert net.receive_all(monitor, 10) == [[b"%d" % number] for number in range(1, 11)]
    assert [copy[2:5:2] for copy in copies(net, reader, 9)] == [
        (number, [b"%d" % number]) for number in range(2, 11)]


def fill(push: Any, number: int = 5000) -> None:
    for _ in range(number):
        push.send(b"x", zmq.DONTWAIT)


def test_a_reader_without_room_holds_nothing_up_and_knows_what_it_has_missed(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.PUSH, sndhwm=0, rcvhwm=0)
    it.open()
    it.start()
    push = net.socket(zmq.PUSH, sndhwm=0, connect="inproc://in")
    pull = net.socket(zmq.PULL, rcvhwm=0, connect="inproc://out")
    reader = it.reader(rcvhwm=10)
    fill(push)
    net.receive_all(pull, 5000)
    got = []
    while reader.poll(50):
        got.append(parsed(reader.recv_multipart())[2])
    assert 1000 <= len(got) < 5000
    assert got == sorted(set(got))
    reader.subscribe(MARKER + b"now")
    topic, numbers = net.receive(reader)
    assert (topic, struct.unpack("=qqq", numbers)[:2]) == (MARKER + b"now", (5000, 0))
    push.send(b"more")
    net.receive(pull)
    assert copies(net, reader)[0][2] == 5001


def test_one_that_is_waited_for_and_one_that_is_not(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.PUSH, sndhwm=0, rcvhwm=0)
    it.open()
    it.open("block")
    it.start()
    push = net.socket(zmq.PUSH, sndhwm=0, connect="inproc://in")
    pull = net.socket(zmq.PULL, rcvhwm=0, connect="inproc://out")
    waited, other = it.reader("block", rcvhwm=10), it.reader(rcvhwm=0)
    fill(push, 5000)
    flow = net.until(lambda: (flow := it.block.read().in_to_out).waiting and flow)
    assert flow.messages < 5000
    assert [copy[2] for copy in copies(net, waited, 5000)] == list(range(1, 5001))
    assert [copy[2] for copy in copies(net, other, 1000)] == list(range(1, 1001))
    net.receive_all(pull, 5000)
    assert not it.block.read().in_to_out.waiting


@pytest.mark.parametrize("how", ["taken away", "reader closes"])
def test_without_its_reader_the_direction_goes_on(net: Any, looked: Any, how: str) -> None:
    it = looked(zmq.PULL, zmq.PUSH, sndhwm=0, rcvhwm=0)
    it.open("block")
    it.start()
    push = net.socket(zmq.PUSH, sndhwm=0, connect="inproc://in")
    pull = net.socket(zmq.PULL, rcvhwm=0, connect="inproc://out")
    reader = it.reader("block", rcvhwm=10)
    fill(push)
    net.until(lambda: it.block.read().in_to_out.waiting)
    if how == "taken away":
        it.call(lambda: it.take_away("block"))
    else:
        reader.close()
    net.receive_all(pull, 5000)
    assert it.block.read().in_to_out.messages == 5000


@pytest.mark.parametrize("reads", [False, True])
def test_a_stop_waits_for_a_reader_only_so_long(net: Any, looked: Any, reads: bool) -> None:
    it = looked(zmq.PULL, zmq.PUSH, sndhwm=0, rcvhwm=0)
    it.open("block")
    it.start()
    push = net.socket(zmq.PUSH, sndhwm=0, connect="inproc://in")
    pull = net.socket(zmq.PULL, rcvhwm=0, connect="inproc://out")
    reader = it.reader("block", rcvhwm=10)
    fill(push, 5000)
    net.until(lambda: it.block.read().in_to_out.waiting)
    before = time.monotonic()
    it.control.send(b"s")
    got = [copy[2] for copy in copies(net, reader, 5000 if reads else 0)]
    it.thread.join(PATIENCE)
    assert it.ended == [False]
    assert time.monotonic() - before < 3
    assert len(net.receive_all(pull, 5000)) == 5000
    assert it.block.read().in_to_out.dropped == 0
    if reads:
        assert got == list(range(1, 5001))
        topic, numbers = net.receive(reader)
        assert (topic, struct.unpack("=qqq", numbers)[0]) == (MARKER, 5000)


def test_while_paused_the_numbers_are_told(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.PUSH)
    it.open()
    it.start()
    assert it.control.ask(b"p", PATIENCE)
    reader = it.reader()
    reader.subscribe(MARKER + b"x")
    assert net.receive(reader)[0] == MARKER + b"x"


def test_what_readers_ask_for_may_be_anything(net: Any, looked: Any) -> None:
    it = looked(zmq.PULL, zmq.PUSH)
    it.open()
    it.start()
    odd = net.socket(zmq.XSUB, connect="inproc://drop")
    long = b"\1" + MARKER + b"x" * 10_000
    for request in (b"", b"\1", b"\0", b"\2\1", b"\1\xff", b"\0\1", b"\0\3", long, b"\1\1" * 10):
        odd.send(request)
    push, pull = net.socket(zmq.PUSH, connect="inproc://in"), net.socket(zmq.PULL, connect="inproc://out")
    reader = it.reader()
    push.send(b"x")
    net.receive(pull)
    assert copies(net, reader)[0][2:5:2] == (1, [b"x"])
