"""What is in a recording: its flows, how much of each, and how many messages its numbers leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zmqtopo.observe.recording.moment import iso
from zmqtopo.observe.recording.reader import Flow, Recording

_NUMBERS = 1 << 32


@dataclass
class FlowSummary:
    """One way through one device."""

    flow: Flow
    messages: int = 0
    size: int = 0
    """Bytes in frames."""
    missing: int = 0
    """Messages between others that the file does not have."""
    first: int = 0
    """Times in ns since 1970."""
    last: int = 0
    _sequence: int = 0

    def add(self, sequence: int, time: int, frames: list[bytes]) -> None:
        """Count a message."""
        gap = (sequence - self._sequence - 1) % _NUMBERS
        # Numbers that go back are those of a device that began anew.
        if self.messages and gap < _NUMBERS // 2:
            self.missing += gap
        self._sequence = sequence
        self.first = time if not self.messages else min(self.first, time)
        self.last = max(self.last, time)
        self.messages += 1
        self.size += sum(map(len, frames))

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        types = self.flow.metadata
        return {
            "device": self.flow.device, "flow": self.flow.name, "in": types.get("in"), "out": types.get("out"),
            "messages": self.messages, "bytes": self.size, "missing": self.missing,
            "first": iso(self.first) if self.messages else None, "last": iso(self.last) if self.messages else None,
        }


def summarize(recording: Recording) -> dict[int, FlowSummary]:
    """Read all of a recording; what it has of each flow. Raises RecordingError."""
    flows: dict[int, FlowSummary] = {}
    for message in recording.messages():
        if message.flow.id not in flows:
            flows[message.flow.id] = FlowSummary(message.flow)
        flows[message.flow.id].add(message.sequence, message.time, message.frames)
    return {flow.id: flows.get(flow.id, FlowSummary(flow)) for flow in recording.flows.values()}
