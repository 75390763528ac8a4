"""The columns of ``top``: what stands in them, how rows are sorted by them, and which have room in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.config.wording import listing, printable
from zmqtopo.observe.top.rows import NO_ANSWER, Row
from zmqtopo.report.figures import number
from zmqtopo.report.visible import width

UNKNOWN: Final = "-"

_WORST_FIRST: Final = ("failed", NO_ANSWER, "backoff", "stopping", "starting", "paused", "full", "running", "stopped")
"""The order of states when rows are sorted by them."""

_AGES: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``value`` is what rows are sorted by, None where it is not known; numbers begin with the largest.

    ``rank`` says which are left out where there is not room for all: those with the highest.
    """

    name: str
    head: str
    width: int
    rank: int
    text: Callable[[Row], str]
    value: Callable[[Row], Any]
    says: str

    @property
    def is_text(self) -> bool:
        """Whether it is read from the left, and sorted from A to Z."""
        return self.name in ("device", "state")


def state_text(row: Row) -> str:
    """``running``, ``out full``, ``paused``: in as few letters as possible."""
    if not row.full:
        return row.state
    return f"{row.full[0]} full" if len(row.full) == 1 else "full"


def _rate(flow: str) -> Callable[[Row], float | None]:
    return lambda row: None if row.rates is None else getattr(row.rates, flow)


def _count(value: Callable[[Row], float | None]) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        found = value(row)
        return UNKNOWN if found is None else number(found)

    return text


def _percent(value: Callable[[Row], float | None]) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        found = value(row)
        return UNKNOWN if found is None else f"{100 * found:.0f}"

    return text


def _peers(row: Row) -> str:
    if row.peers is None:
        return UNKNOWN
    return "/".join(number(row.peers[role]) for role in ("in", "out", "mon") if row.peers.get(role) is not None)


def _memory(row: Row) -> str:
    if row.memory is None:
        return UNKNOWN
    return number(row.memory) + ("*" if row.shares else "")


def _last(row: Row) -> str:
    if row.last is None:
        return UNKNOWN
    seconds = int(max(time.time() - row.last, 0))
    return next(f"{seconds // size}{unit}" for size, unit in _AGES if seconds >= size or size == 1)


def _all_peers(row: Row) -> int | None:
    return None if row.peers is None else sum(count or 0 for count in row.peers.values())


COLUMNS: Final = (
    Column("device", "DEVICE", 10, 0, lambda row: row.name, lambda row: row.key,
           "its name; TOPOLOGY/DEVICE of several"),
    Column("state", "STATE", 9, 1, state_text, lambda row: _WORST_FIRST.index("full" if row.full else row.state),
           "as ps says; 'out full': a message waits for room at out"),
    Column("in", "IN/s", 5, 2, _count(_rate("in_to_out")), _rate("in_to_out"),
           "messages a second that came in at in and went out at out"),
    Column("out", "OUT/s", 5, 3, _count(_rate("out_to_in")), _rate("out_to_in"),
           "messages a second the other way, such as replies"),
    Column("bytes", "B/s", 5, 6, _count(_rate("bytes")), _rate("bytes"), "bytes a second, both ways"),
    Column("blocked", "BLOCKED%", 8, 5, _percent(_rate("blocked")), _rate("blocked"),
           "part of the time in which a message waited for room at its destination"),
    Column("dropped", "DROPPED", 7, 4, lambda row: number(row.dropped) + ("" if row.dropped_exact else "+"),
           lambda row: row.dropped, "messages lost since the start; 5+ is at least 5"),
    Column("peers", "PEERS", 7, 7, _peers, _all_peers, "connections of in/out, or of in/out/mon"),
    Column("cpu", "CPU%", 4, 9, _percent(lambda row: row.cpu), lambda row: row.cpu,
           "of one processor, by the device's thread; libzmq's own threads are not in it"),
    Column("rss", "RSS", 5, 10, _memory, lambda row: row.memory,
           "memory of its process; 9M* is shared with other devices"),
    Column("last", "LAST", 4, 8, _last, lambda row: row.last, "since the last message"),
)
"""In the order of the table, by which the keys 1 to 9 name them."""

BY_NAME: Final = {column.name: column for column in COLUMNS}


def by_name(text: str) -> str:
    """The name of a column, from that or from its head, such as ``in`` or ``IN/s``."""
    name = text.lower().removesuffix("/s").removesuffix("%")
    return {"b": "bytes"}.get(name, name)


# -- which rows, and in which order ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """How rows are chosen and sorted; without a column they stay in the order of their files."""

    column: Column | None = None
    reverse: bool = False
    filter: str = ""

    def apply(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that pass the filter, sorted; what is not known comes last either way."""
        words = self.filter.lower().split()
        chosen = [row for row in rows if not words or _matches(row, words)]
        if self.column is None:
            return chosen[::-1] if self.reverse else chosen
        known = [(value, row) for row in chosen if (value := self.column.value(row)) is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.reverse == self.column.is_text)
        known_keys = {row.key for _, row in known}
        return [row for _, row in known] + [row for row in chosen if row.key not in known_keys]


def _matches(row: Row, words: Sequence[str]) -> bool:
    """Whether each word is part of its name, its type or its state."""
    text = f"{row.topology}/{row.name} {row.device['type']} {row.state} {state_text(row)}".lower()
    return all(word in text for word in words)


# -- the table as text ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that there is room for, each with its width; ``left_out`` are the others."""

    columns: tuple[tuple[Column, int], ...]
    left_out: tuple[Column, ...]
    gap: str
    names_topology: bool

    def heads(self) -> str:
        """The line above the table."""
        return self._line(column.head for column, _ in self.columns)

    def line(self, row: Row) -> str:
        """A device, harmless to a terminal; its name may be cut."""
        return self._line(self._cell(column, row) for column, _ in self.columns)

    def note(self) -> str:
        """What is left out, in words; empty when nothing is."""
        if not self.left_out:
            return ""
        return f"no room for {listing([column.head for column in self.left_out], 'and')}"

    def _cell(self, column: Column, row: Row) -> str:
        if column.name == "device":
            return printable(label(row, with_topology=self.names_topology))
        return column.text(row)

    def _line(self, cells: Iterable[str]) -> str:
        parts = []
        for (column, room), cell in zip(self.columns, cells, strict=True):
            cell = _cut(cell, room)
            padding = " " * (room - width(cell))
            parts.append(cell + padding if column.is_text else padding + cell)
        return self.gap.join(parts)


def _cut(text: str, room: int) -> str:
    """The text in so many columns of a terminal; a name may be of any script."""
    if width(text) <= room:
        return text
    while text and width(text) > room - 1:
        text = text[:-1]
    return f"{text}…"


def label(row: Row, *, with_topology: bool) -> str:
    """The name of a device, with that of its topology where there are several."""
    return f"{row.topology}/{row.name}" if with_topology else row.name


def layout(rows: Sequence[Row], room: int | None, *, names_topology: bool = False) -> Layout:
    """The columns that fit ``room``, that of a terminal; None for a file, which has room for all.

    The width of a column does not depend on its figures, so that nothing moves while they change.
    """
    longest = max((width(printable(label(row, with_topology=names_topology))) for row in rows), default=0)
    gap = " " if room is not None and room < WIDE else "  "
    chosen = list(COLUMNS)
    while room is not None and len(chosen) > 2 and _least(chosen, longest, gap) > room:
        chosen.remove(max(chosen, key=lambda column: column.rank))
    others = sum(column.width for column in chosen[1:]) + len(gap) * (len(chosen) - 1)
    first = max(longest, len("DEVICE"))
    if room is not None:
        first = max(min(first, room - others), 1)
    widths = (first, *(column.width for column in chosen[1:]))
    left_out = tuple(column for column in COLUMNS if column not in chosen)
    return Layout(tuple(zip(chosen, widths, strict=True)), left_out, gap, names_topology)


WIDE: Final = 100
"""Columns of a terminal from which there are two spaces between those of the table."""


def _least(columns: Sequence[Column], longest: int, gap: str) -> int:
    name = min(max(longest, len("DEVICE")), columns[0].width)
    return name + sum(column.width for column in columns[1:]) + len(gap) * (len(columns) - 1)
