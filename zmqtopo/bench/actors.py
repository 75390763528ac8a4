"""The parts of a measurement, made by who directs it and carried out in a worker: sources, sinks and what they feed.

A part is opened in its worker's context, told what to do by calls of its methods, one at a time, and closed. Its
sockets end with it. What goes wrong comes out as zmq.ZMQError or RuntimeError: `StalledError` when nothing moves any
more.

Marks tie the ends together. A source sends mark 0 until every sink has seen it, so that nothing is measured before all
ways are open; after each load, it sends the mark of that load until every sink has seen that too.
"""

from __future__ import annotations

import contextlib
import time
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Any

import zmq

try:
    import zmqtopo.bench._ends as _ends  # "from zmqtopo.bench" would call what is missing a circular import
except ModuleNotFoundError as error:
    raise ImportError(
        "zmqtopo's bench is not compiled in this source tree; build it with: pip install -e .", name=error.name
    ) from error

from zmq.backend.cython import _zmq

from zmqtopo.broker.sockets import MOST_SUBSCRIPTIONS

# As in `zmqtopo.loop`: the ends call the libzmq that pyzmq has loaded.
_ends.load(_zmq.__file__)

IDLE_TIMEOUT = 5.0
"""Seconds without any message after which a measurement is given up."""

_IDLE = int(IDLE_TIMEOUT * 1000)

AnySocket = zmq.Socket[Any]


class StalledError(RuntimeError):
    """Nothing moves any more."""

    def __init__(self) -> None:
        super().__init__(f"no message came through for {IDLE_TIMEOUT:g} s")


def mark(number: int) -> bytes:
    """The mark of a load; 0 is that of the beginning."""
    return b"!%07d" % number


def topic(number: int) -> bytes:
    """What the messages of a topic begin with."""
    return b"%06d." % number


def _check(errno: int) -> None:
    if errno in (zmq.EAGAIN, zmq.ETIMEDOUT):
        raise StalledError
    if errno:
        raise zmq.ZMQError(errno)


def bind(socket: AnySocket, address: str) -> None:
    """Bind, or raise RuntimeError in the words of zmqtopo's devices."""
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise RuntimeError(f"cannot bind {address}: {zmq.strerror(error.errno or 0)}") from None


class Part:
    """Sockets of one type that bind or connect.

    ``binds`` has an address for each socket, and ``count`` says how many there are when they connect.
    """

    def __init__(self, type_: str, hwm: int, count: int = 1, binds: tuple[str, ...] = ()) -> None:
        self.type = type_
        self.hwm = hwm
        self.count = len(binds) or count
        self.binds = binds
        self.sockets: list[AnySocket] = []

    def open(self, context: zmq.Context[Any]) -> tuple[str, ...]:
        """Make the sockets, bind those that bind, and return where."""
        for number in range(self.count):
            socket = context.socket(zmq.SocketType[self.type])
            self.sockets.append(socket)
            socket.linger = 0
            socket.sndtimeo = _IDLE
            socket.set_hwm(self.hwm)
            self.prepare(socket, number)
            if self.binds:
                bind(socket, self.binds[number])
        return tuple(socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0") for socket in self.sockets)

    def connect(self, addresses: tuple[str, ...]) -> None:
        """Connect each socket to one of the addresses, in turn."""
        for number, socket in enumerate(self.sockets):
            socket.connect(addresses[number % len(addresses)])

    def close(self) -> None:
        """Close the sockets."""
        for socket in self.sockets:
            socket.close(0)

    def prepare(self, socket: AnySocket, number: int) -> None:
        """What a socket needs before it binds or connects."""

    @property
    def handles(self) -> list[int]:
        """The sockets as libzmq knows them."""
        return [socket.underlying for socket in self.sockets]


class Source(Part):
    """A PUSH or PUB that sends ``size`` bytes at a time, of each of ``topics`` in turn, which ``sinks`` share.

    A PUB waits for room like a PUSH. One that throws away what the device has no time for would take the machine's
    time from it, and what is lost would say more about the source than about the device.
    """

    def __init__(
        self, type_: str, hwm: int, size: int, topics: int, binds: tuple[str, ...] = (), sinks: int = 1
    ) -> None:
        super().__init__(type_, hwm, binds=binds)
        self.size = size
        self.topics = topics
        self.sinks = sinks
        self._turn = 0

    def prepare(self, socket: AnySocket, number: int) -> None:
        """Have a PUB wait."""
        if socket.type == zmq.PUB:
            socket.xpub_nodrop = True

    def mark(self, number: int) -> None:
        """Send a mark if there is room.

        With topics the mark 0 is one of the last topic of each sink. All subscribe to the same marks, which a device
        asks for once, and so may let through before it has passed on what the last of the sinks wants besides.
        """
        marks = deque([mark(number)])
        if number == 0 and self.topics:
            marks = deque(topic(n) + b"!" for n in range(self.topics - self.sinks, self.topics))
            marks.rotate(self._turn)        # where there is only room for the first
            self._turn += 1
        with contextlib.suppress(zmq.Again):
            for each in marks:
                self.sockets[0].send(each, zmq.DONTWAIT)

    def send(self, most: int, seconds: float, rate: float = 0) -> tuple[int, int]:
        """Send until there were ``most`` messages or the time is over: how many, and the time of the first in ns.

        ``rate`` is how many a second, 0 for as fast as they go; then each has a time in it.
        """
        heads = [topic(number) for number in range(self.topics)] or [b""]
        messages = [head.ljust(self.size, b"x") for head in heads]
        if rate:
            sent, first, errno = _ends.send_at(self.handles[0], messages, most, seconds, rate)
        else:
            sent, first, errno = _ends.send(self.handles[0], messages, most, seconds)
        _check(errno)
        return sent, first


class Sink(Part):
    """PULLs, or SUBs that share ``topics``; without topics a SUB takes everything."""

    def __init__(self, type_: str, hwm: int, count: int, topics: int = 0) -> None:
        super().__init__(type_, hwm, count)
        self.topics = topics

    def prepare(self, socket: AnySocket, number: int) -> None:
        """Subscribe."""
        if socket.type == zmq.SUB:
            socket.sndhwm = MOST_SUBSCRIPTIONS
            wanted = [b"!", *(topic(n) for n in range(number, self.topics, self.count))] if self.topics else [b""]
            for prefix in wanted:
                socket.subscribe(prefix)

    def meet(self) -> None:
        """Wait until each socket has received something."""
        _meet(self.sockets)

    def receive(self, number: int, timed: bool = False) -> tuple[int, int, list[float]]:
        """Count messages up to the mark of that number: how many, and the time of the last in ns.

        And, where they have times in them, how long they were on their way: p50, p99 and p99.9 in microseconds.
        """
        times = bytearray(8 * _ends.TIME_CLASSES) if timed else None
        messages, last, errno = _ends.receive(self.handles, mark(number), _IDLE, times)
        _check(errno)
        if times is None or not messages:
            return messages, last, []
        counts = array("q", bytes(times))
        return messages, last, [time_rank(counts, per_mille) / 1000 for per_mille in (500, 990, 999)]


class Clients(Part):
    """DEALERs, or a PAIR, that ask; ``heads`` has the first frame of each one's requests."""

    def __init__(self, type_: str, hwm: int, size: int, heads: list[bytes]) -> None:
        super().__init__(type_, hwm, len(heads))
        self.size = size
        self.heads = heads
        self._silent: set[int] = set(range(self.count))

    def mark(self, number: int) -> bool:
        """Ask with a mark for those who were never answered; whether there are none any more."""
        for at in list(self._silent):
            socket = self.sockets[at]
            try:
                socket.send_multipart([self.heads[at], mark(number)], zmq.DONTWAIT)
                while True:
                    socket.recv_multipart(zmq.DONTWAIT)
                    self._silent.discard(at)
            except zmq.Again:
                continue
        return not self._silent

    def ask(self, window: int, most: int, seconds: float) -> tuple[int, int, int, list[float]]:
        """Ask until there were ``most`` or the time is over: replies, first, last (ns), and their p50, p99, p99.9.

        These are in microseconds.
        """
        load = b"x" * self.size
        raw, first, last, errno = _ends.ask(self.handles, self.heads, load, window, most, seconds, _IDLE)
        _check(errno)
        times = array("q", raw)
        ordered = sorted(times)
        return len(ordered), first, last, [rank(ordered, per_mille) / 1000 for per_mille in (500, 990, 999)]


def rank(ordered: Sequence[int], per_mille: int) -> int:
    """The smallest value that at least so many of 1,000 values do not exceed (the nearest rank)."""
    return ordered[(len(ordered) * per_mille + 999) // 1000 - 1]


def time_rank(counts: Sequence[int], per_mille: int) -> int:
    """The nearest rank of times in ns that are counted by classes: the least time of its class."""
    left = (sum(counts) * per_mille + 999) // 1000
    for number, count in enumerate(counts):
        left -= count
        if left <= 0:
            return time_of(number)
    raise ValueError("nothing was counted")


def time_of(number: int) -> int:
    """The least time in ns of a class, as paced.pxi counts them."""
    shift = max(number // 32 - 1, 0)
    return (number - 32 * shift) << shift


class Workers(Part):
    """REPs, or DEALERs with the names w0, w1 and so on, or a PAIR, that send back what they get."""

    def prepare(self, socket: AnySocket, number: int) -> None:
        """Name it, for clients that ask for one by name."""
        if socket.type == zmq.DEALER:
            socket.routing_id = b"w%d" % number

    def meet(self) -> None:
        """Wait until each socket has received something, and answer that."""
        _meet(self.sockets)
        for socket in self.sockets:
            socket.send_multipart(socket.recv_multipart())

    def answer(self) -> None:
        """Answer until the context ends."""
        errno = _ends.answer(self.handles)
        if errno != zmq.ETERM:
            _check(errno)


def _meet(sockets: list[AnySocket]) -> None:
    """Wait until every socket can receive."""
    deadline = time.monotonic() + IDLE_TIMEOUT
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    waiting = set(sockets)
    while waiting:
        ready = poller.poll(max(int((deadline - time.monotonic()) * 1000), 0))
        if not ready:
            raise StalledError
        for socket, _ in ready:
            if socket in waiting:
                waiting.discard(socket)
                poller.unregister(socket)
