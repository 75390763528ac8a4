"""A table that fits a terminal: the columns that matter stay, others go or are cut."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from zmqtopo.config.wording import printable
from zmqtopo.report.visible import width

GAP: Final = "  "
"""Between two columns."""

_NARROWEST: Final = 20
"""Columns that a terminal has at least; in a narrower one lines are broken."""


@dataclass
class Column:
    """A column with its cells, the first of which is in the first row."""

    head: str
    cells: Sequence[str]
    rank: int = 0
    """The higher it is, the sooner the column goes."""
    least: int = 0
    """Columns of the terminal that it can be cut to; 0 is for one that is never cut."""
    styles: Sequence[str] = field(default=())
    """What the cells look like, as the parameters of an SGR sequence (ECMA-48) such as ``32``; empty for as ever."""

    def __post_init__(self) -> None:
        self.cells = [printable(cell) for cell in self.cells]

    @property
    def natural(self) -> int:
        """The columns of the terminal that it would like to have."""
        return max(map(width, [self.head, *self.cells]))

    @property
    def needs(self) -> int:
        """The columns of the terminal that it has to have."""
        return min(self.natural, self.least) if self.least else self.natural


def terminal_width() -> int | None:
    """How wide the terminal is that standard output leads to; None where it leads elsewhere.

    COLUMNS counts for a terminal only: readline sets it for every program that a Python shell starts, and who reads a
    pipe wants all there is.
    """
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _NARROWEST)


def fitting(columns: Sequence[Column], room: int | None) -> list[Column]:
    """Those of the columns that there is room for, in their order; the first always is.

    Where there is a limit, a column without anything in it goes too.
    """
    if room is None:
        return list(columns)
    taken = {id(columns[0])}
    used = columns[0].needs
    for column in sorted(columns[1:], key=lambda column: column.rank):
        if any(column.cells) and used + len(GAP) + column.needs <= room:
            taken.add(id(column))
            used += len(GAP) + column.needs
    return [column for column in columns if id(column) in taken]


def lines(columns: Sequence[Column], room: int | None, *, colour: bool = False) -> list[str]:
    """The lines of a table of columns that `fitting` has chosen, none wider than ``room``."""
    widths = [column.needs if room is not None else column.natural for column in columns]
    if room is not None:
        left = room - sum(widths) - len(GAP) * (len(columns) - 1)
        for number, column in enumerate(columns):
            more = min(left, column.natural - widths[number])
            widths[number] += more      # the first may have to be cut
            left -= more
    heads = [(column.head, "") for column in columns]
    rows = zip(*([(cell, style) for cell, style in zip(column.cells, column.styles or [""] * len(column.cells),
                                                       strict=True)] for column in columns), strict=True)
    return [_line(row, widths, colour=colour) for row in (heads, *rows)]


def cut(text: str, room: int) -> str:
    """The text in so many columns of a terminal; an ellipsis stands for the rest."""
    if width(text) <= room:
        return text
    while text and width(text) > room - 1:
        text = text[:-1]
    return text + "…"


def _line(row: Sequence[tuple[str, str]], widths: Sequence[int], *, colour: bool) -> str:
    shown = []
    last = max((number for number, (cell, _) in enumerate(row) if cell), default=0)
    for number, ((cell, style), room) in enumerate(zip(row, widths, strict=True)):
        text = cut(cell, max(room, 1))
        padding = " " * (room - width(text)) if number < last else ""
        shown.append((f"\x1b[{style}m{text}\x1b[0m" if colour and style and text else text) + padding)
    return GAP.join(shown[: last + 1])
