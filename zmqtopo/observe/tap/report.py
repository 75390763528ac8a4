"""What most of the messages are: how many and how large, by device, flow and the beginning of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.observe.tap.decode import decode
from zmqtopo.observe.tap.reader import Tapped

MOST_GROUPS: Final = 10_000
"""Groups that are counted apart; the messages of those that come later are counted together, as others."""

LONGEST: Final = 256
"""Bytes of a frame by which messages are grouped."""


@dataclass
class Group:
    """Messages of one device and flow whose frame begins alike."""

    device: str
    flow: str
    frame: bytes | None
    """None for those that have no such frame, and of others."""
    messages: int = 0
    bytes: int = 0


class Report:
    """Counts messages by one of their frames."""

    def __init__(self, frame: int = 0) -> None:
        """``frame`` is the index of the frame that counts, negative from the end."""
        self._frame = frame
        self._groups: dict[tuple[str, str, bytes | None], Group] = {}
        self.others = Group("", "", None)
        """What came when there were `MOST_GROUPS` already."""

    def add(self, tapped: Tapped) -> None:
        """Count one."""
        frame: bytes | None = None
        if -len(tapped.frames) <= self._frame < len(tapped.frames):
            frame = tapped.frames[self._frame][:LONGEST]
        key = (tapped.device, tapped.flow, frame)
        group = self._groups.get(key)
        if group is None:
            group = self.others
            if len(self._groups) < MOST_GROUPS:
                group = self._groups[key] = Group(*key)
        group.messages += 1
        group.bytes += sum(map(len, tapped.frames))

    def top(self, most: int) -> list[Group]:
        """The groups with the most messages, and of these with the most bytes."""
        return sorted(self._groups.values(), key=lambda group: (-group.messages, -group.bytes))[:most]

    @property
    def groups(self) -> int:
        """How many there are."""
        return len(self._groups)

    @property
    def messages(self) -> int:
        """How many were counted."""
        return sum(group.messages for group in self._groups.values()) + self.others.messages

    def rows(self, most: int, head: int) -> Iterator[list[str]]:
        """Yield a table of the largest groups, with heads."""
        yield ["MESSAGES", "SHARE", "BYTES", "EACH", "DEVICE", "FLOW", "FRAME"]
        total = self.messages or 1
        for group in self.top(most):
            shown = "-" if group.frame is None else decode(group.frame, "auto", head).as_text() or "''"
            yield [f"{group.messages:,}", f"{group.messages / total:.1%}", f"{group.bytes:,}",
                   f"{group.bytes // group.messages:,}", group.device, group.flow, shown]
        rest = self.messages - sum(group.messages for group in self.top(most))
        if rest:
            size = sum(g.bytes for g in (*self._groups.values(), self.others)) - sum(g.bytes for g in self.top(most))
            yield [f"{rest:,}", f"{rest / total:.1%}", f"{size:,}", f"{size // rest:,}", "", "", "others"]

    def as_dict(self, most: int) -> dict[str, Any]:
        """As JSON has it."""
        return {"messages": self.messages, "top": [
            {"device": group.device, "flow": group.flow, "messages": group.messages, "bytes": group.bytes,
             "frame": decode(group.frame).as_dict() if group.frame is not None else None}
            for group in self.top(most)
        ]}
