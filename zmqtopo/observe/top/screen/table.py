"""The table on the screen: it draws the lines that can be seen, and of these again only what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from zmqtopo.observe.top.columns import Layout, layout
from zmqtopo.observe.top.rows import NO_ANSWER, Row

MOST_ALONE: Final = 0.3
"""Of the lines that can be seen: if more of them change, all are drawn again, which costs textual less (measured)."""

_PLAIN: Final = Style()
_NOTHING: Final = ("", _PLAIN)
_STYLES: Final = {
    "failed": Style(color="red", bold=True), NO_ANSWER: Style(color="red", bold=True), "backoff": Style(color="yellow"),
    "paused": Style(color="yellow"), "starting": Style(color="cyan"), "stopping": Style(color="cyan"),
    "stopped": Style(dim=True),
}
_FULL: Final = Style(color="magenta")
_SELECTED: Final = Style(reverse=True)
"""Each of them goes with a word in the column STATE, or with where the cursor was moved."""


class Table(ScrollView, can_focus=True):
    """Rows, one of which is selected and stays so wherever it moves."""

    DEFAULT_CSS = "Table { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    class Selected(Message):
        """Another row is selected, or the same has changed."""

    class Planned(Message):
        """Other columns, or other widths."""

    def __init__(self, *, names_topology: bool) -> None:
        super().__init__(id="table")
        self.rows: list[Row] = []
        self.plan: Layout = layout([], None)
        self._names_topology = names_topology
        self._selected = 0
        self._shown: dict[int, tuple[str, Style]] = {}

    @property
    def selected(self) -> Row | None:
        """The row at the cursor; None when there are no rows."""
        return self.rows[self._selected] if self.rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        before = self.selected
        self.rows = list(rows)
        if before is not None:
            places = (number for number, row in enumerate(self.rows) if row.key == before.key)
            self._selected = next(places, min(self._selected, max(len(self.rows) - 1, 0)))
        self._plan()
        size = Size(self.size.width, len(self.rows))
        if size != self.virtual_size:
            self.virtual_size = size
            self.refresh()
        seen = range(self.scroll_offset.y, self.scroll_offset.y + self.size.height)
        changed = [number for number in seen if self._shown.get(number, _NOTHING) != self._line(number)]
        if len(changed) > len(seen) * MOST_ALONE:
            self.refresh()
        else:
            for number in changed:
                self.refresh_line(number)
        self.post_message(self.Selected())

    def move_to(self, number: int) -> None:
        """Select another row, and scroll until it can be seen."""
        number = max(min(number, len(self.rows) - 1), 0)
        if number != self._selected:
            old, self._selected = self._selected, number
            self.refresh_line(old)
            self.refresh_line(number)
            self.post_message(self.Selected())
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if not top <= number < top + height:
            self.scroll_to(y=number if number < top else number - height + 1, animate=False, force=True)

    def move_by(self, lines: int) -> None:
        """Select a row so many lines further down."""
        self.move_to(self._selected + lines)

    def on_resize(self) -> None:
        """Let what fits fit."""
        self._plan()
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.refresh()
        self.call_after_refresh(self.move_by, 0)

    def render_line(self, y: int) -> Strip:
        """A line of the widget."""
        number = self.scroll_offset.y + y
        text, style = self._shown[number] = self._line(number)
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, style)

    def _line(self, number: int) -> tuple[str, Style]:
        if number >= len(self.rows):
            return _NOTHING
        row = self.rows[number]
        style = _FULL if row.full else _STYLES.get(row.state, _PLAIN)
        return self.plan.line(row), style + _SELECTED if number == self._selected else style

    def _plan(self) -> None:
        plan = layout(self.rows, self.size.width, names_topology=self._names_topology)
        if plan != self.plan:
            self.plan = plan
            self.refresh()
            self.post_message(self.Planned())

