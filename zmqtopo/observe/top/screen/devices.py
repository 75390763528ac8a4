"""The first screen: the table of devices, with what the selected one says below, and the keys."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from zmqtopo.config.wording import count, printable
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.top.columns import COLUMNS, Order, label
from zmqtopo.observe.top.looks import Looking, Seen
from zmqtopo.observe.top.rows import Row, Rows
from zmqtopo.observe.top.screen.actions import Acting, act
from zmqtopo.observe.top.screen.detail import HelpScreen, LinesScreen
from zmqtopo.observe.top.screen.feeds import VIEWS, Views
from zmqtopo.observe.top.screen.table import Table
from zmqtopo.observe.top.screen.threads import in_thread
from zmqtopo.report.figures import duration, state

SMALLEST: Final = (30, 8)
"""Columns and lines of a terminal below which there is nothing to see."""

LONGEST_FILTER: Final = 200
"""Characters of a filter."""

MESSAGE_TIME: Final = 5.0
"""Seconds for which the lowest line says what has become of a key."""

_HINT: Final = "? help  q quit  s sort  r reverse  / filter  space pause  R restart  t p l show"


@dataclass
class Setup:
    """What there is to look at, and how; ``what`` names it in the first line."""

    watch: Looking
    order: Order
    interval: float
    what: str
    several: bool
    views: Views = field(default_factory=lambda: VIEWS)
    act: Acting = act


class TableScreen(Screen[None]):
    """The table, with what is shown above it and what the selected device says below."""

    AUTO_FOCUS = "Table"
    # With priority a key does what it does before the next one is looked at, however fast they are typed.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, action, priority=True) for key, action in (
            ("q", "leave"), ("question_mark", "help"), ("j,down", "move(1)"), ("k,up", "move(-1)"),
            ("pagedown", "page(1)"), ("pageup", "page(-1)"), ("g,home", "end(0)"), ("G,end", "end(1)"),
            *((str(number), f"sort({number})") for number in range(1, 10)),
            ("s", "next_sort"), ("r", "reverse"), ("slash", "filter"), ("escape", "clear"),
            ("space", "pause"), ("R", "restart"), *((key, f"view('{key}')") for key in "tpl"),
        )),
    ]

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.order = setup.order
        self._rows = Rows()
        self._all: list[Row] = []
        self._looks: list[Seen] = []
        self._message = ""
        self._message_until = 0.0
        self._is_acting = False
        self._typed: str | None = None
        """The filter while it is typed."""
        # They are kept, since a look may come back when the screen is being taken apart.
        self._table = Table(names_topology=setup.several)
        self._texts = {name: Static(id=name, classes="bar" if name in ("title", "hint") else None, markup=False)
                       for name in ("title", "heads", "note", "selected", "hint", "typed", "small")}

    def compose(self) -> ComposeResult:
        """What is on it, from above to below."""
        yield self._texts["title"]
        yield self._texts["heads"]
        yield self._table
        yield self._texts["note"]
        yield self._texts["selected"]
        yield self._texts["hint"]
        yield self._texts["typed"]
        yield self._texts["small"]

    def on_mount(self) -> None:
        """Begin to look."""
        self._show()
        self.run_worker(self._look(), exclusive=True)

    # -- what is seen --------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Look every interval, by the clock; a look that takes longer lets the next ones wait."""
        turn = time.monotonic()
        while True:
            try:
                self._looks = await in_thread(lambda: self.setup.watch.look(self.setup.interval))
            except ControlError as error:
                self._say(str(error))
            else:
                self._all = self._rows.update(self._looks)
                self._show()
            turn = max(turn + self.setup.interval, time.monotonic())
            await asyncio.sleep(turn - time.monotonic())

    def _show(self) -> None:
        self._table.show(self.order.apply(self._all))
        self._write("title", self._title())
        self._write("hint", self._message if time.monotonic() < self._message_until else _HINT)

    def _write(self, name: str, text: str) -> None:
        """Change a line, if it is another one."""
        if self._texts[name].content != text:
            self._texts[name].update(text)

    def _title(self) -> str:
        running = sum(row.state == "running" for row in self._all)
        what = f"{time.strftime('%H:%M:%S')} {self.setup.what}"
        if self._looks == [] and self._rows.has_looked:
            return printable(f"{what}: nothing runs; waiting for it to start")
        parts = [f"{what}: {running:,} of {count(len(self._all), 'device')} running"]
        parts += [problem for seen in self._looks if (problem := seen.problem)]
        if self.order.column is not None or self.order.reverse:
            by = self.order.column.head if self.order.column is not None else "file"
            parts.append(f"by {by}{' reversed' if self.order.reverse else ''}")
        if self.order.filter:
            parts.append(f"{self.order.filter!r}: {len(self._table.rows):,}")
        return printable("; ".join(parts))

    def on_table_planned(self) -> None:
        """Other columns."""
        self._write("heads", self._table.plan.heads())
        note = self._table.plan.note()
        self._texts["note"].display = bool(note)
        self._write("note", f"{self.size.width} columns: {note}")

    def on_table_selected(self) -> None:
        """What the selected device has bound, and its last error."""
        row = self._table.selected
        if row is None:
            words = f"no device matches {self.order.filter!r}; Esc shows all" if self._all else ""
            self._write("selected", printable(words))
            return
        device = row.device
        bound = "; ".join(f"{role} {', '.join(at)}" for role, at in device["endpoints"].items() if at)
        error = device["error"] or device["warning"]
        about = [device["type"], device["run"], state(device), *([f"process {device['pid']}"] if device["pid"] else []),
                 *([f"up {duration(device['uptime'])}"] if device["uptime"] is not None else []),
                 *([count(device["restarts"], "restart")] if device["restarts"] else [])]
        name = label(row, with_topology=self.setup.several)
        lines = [f"{name}: {', '.join(about)}", bound, f"last error: {error}" if error else ""]
        self._write("selected", "\n".join(map(printable, lines)))

    def on_resize(self) -> None:
        """Say when there is too little room."""
        width, height = self.size
        is_small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(is_small, "small")
        if is_small:
            self._write("small", f"{width} x {height} is too small; {SMALLEST[0]} x {SMALLEST[1]} will do, and --plain "
                                 "needs no room at all; q quits")
        else:
            self._show()

    # -- keys ----------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._message, self._message_until = printable(text), time.monotonic() + MESSAGE_TIME
        self._write("hint", self._message)

    def takes(self, event: events.InputEvent) -> bool:
        """Whether what is typed belongs to the filter, which it is part of then."""
        if self._typed is None:
            return False
        if isinstance(event, events.Paste):
            self._type(self._typed + event.text)
        elif isinstance(event, events.Key) and event.key != "ctrl+c":
            match event.key:
                case "enter":
                    self._end_typing()
                case "escape":
                    self.action_clear()
                case "backspace":
                    self._type(self._typed[:-1])
                case "ctrl+u":
                    self._type("")
                case _ if event.is_printable and event.character is not None:
                    self._type(self._typed + event.character)
        else:
            return False
        return True

    def _type(self, text: str) -> None:
        self._typed = " ".join(text.splitlines())[:LONGEST_FILTER]
        self._write("typed", f"/{printable(self._typed)}█")
        self._filter(self._typed)

    def _end_typing(self) -> None:
        self._typed = None
        self._texts["typed"].display = False

    def action_leave(self) -> None:
        """End the program."""
        self.app.exit()

    def action_move(self, lines: int) -> None:
        """Select another row."""
        self._table.move_by(lines)

    def action_page(self, pages: int) -> None:
        """Select one further away."""
        self._table.move_by(pages * max(self._table.size.height - 1, 1))

    def action_end(self, at: int) -> None:
        """Select the first or the last row."""
        self._table.move_to(at * len(self._table.rows))

    def action_sort(self, number: int) -> None:
        """Sort by a column."""
        self._sort(replace(self.order, column=COLUMNS[number - 1]))

    def action_next_sort(self) -> None:
        """Sort by the next column; after the last one comes the order of the file."""
        orders = [None, *COLUMNS]
        self._sort(replace(self.order, column=orders[(orders.index(self.order.column) + 1) % len(orders)]))

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._sort(replace(self.order, reverse=not self.order.reverse))

    def _sort(self, order: Order) -> None:
        """Who sorts wants to see what is first now; while figures change, the selected device stays what it is."""
        self.order = order
        self._show()
        self._table.move_to(0)

    def _filter(self, text: str) -> None:
        self.order = replace(self.order, filter=text)
        self._show()
        self._table.move_by(0)

    def action_filter(self) -> None:
        """Ask for words."""
        self._texts["typed"].display = True
        self._type(self.order.filter)

    def action_clear(self) -> None:
        """Show all devices again."""
        self._end_typing()
        self._filter("")

    def action_help(self) -> None:
        """Explain keys and columns."""
        self.app.push_screen(HelpScreen())

    def action_view(self, key: str) -> None:
        """Show lines of the selected device."""
        row = self._table.selected
        if row is None or key not in self.setup.views:
            return
        what, open_feed = self.setup.views[key]
        self.app.push_screen(LinesScreen(
            f"{what} of {row.topology}/{row.name}", f"no {what} from {row.name} yet",
            lambda: open_feed(row.topology, row.name),
        ))

    def action_pause(self) -> None:
        """Pause the selected device, or let it continue."""
        row = self._table.selected
        if row is not None:
            self._act("resume" if row.device["state"] == "paused" else "pause", row)

    def action_restart(self) -> None:
        """Restart the selected device."""
        row = self._table.selected
        if row is not None:
            self._act("restart", row)

    def _act(self, verb: str, row: Row) -> None:
        """One thing after the other: a key that is held down does not ask a hundred times."""
        if self._is_acting:
            self._say("wait: the last key still has no answer")
            return
        self._is_acting = True
        self._say(f"{verb} {row.name} ...")
        self.run_worker(self._wait_for(verb, row), group="act")

    async def _wait_for(self, verb: str, row: Row) -> None:
        try:
            self._say(await in_thread(lambda: self.setup.act(verb, row.topology, row.name)))
        finally:
            self._is_acting = False
