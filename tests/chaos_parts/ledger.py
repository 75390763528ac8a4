"""The account of one stream: what was sent, what has arrived, and what may still be under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

LINGER = 10.0
"""Seconds that a closed sender has for what it had sent before."""


@dataclass(eq=False)
class Ledger:
    """What one sender sends to one audience, in numbers from 1; each message goes to one route of the audience.

    On one route messages come in order and at most once: it is a chain of queues. So a marker, sent after all messages
    by every route, says where it arrives that nothing of what was sent before is still under way.
    """

    devices: frozenset[str]
    name: str
    kind: str
    routes: set[str]
    faults: list[str]
    closed_at: float | None = None
    """When the sender was closed, on the monotonic clock; it can send no marker any more."""
    joining: bool = False
    """Whether the audience does not count yet: nobody knows where a subscription begins until a marker has come."""
    forgiven: bool = False
    """Whether nobody asks any more."""
    takes: Callable[[int], bool] = lambda _: True
    """Whether a message of this number is for this audience."""
    may_drop: bool = False
    """Whether the device may drop messages for this audience, if it counts them."""
    sent: int = 0
    arrived: int = 0
    lost: int = 0
    unasked: int = 0
    """Those that nobody asks for any more."""
    pending: dict[int, None] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    _last: dict[str, int] = field(default_factory=dict)
    _written_off: set[int] = field(default_factory=set)

    def send(self, number: int) -> None:
        """A message is on its way."""
        if not self.joining and self.takes(number):
            self.sent += 1
            self.pending[number] = None

    def arrive(self, route: str, number: int) -> None:
        """A message has come by a route."""
        if self.joining or self.forgiven:
            return
        last = self._last.get(route, 0)
        if number in self.pending:
            del self.pending[number]
            self.arrived += 1
            if number < last:
                self._fault(f"{number} came by {route} after {last}")
        elif number in self._written_off:
            self._fault(f"{number} came by {route} after a marker behind it")
        else:
            self._fault(f"{number} came by {route} once more, or from nowhere")
        self._last[route] = max(last, number)

    def mark(self, route: str) -> None:
        """The marker has come by a route."""
        self.joining = False
        self.marked.add(route)

    def forgive(self) -> None:
        """Ask no more for what is under way."""
        self.forgiven = True
        self.unasked += len(self.pending)
        self.pending.clear()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing can be under way any more."""
        if self.forgiven:
            return True
        if self.closed_at is not None:
            return not self.pending or time.monotonic() > self.closed_at + LINGER
        return self.routes <= self.marked

    def write_off(self) -> list[int]:
        """Those that have not arrived and will not; to be called when it is quiet."""
        lost = list(self.pending)
        self.lost += len(lost)
        self._written_off.update(lost)
        self.pending.clear()
        return lost

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self}: {text}")

    def __str__(self) -> str:
        return f"{min(self.devices)}: {self.kind} of {self.name}"
