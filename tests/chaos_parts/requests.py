"""Requests and answers through one device, or a chain of them, and the copies that a monitor sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import zmq

from chaos_parts.ledger import Ledger
from chaos_parts.paths import Path, Sender, Socket


class Request(Path):
    """DEALER to DEALER and back: each request goes to one worker, which answers it; a monitor may see copies."""

    sender_type, receiver_type = zmq.DEALER, zmq.DEALER
    request_front = 1
    """Frames in front of a request when it comes to a worker; the answer goes back with the same."""
    answer_front = 0
    """Frames in front of an answer when it comes to its client."""
    copy_front = 1
    """Frames between the prefix of a copy and what was sent."""
    prefix_in = b"in"
    """Of the copies of requests."""

    def __init__(self, context: zmq.Context[Socket], devices: frozenset[str], addresses: dict[str, str],
                 faults: list[str], options: dict[int, int]) -> None:
        self.routes: set[str] = set()
        self._outboxes: dict[Socket, deque[list[bytes]]] = {}
        self.monitor: Socket | None = None
        super().__init__(context, devices, addresses, faults, options)
        if "mon" in addresses:
            self.monitor = self.open_monitor()

    def open_monitor(self) -> Socket:
        return self.open(zmq.PULL, self.addresses["mon"])

    def add_receiver(self) -> str:
        name = super().add_receiver()
        self.routes.add(name)
        return name

    def replace_receiver(self, name: str) -> None:
        self.routes.remove(name)
        self._outboxes.pop(self.receivers[name], None)
        super().replace_receiver(name)

    def replace_sender(self, name: int) -> None:
        """Answers to a client that has gone reach nobody."""
        for ledger in self.ledgers[name]:
            if ledger.kind in ("answers", "copies out"):
                ledger.forgive()
        super().replace_sender(name)

    def make_ledgers(self, sender: Sender) -> list[Ledger]:
        ledgers = [self.ledger(sender, "requests", self.routes), self.ledger(sender, "answers", self.routes)]
        if "mon" in self.addresses:
            ledgers += [self.ledger(sender, "copies in", {"mon"}), self.ledger(sender, "copies out", self.routes)]
        return ledgers

    @property
    def sockets(self) -> Iterator[Socket]:
        yield from super().sockets
        yield from (sender.socket for sender in self.senders.values())
        if self.monitor is not None:
            yield self.monitor

    def receive(self, socket: Socket, epoch: int) -> None:
        frames = socket.recv_multipart(zmq.DONTWAIT)
        if socket is self.monitor:
            self._copied(frames, epoch)
            return
        name = next((name for name, known in self.receivers.items() if known is socket), "")
        if not name:
            sender, number, then, worker = self.read(frames[self.answer_front:])
            if self.senders[sender].socket is not socket:
                self.faults.append(f"{self.name}: an answer for s{sender} came to somebody else")
            self.note(self.of(sender)[1], worker, number, then, epoch)
            return
        front, request = frames[:self.request_front], frames[self.request_front:]
        sender, number, then, _ = self.read(request)
        self.note(self.of(sender)[0], name, number, then, epoch)
        self._outboxes.setdefault(socket, deque()).append([*front, request[0] + b" " + name.encode(), request[1]])

    def _copied(self, frames: list[bytes], epoch: int) -> None:
        sender, number, then, worker = self.read(frames[1 + self.copy_front:])
        if frames[0] == self.prefix_in:
            self.note(self.of(sender)[2], "mon", number, then, epoch)
        else:
            self.note(self.of(sender)[3], worker, number, then, epoch)

    def flush(self) -> None:
        for socket, answers in self._outboxes.items():
            while answers:
                try:
                    socket.send_multipart(answers[0], zmq.DONTWAIT)
                except zmq.Again:
                    break
                answers.popleft()


class Mirrored(Request):
    """The same from out to in."""

    prefix_in = b"out"


class OverTwo(Request):
    """Through two queues, each of which puts a frame in front."""

    request_front = 2


class Watched(Request):
    """The same with a PUB monitor, which drops what its reader has no room for, and counts it."""

    def open_monitor(self) -> Socket:
        return self.open(zmq.SUB, self.addresses["mon"])

    def make_ledgers(self, sender: Sender) -> list[Ledger]:
        ledgers = super().make_ledgers(sender)
        for ledger in ledgers[2:]:
            ledger.joining = ledger.may_drop = True
        return ledgers


class Pair(Request):
    """PAIR to PAIR and back; libzmq lets nobody take the place of either end until it knows that it has gone."""

    sender_type, receiver_type = zmq.PAIR, zmq.PAIR
    ends = 1
    request_front = 0

    def replace_sender(self, name: int) -> None:
        """Nobody else comes."""

    def replace_receiver(self, name: str) -> None:
        """Nobody else comes."""


class ToEach(Sender):
    """Names the worker that each message is for, and sends a marker to every one of them."""

    def __init__(self, socket: Socket, ledgers: list[Ledger], workers: set[str]) -> None:
        super().__init__(socket, ledgers)
        self._workers = workers

    def _send(self, number: int, epoch: int) -> bool:
        workers = sorted(self._workers)
        if number:
            return self._send_to(workers[number % len(workers)], number, epoch)
        sent = [self._send_to(worker, number, epoch) for worker in workers]
        return all(sent)

    def _send_to(self, worker: str, number: int, epoch: int) -> bool:
        return self.send_frames([worker.encode(), *self.frames(number, epoch)])


class Routers(Request):
    """Clients that name the worker they ask, through ROUTER and ROUTER."""

    answer_front = 1
    copy_front = 2

    def make_sender(self) -> Sender:
        socket = self.open(self.sender_type, self.addresses["in"])
        return ToEach(socket, [], self.routes)

    def open_receiver(self, name: str) -> Socket:
        return self.open(self.receiver_type, self.addresses["out"], routing_id=name.encode())
