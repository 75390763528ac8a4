"""Showing what passes, no more of it than a person can read, with an exact account of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from zmqtopo.observe.tap.reader import Tapped, TapReader

TICK: Final = 0.25
"""Seconds that it waits at most, and that it does not read when it has shown enough: to read all that a fast device
sends would take a core away from it."""

CATCH_UP: Final = 0.1
"""Seconds that it may take to throw away what has become old meanwhile."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be shown. ``frame`` is the index of the frame that begins with ``match``, negative from the end."""

    match: bytes = b""
    frame: int = 0
    sample: int = 1
    """One message of so many, by its number."""
    count: int | None = None
    seconds: float | None = None
    rate: float | None = None
    """Messages a second; None for all."""

    @property
    def prefix(self) -> bytes:
        """What a `TapReader` can be asked for."""
        return self.match if self.frame == 0 else b""

    @property
    def is_all(self) -> bool:
        """Whether every message is to be shown, so that a gap in the numbers is one of room or time."""
        return not self.match and self.sample == 1

    def takes(self, tapped: Tapped) -> bool:
        """Whether a message is to be shown."""
        if self.sample > 1 and tapped.number % self.sample:
            return False
        if not self.match:
            return True
        frames = tapped.frames
        return -len(frames) <= self.frame < len(frames) and frames[self.frame].startswith(self.match)


class Session:
    """Shows what a reader gets until enough is shown, the time is over, the topology ends or somebody says so."""

    def __init__(
        self, reader: TapReader, choice: Choice, show: Callable[[Tapped], None], gap: Callable[[Tapped, int], None],
        note: Callable[[str], None], pause: Callable[[float], bool],
    ) -> None:
        """``show`` is called with each message, ``gap`` before it with how many of its flow were left out.

        ``note`` is called with what becomes of devices. ``pause`` waits so many seconds and says whether to end.
        """
        self._reader = reader
        self._choice = choice
        self._show = show
        self._gap = gap
        self._note = note
        self._pause = pause
        self._room = choice.rate or 0.0
        self._filled_at = time.monotonic()
        self._last: dict[tuple[str, str], int] = {}
        self.shown = 0

    @property
    def left_out(self) -> int:
        """Messages that have passed and were not shown."""
        return self._reader.passed - self.shown

    @property
    def is_enough(self) -> bool:
        """Whether as many have been shown as were to be."""
        return self._choice.count is not None and self.shown >= self._choice.count

    def run(self) -> None:
        """Go on to the end. Then ``shown`` and ``left_out`` are exactly what has passed."""
        end = time.monotonic() + self._choice.seconds if self._choice.seconds is not None else None
        while not self.is_enough and not self._reader.ended:
            left = TICK if end is None else min(end - time.monotonic(), TICK)
            if left <= 0 or self._pause(0):
                break
            is_full = self._take(self._reader.receive(left))
            for note in self._reader.notes():
                self._note(note)
            if is_full and not self.is_enough:
                if self._pause(min(TICK, left)):
                    break
                self._take(self._fresh())
        self._reader.settle()
        if not self.is_enough and (end is None or time.monotonic() < end + TICK):
            self._take(self._reader.receive(0))

    def _take(self, messages: Iterable[Tapped]) -> bool:
        """Show what is to be shown; whether there was no room for all."""
        for tapped in messages:
            if not self._choice.takes(tapped):
                continue
            if self.is_enough or not self._has_room():
                return True
            key = (tapped.device, tapped.flow)
            missing = tapped.number - self._last.get(key, tapped.number - 1) - 1
            if missing > 0 and self._choice.is_all:
                self._gap(tapped, missing)
            self._last[key] = tapped.number
            self._show(tapped)
            self.shown += 1
        return False

    def _has_room(self) -> bool:
        """Whether one more may be shown now: as many as in a second at once, and no more in the long run."""
        rate = self._choice.rate
        if rate is None:
            return True
        now = time.monotonic()
        self._room = min(self._room + (now - self._filled_at) * rate, max(rate, 1.0))
        self._filled_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def _fresh(self) -> list[Tapped]:
        """What passes now: what has been waiting since it stopped reading is old, and is left out."""
        since = time.time_ns()
        until = time.monotonic() + CATCH_UP
        while messages := self._reader.receive(0):
            fresh = [tapped for tapped in messages if tapped.time >= since]
            if fresh or time.monotonic() > until:
                return fresh
        return []
