"""What is published through a forwarder: to all subscribers, or by topics."""

from __future__ import annotations

from typing import Any

import zmq

from chaos_parts.ledger import Ledger
from chaos_parts.paths import Path, Sender, Socket

TOPICS = (b"a", b"a.b", b"b", b"c")
"""Of messages 0, 1, 2, 3 and so on."""

MARKER_TOPIC = b"-"

WISHES = ((b"a",), (b"a.b", b"b"), (b"",), (b"c", b"c", b"a"))
"""What one subscriber after the other asks for; the topic of the markers comes last."""


class Publish(Path):
    """PUB to SUB: each message goes to every receiver that has subscribed.

    What a subscriber gets before its first marker is not accounted for: nobody knows where its subscription began.
    """

    sender_type, receiver_type = zmq.PUB, zmq.SUB

    def make_ledgers(self, sender: Sender) -> list[Ledger]:
        return [self._joining(sender, name) for name in self.receivers]

    def add_receiver(self) -> str:
        name = super().add_receiver()
        for sender in self.senders.values():
            sender.ledgers.append(self._joining(sender, name))
        return name

    def _joining(self, sender: Sender, receiver: str) -> Ledger:
        ledger = self.ledger(sender, "messages", {receiver})
        ledger.joining = True
        return ledger

    def replace_receiver(self, name: str) -> None:
        for ledgers in self.ledgers.values():
            ledgers[:] = [ledger for ledger in ledgers if ledger.routes != {name}]
        super().replace_receiver(name)

    def arrived(self, receiver: str, sender: int, number: int, epoch: int, worker: str, now: int) -> None:
        for ledger in self.of(sender):
            if ledger.routes == {receiver}:
                self.note(ledger, receiver, number, epoch, now)


class TopicSender(Sender):
    """Sends a topic in front of each message."""

    def frames(self, number: int, epoch: int) -> list[bytes]:
        topic = TOPICS[number % len(TOPICS)] if number else MARKER_TOPIC
        return [topic, *super().frames(number, epoch)]


class Topics(Publish):
    """PUB to SUB with topics: a receiver gets what it has asked for and nothing else."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._wishes: dict[str, tuple[bytes, ...]] = {}
        super().__init__(*arguments, **options)

    def make_sender(self) -> Sender:
        return TopicSender(self.open(self.sender_type, self.addresses["in"]), [])

    def open_receiver(self, name: str) -> Socket:
        self._wishes[name] = WISHES[len(self._wishes) % len(WISHES)]
        topics = (*self._wishes[name], MARKER_TOPIC)
        return self.open(self.receiver_type, self.addresses["out"], topics=topics)

    def _joining(self, sender: Sender, receiver: str) -> Ledger:
        ledger = super()._joining(sender, receiver)
        wishes = self._wishes[receiver]
        ledger.takes = lambda number: TOPICS[number % len(TOPICS)].startswith(wishes)
        return ledger

    def receive(self, socket: Socket, epoch: int) -> None:
        topic, *frames = socket.recv_multipart(zmq.DONTWAIT)
        name = next(name for name, known in self.receivers.items() if known is socket)
        sender, number, then, worker = self.read(frames)
        if topic != (TOPICS[number % len(TOPICS)] if number else MARKER_TOPIC):
            self.faults.append(f"{self.name}: message {number} came with the topic {topic!r}")
        self.arrived(name, sender, number, then, worker, epoch)
