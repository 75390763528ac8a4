"""Sends the messages of a recording at the times that they have, or faster, or one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from zmqtopo.observe.recording.lateness import Lateness
from zmqtopo.observe.recording.moment import NANOSECONDS

ON_TIME: Final = 500_000
"""Nanoseconds before its time from which on a message may go: at high rates a sleep for each would take most of the
processor's time, and make all of them late."""


class Refused(Exception):  # noqa: N818 - it is no error: it is counted
    """A socket has not taken a message and never will; the message says why."""


class Ended(Exception):  # noqa: N818 - a signal came
    """What is at work is to end."""


class Sender(Protocol):
    """Takes messages."""

    def send(self, frames: list[bytes]) -> None:
        """Send a message, and wait while there is no room. Raises Refused and Ended."""


@dataclass
class Played:
    """What has become of messages so far."""

    sent: int = 0
    size: int = 0
    """Bytes in frames."""
    refused: dict[str, int] = field(default_factory=dict)
    """Messages that were not taken, by reason."""
    lateness: Lateness = field(default_factory=Lateness)
    seconds: float = 0.0
    """From the first message to the last."""


class Player:
    """Plays messages to a sender on one schedule: a delay of one message never delays those after it."""

    def __init__(
        self, sender: Sender, speed: float | None, *, wait: Callable[[float], bool],
        ask: Callable[[list[bytes]], bool] | None = None, clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``speed`` 2 is twice as fast, None as fast as it can be.

        ``wait`` waits so many seconds, and says whether to end; ``ask`` is asked before each message, which then goes
        at once, and says whether to go on.
        """
        self._sender = sender
        self._speed = speed if ask is None else None
        self._wait = wait
        self._ask = ask
        self._clock = clock
        self._began: int | None = None
        self._due: int | None = None
        """When the last message was to go."""
        self.played = Played()

    def play(self, messages: Iterable[tuple[int, list[bytes]]]) -> None:
        """Send messages with their times in ns; a second call goes on where the last one was. Raises Ended."""
        began = self._clock() if self._began is None else self._began
        self._began = began
        origin = self._clock() if self._due is None else self._due
        start: int | None = None
        try:
            for at, frames in messages:
                start = at if start is None else start
                if self._ask is not None and not self._ask(frames):
                    raise Ended
                if self._speed is not None:
                    self._due = origin + int((at - start) / self._speed)
                    self._sleep(self._due)
                    self.played.lateness.add(self._clock() - self._due)
                elif self._wait(0):
                    raise Ended
                self._send(frames)
        finally:
            self.played.seconds = (self._clock() - began) / NANOSECONDS

    def _sleep(self, due: int) -> None:
        while (left := due - self._clock()) > ON_TIME:
            if self._wait(left / NANOSECONDS):
                raise Ended
        if self._wait(0):
            raise Ended

    def _send(self, frames: list[bytes]) -> None:
        try:
            self._sender.send(frames)
        except Refused as reason:
            self.played.refused[str(reason)] = self.played.refused.get(str(reason), 0) + 1
        else:
            self.played.sent += 1
            self.played.size += sum(map(len, frames))
