"""Which messages of a recording are meant: by device, flow, first frame and time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from zmqtopo.config.wording import closest, listing, quote, shortened
from zmqtopo.observe.recording.errors import SelectionError
from zmqtopo.observe.recording.moment import Moment
from zmqtopo.observe.recording.reader import Recorded, Recording

MOST_NAMED: Final = 10
"""Devices that a message lists."""


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


def check_devices(recording: Recording, devices: Collection[str]) -> None:
    """Read on until all ``devices`` have been seen; raises SelectionError when the recording lacks one."""
    messages = recording.messages()
    known, missing = -1, set(devices)
    while missing:
        if len(recording.flows) != known:       # a channel comes before its first message
            known = len(recording.flows)
            missing -= {flow.device for flow in recording.flows.values()}
        elif next(messages, None) is None:
            break
    else:
        return
    name = next(device for device in devices if device in missing)
    there = sorted({flow.device for flow in recording.flows.values()})
    near = closest(name, there)
    some = [shortened(each) for each in there[:MOST_NAMED]] + ["others"] * (len(there) > MOST_NAMED)
    hint = f"did you mean {near}?" if near else f"it has {listing(some, 'and')}" if some else "it has no messages"
    raise SelectionError(f"{recording.name} has no device {quote(name)}; {hint}")


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
