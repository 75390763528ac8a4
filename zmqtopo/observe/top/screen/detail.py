"""The screens over the table: the lines of one device, and the help."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from textwrap import wrap
from typing import ClassVar, Final

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from zmqtopo.config.wording import printable
from zmqtopo.observe.top.columns import COLUMNS
from zmqtopo.observe.top.screen.feeds import LINES_KEPT, Feed
from zmqtopo.observe.top.screen.threads import lines_of

KEYS: Final = (
    ("arrows, j k", "select a device; PgUp, PgDn, g and G go further"),
    ("1 to 9, s", "sort by that column; s takes the next one"),
    ("r", "sort the other way round"),
    ("/", "show only devices with these words in their name, type or state; Enter keeps them, Esc shows all"),
    ("space", "pause the selected device, or let it continue"),
    ("R", "restart the selected device"),
    ("t p l", "what passes it (tap), who is connected (peers), what was said of it (logs)"),
    ("Esc, q", "back; q ends the program"),
)


class Lines(ScrollView, can_focus=True):
    """Text that stays at its end while lines come, unless somebody has scrolled away from it."""

    DEFAULT_CSS = "Lines { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False), Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False), Binding("G", "scroll_end", show=False),
    ]

    def __init__(self, indent: int = 2, *, follows: bool = True) -> None:
        """``indent`` is what the rest of a line too long is indented by; ``follows`` keeps the end in sight."""
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._wrapped: deque[str] = deque(maxlen=2 * LINES_KEPT)
        self._indent = " " * indent
        self._follows = follows

    def add(self, lines: list[str]) -> None:
        """Show more lines."""
        at_end = self.scroll_offset.y >= self.max_scroll_y
        new = [printable(line) for line in lines]
        self.lines.extend(new)
        self._wrap(new)
        if at_end and self._follows:
            self.scroll_end(animate=False)

    def on_resize(self) -> None:
        """Wrap them anew."""
        self._wrapped.clear()
        self._wrap(self.lines)

    def _wrap(self, lines: Iterable[str]) -> None:
        width = max(self.size.width, len(self._indent) + 1)
        for line in lines:
            self._wrapped.extend(wrap(line, width, subsequent_indent=self._indent) or [""])
        self.virtual_size = Size(self.size.width, len(self._wrapped))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the widget."""
        number = self.scroll_offset.y + y
        text = self._wrapped[number] if number < len(self._wrapped) else ""
        return Strip([Segment(text)]).adjust_cell_length(self.size.width)


class LinesScreen(Screen[None]):
    """What a feed says, until somebody goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "back")]

    def __init__(self, title: str, nothing: str, open_feed: Callable[[], Feed]) -> None:
        """``nothing`` stands there while nothing has come; ``open_feed`` may wait, and raise with words for users."""
        super().__init__()
        self._title = title
        self._nothing = nothing
        self._open_feed = open_feed

    def compose(self) -> ComposeResult:
        """What is on it."""
        yield Static(printable(self._title), classes="bar", markup=False)
        yield Static(printable(self._nothing), id="nothing", markup=False)
        yield Lines()
        yield Static("arrows: scroll   Esc or q: back", classes="bar", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(Lines).focus()
        self.run_worker(self._follow(), exclusive=True)

    async def _follow(self) -> None:
        nothing, lines = self.query_one("#nothing", Static), self.query_one(Lines)
        async with contextlib.aclosing(lines_of(self._open_feed)) as feed:
            async for new in feed:
                nothing.display = False
                lines.add(new)


class HelpScreen(Screen[None]):
    """The keys and the columns."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        """What is on it."""
        yield Static("zmqtopo top: keys and columns", classes="bar", markup=False)
        yield Lines(13, follows=False)
        yield Static("arrows: scroll   Esc or q: back", classes="bar", markup=False)

    def on_mount(self) -> None:
        """Fill it."""
        lines = self.query_one(Lines)
        lines.focus()
        lines.add([
            *(f"{key:<12} {says}" for key, says in KEYS), "",
            *(f"{number if number < 10 else '':>2} {column.head:<8}  {column.says}"
              for number, column in enumerate(COLUMNS, 1)), "",
            "A figure is - where it is not known, as before the second look, or on a system that does not tell.",
        ])
