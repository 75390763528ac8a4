"""Senders and receivers around one device, or a chain of them, and the ledgers of what passes between them.

A message has two frames: ``SENDER NUMBER EPOCH [WORKER]`` in decimal, and a body that follows from the number. Number 0
is a marker. All methods are for the thread of `chaos_parts.traffic.Traffic`.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import zmq

from chaos_parts.ledger import LINGER, Ledger

WINDOW = 100
"""Messages of one sender to one audience that may be under way: what a crash may cost at most."""

DEEP_WINDOW = 1000
"""The same in an episode with a backlog that no single batch or queue of the system holds."""

ROOMY = {zmq.SNDHWM: 5000, zmq.RCVHWM: 5000}
"""More than twice what the two senders of a path may have under way: libzmq frees a queue in halves."""

NARROW = {zmq.SNDHWM: 5, zmq.RCVHWM: 5, zmq.SNDBUF: 4096, zmq.RCVBUF: 4096}

Socket = zmq.Socket[bytes]

_ids = itertools.count(1)


HEAD = re.compile(rb"\d+ \d+ \d+( \S+)?")


class ForeignMessageError(Exception):
    """A message that none of our senders has sent."""


def body(number: int) -> bytes:
    """Of 0 to 699 bytes."""
    return bytes([number % 256]) * (number * 7919 % 700)


class Sender:
    """A socket and the ledgers of what it sends; the first frames of a message tell its number."""

    def __init__(self, socket: Socket, ledgers: list[Ledger]) -> None:
        self.id = next(_ids)
        self.socket = socket
        self.ledgers = ledgers
        self.window = WINDOW
        self._number = 0

    def send(self, burst: int, epoch: int) -> int:
        """Send as many messages as there is room for, ``burst`` at most; how many went."""
        count = min(self.room(), burst)
        for sent in range(count):
            if not self._send(self._number + 1, epoch):
                return sent
            self._number += 1
            for ledger in self.ledgers:
                ledger.send(self._number)
        return max(count, 0)

    def room(self) -> int:
        """How many messages more may be under way; none while no audience counts."""
        pending = (len(ledger.pending) for ledger in self.ledgers if not ledger.joining and not ledger.may_drop)
        return self.window - max(pending, default=self.window)

    @property
    def counts(self) -> bool:
        """Whether there is an audience that counts."""
        return any(not ledger.joining for ledger in self.ledgers)

    def mark(self, epoch: int) -> None:
        """Send a marker."""
        self._send(0, epoch)

    def _send(self, number: int, epoch: int) -> bool:
        return self.send_frames(self.frames(number, epoch))

    def frames(self, number: int, epoch: int) -> list[bytes]:
        return [b"%d %d %d" % (self.id, number, epoch), body(number)]

    def send_frames(self, frames: list[bytes]) -> bool:
        """Whether there was room for them."""
        try:
            self.socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True


class Path:
    """The senders and receivers of one stream."""

    sender_type: int
    receiver_type: int
    ends = 2
    """How many senders, and receivers."""

    def __init__(self, context: zmq.Context[Socket], devices: frozenset[str], addresses: dict[str, str],
                 faults: list[str], options: dict[int, int]) -> None:
        """``addresses`` are those for senders (in), receivers (out) and of mon; ``options`` those of all sockets."""
        self.context = context
        self.devices = devices
        self.name = min(devices)
        self.addresses = addresses
        self.faults = faults
        self.options = options
        self.moved = 0
        """Messages that have arrived anywhere."""
        self.senders: dict[int, Sender] = {}
        self.receivers: dict[str, Socket] = {}
        self.ledgers: dict[int, list[Ledger]] = {}
        self.retired: dict[int, list[Ledger]] = {}
        for _ in range(self.ends):
            self.add_receiver()
        for _ in range(self.ends):
            self.add_sender()

    @property
    def narrow(self) -> bool:
        """Whether its queues hold less than the window."""
        return self.options is NARROW

    @property
    def roomy(self) -> bool:
        """Whether its queues hold the deep window."""
        return self.options is ROOMY

    def widen(self, window: int) -> None:
        """Let each sender have so many messages under way."""
        for sender in self.senders.values():
            sender.window = window

    # -- what comes and goes -------------------------------------------------------------------------------------

    def add_sender(self) -> None:
        """One more, with ledgers of its own."""
        sender = self.make_sender()
        self.senders[sender.id] = sender
        self.ledgers[sender.id] = sender.ledgers
        sender.ledgers += self.make_ledgers(sender)

    def make_sender(self) -> Sender:
        return Sender(self.open(self.sender_type, self.addresses["in"]), [])

    def add_receiver(self) -> str:
        """One more, and its name."""
        name = f"{self.name}-r{next(_ids)}"
        self.receivers[name] = self.open_receiver(name)
        return name

    def open_receiver(self, name: str) -> Socket:
        return self.open(self.receiver_type, self.addresses["out"])

    def replace_sender(self, name: int) -> None:
        """Close a sender, which passes on what it has sent, and open another."""
        sender = self.senders.pop(name)
        sender.socket.close(int(LINGER * 1000))
        for ledger in sender.ledgers:
            ledger.closed_at = time.monotonic()
        self.add_sender()

    def replace_receiver(self, name: str) -> None:
        """Close a receiver, with all that waits in it, and open another."""
        self.receivers.pop(name).close(0)
        self.add_receiver()

    def open(self, type_: int, address: str, *, routing_id: bytes = b"", topics: Iterable[bytes] = (b"",)) -> Socket:
        socket = self.context.socket(type_)
        socket.setsockopt(zmq.LINGER, 0)
        for option, value in self.options.items():
            socket.setsockopt(option, value)
        socket.setsockopt(zmq.RECONNECT_IVL, 10)
        if routing_id:
            socket.setsockopt(zmq.ROUTING_ID, routing_id)
        if type_ == zmq.SUB:
            for topic in topics:
                socket.subscribe(topic)
        socket.connect(address)
        return socket

    def make_ledgers(self, sender: Sender) -> list[Ledger]:
        raise NotImplementedError

    def ledger(self, sender: Sender, kind: str, routes: set[str]) -> Ledger:
        return Ledger(self.devices, f"s{sender.id}", kind, routes, self.faults)

    def close(self) -> None:
        for socket in (*self.sockets, *(sender.socket for sender in self.senders.values())):
            socket.close(0)

    # -- what happens --------------------------------------------------------------------------------------------

    @property
    def sockets(self) -> Iterator[Socket]:
        """All that may have something to receive."""
        yield from self.receivers.values()

    def receive(self, socket: Socket, epoch: int) -> None:
        """Take in one message; raises ForeignMessageError and zmq.Again."""
        frames = socket.recv_multipart(zmq.DONTWAIT)
        name = next((name for name, known in self.receivers.items() if known is socket), "")
        self.arrived(name, *self.read(frames), epoch)

    def read(self, frames: list[bytes]) -> tuple[int, int, int, str]:
        """Sender, number, epoch and worker of a whole message; raises ForeignMessageError."""
        if len(frames) != 2 or not HEAD.fullmatch(frames[0]):
            raise ForeignMessageError(f"{self.name}: {len(frames)} frames, {frames[:1]!r}")
        sender, number, epoch, *worker = frames[0].split()
        if frames[1] != body(int(number)):
            self.faults.append(f"{self.name}: the body of {frames[0]!r} is not what was sent")
        return int(sender), int(number), int(epoch), worker[0].decode() if worker else ""

    def arrived(self, receiver: str, sender: int, number: int, epoch: int, worker: str, now: int) -> None:
        """A message has come to a receiver; ``now`` is the present epoch."""

    def flush(self) -> None:
        """Send what could not be sent before."""

    @property
    def all_ledgers(self) -> Iterator[Ledger]:
        for ledgers in self.ledgers.values():
            yield from ledgers

    def settle(self) -> None:
        """Called when all is quiet: forget senders that have gone, and let few messages be under way again."""
        self.widen(WINDOW)
        for sender in [s for s in self.ledgers if s not in self.senders]:
            self.retired[sender] = self.ledgers.pop(sender)

    def of(self, sender: int) -> list[Ledger]:
        """The ledgers of a sender, also of one that has gone."""
        return self.ledgers.get(sender) or self.retired[sender]

    def note(self, ledger: Ledger, route: str, number: int, epoch: int, now: int) -> None:
        """A message or marker in a ledger; markers of an epoch that is over say nothing."""
        if number:
            ledger.arrive(route, number)
            self.moved += 1
        elif epoch == now:
            ledger.mark(route)


class Push(Path):
    """PUSH to PULL: each message goes to one receiver."""

    sender_type, receiver_type = zmq.PUSH, zmq.PULL

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.routes: set[str] = set()
        super().__init__(*arguments, **options)

    def add_receiver(self) -> str:
        name = super().add_receiver()
        self.routes.add(name)
        return name

    def replace_receiver(self, name: str) -> None:
        self.routes.remove(name)
        super().replace_receiver(name)

    def make_ledgers(self, sender: Sender) -> list[Ledger]:
        return [self.ledger(sender, "messages", self.routes)]

    def arrived(self, receiver: str, sender: int, number: int, epoch: int, worker: str, now: int) -> None:
        self.note(self.of(sender)[0], receiver, number, epoch, now)
