"""What a running topology says: events as lines of text for people, or of JSON for programs."""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from zmqtopo.config.wording import printable
from zmqtopo.report.priority import PRIORITIES, level_word
from zmqtopo.supervisor.log_writer import Sink
from zmqtopo.supervisor.timers import Timer

BURST: Final = 20
"""Messages about one device that are said at once."""

INTERVAL: Final = 1.0
"""Seconds after which it may have one more."""

_LIMITED_BEFORE: Final = frozenset({"peer-connected", "peer-disconnected", "handshake-failed"})
"""Events of which a worker tells few, so that they take nothing from what else there is to say of a device."""

_LAST_WORDS: Final = frozenset({"failed", "stopped"})
"""States that a device is left in; they are said however much it has said before."""


@dataclass
class _Bucket:
    """How much a device may still say: full at first, and with one message more after each `INTERVAL`."""

    filled: float
    """When it is full again if nothing more is taken, on the monotonic clock."""
    left_out: int = 0

    def next(self, now: float) -> float:
        """When it may speak; not after ``now`` if it may at once."""
        return max(self.filled, now) - (BURST - 1) * INTERVAL

    def is_full(self, now: float) -> bool:
        return self.filled <= now and not self.left_out

    def take(self, now: float) -> None:
        self.filled = max(self.filled, now) + INTERVAL


class Log(logging.Handler):
    """Says what happens, a line for each event, and never stops who says it: see `Sink` for what it is spared.

    It is the handler that the command attaches to the logger of its topology; see `zmqtopo.supervisor.event_log`.

    A device that says too much is left out, and how often is said as soon as it may speak again. Decisions are made on
    ``clock``, which cannot jump; ``wall`` (Unix time) only stamps.
    """

    def __init__(
        self,
        topology: str,
        *,
        fd: int = 2,
        form: Literal["text", "json"] = "text",
        stamps: bool = False,
        priorities: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``stamps`` puts the time before each line of text; a line of JSON always has it.

        ``priorities`` puts the priority before each line as journald takes it off again, such as ``<4>``, sd-daemon(3).
        """
        super().__init__()
        self._topology = topology
        self._sink = Sink(fd)
        self._form = form
        self._stamps = stamps
        self._priorities = priorities
        self._clock = clock
        self._wall = wall
        self._buckets: dict[str, _Bucket] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Say what a record of `zmqtopo.supervisor.event_log.EventLog` has, or the message of any other."""
        about = vars(record)
        self.say(about.get("text", record.getMessage()), device=about.get("device", ""),
                 event=about.get("event", ""), state=about.get("state", ""), level=record.levelno)

    def say(
        self, text: str, *, device: str = "", event: str = "", state: str = "", level: int = logging.INFO
    ) -> None:
        """Say that something happened: to ``device``, or to the topology, as ``event`` (a word) or change to ``state``.

        The event ``error`` stands for what keeps the topology from running. ``level`` is one of `logging`.
        """
        if device and event not in _LIMITED_BEFORE:
            now = self._clock()
            bucket = self._bucket(device, now)
            if bucket.next(now) > now and state not in _LAST_WORDS:
                bucket.left_out += 1
                return
            self._say_left_out(device, bucket)
            bucket.take(now)
        self._write(text, device, event or ("state" if state else "message"), state, level)

    @property
    def due(self) -> float | None:
        """When `tick` has something to say, on the monotonic clock; None when it has nothing."""
        now = self._clock()
        return min((b.next(now) for b in self._buckets.values() if b.left_out), default=None)

    def tick(self) -> None:
        """Say what has been left out, of each device that may speak again."""
        now = self._clock()
        for device, bucket in self._buckets.items():
            if bucket.left_out and bucket.next(now) <= now:
                self._say_left_out(device, bucket)
                bucket.take(now)

    @property
    def timer(self) -> Timer:
        """To `tick` when it is `due`."""
        return Timer(lambda: self.due, self.tick)

    def close(self) -> None:
        """Say all that has been left out; the descriptor stays open."""
        for device, bucket in self._buckets.items():
            self._say_left_out(device, bucket)
        super().close()

    def _bucket(self, device: str, now: float) -> _Bucket:
        """That of a device that has something to say; those who spoke longest ago come first in the dictionary."""
        bucket = self._buckets.pop(device, None) or _Bucket(0)
        # A full bucket is as good as a new one, and may be that of a device which is no more.
        for name in list(itertools.takewhile(lambda name: self._buckets[name].is_full(now), self._buckets)):
            del self._buckets[name]
        self._buckets[device] = bucket
        return bucket

    def _say_left_out(self, device: str, bucket: _Bucket) -> None:
        if bucket.left_out:
            messages = "message" if bucket.left_out == 1 else "messages"
            self._write(f"{bucket.left_out:,} similar {messages} left out", device, "left-out", "",
                        logging.WARNING)
            bucket.left_out = 0

    def _write(self, text: str, device: str, event: str, state: str, level: int) -> None:
        lost = self._sink.lost
        if lost:
            note = f"{lost:,} {'message' if lost == 1 else 'messages'} could not be written here: {self._sink.reason}"
            if not self._sink.write(self._line(note, "", "lost", "", logging.WARNING)):
                # One try is enough: the note has been counted in the place of the message.
                return
        self._sink.write(self._line(text, device, event, state, level))

    def _line(self, text: str, device: str, event: str, state: str, level: int) -> bytes:
        stamp = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._form == "json":
            told = {"time": stamp, "level": level_word(level), "topology": self._topology, "device": device,
                    "event": event, "state": state}
            shown = json.dumps({key: value for key, value in told.items() if value} | {"message": text})
        else:
            subject = device or ("error" if event == "error" else self._topology)
            shown = printable(f"{stamp + ' ' if self._stamps else ''}zmqtopo: {subject}: {text}")
        priority = f"<{PRIORITIES[level_word(level)]}>" if self._priorities else ""
        return f"{priority}{shown}\n".encode(errors="backslashreplace")
