"""Which messages of a recording are meant: by device, flow, first frame and time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from zmqtopo.observe.recording.moment import Moment
from zmqtopo.observe.recording.reader import Recorded, Recording


@dataclass(frozen=True, slots=True)
class Selection:
    """What is taken; empty is everything. ``until`` is not in it."""

    devices: Collection[str] = ()
    flow: str | None = None
    match: bytes = b""
    since: Moment | None = None
    until: Moment | None = None

    def of(self, recording: Recording) -> Iterator[Recorded]:
        """The messages that are meant, in the order of the file. Raises RecordingError as `Recording.messages` does."""
        first: int | None = None
        for message in recording.messages():
            first = message.time if first is None else first
            if not self._is_in_time(message.time, first):
                continue
            if self.devices and message.flow.device not in self.devices:
                continue
            if self.flow is not None and message.flow.name != self.flow:
                continue
            if self.match and not begins(message, self.match):
                continue
            yield message

    def _is_in_time(self, time: int, first: int) -> bool:
        since, until = self.since, self.until
        return (since is None or time - (first if since.is_offset else 0) >= since.time) and (
            until is None or time - (first if until.is_offset else 0) < until.time)


def begins(message: Recorded, prefix: bytes) -> bool:
    """Whether the first frame that a sender has sent begins with ``prefix``."""
    frames = without_identity(message)
    return bool(frames) and frames[0].startswith(prefix)


def without_identity(message: Recorded) -> list[bytes]:
    """The frames as their sender has sent them, without the identity that a ROUTER has put before them.

    Between two ROUTERs the device has put it behind the identity of the receiver.
    """
    frames = message.frames
    types = message.flow.metadata
    came, goes = ("in", "out") if message.flow.name == "in_to_out" else ("out", "in")
    if types.get(came) != "ROUTER":
        return frames
    place = 1 if types.get(goes) == "ROUTER" else 0
    return frames[:place] + frames[place + 1:]
