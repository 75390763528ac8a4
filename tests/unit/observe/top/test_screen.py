"""The keys of the screen, pressed by textual's Pilot without a terminal."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("textual")

from textual.pilot import Pilot
from textual.widgets import Static

from zmqtopo.observe.top.columns import COLUMNS, Order
from zmqtopo.observe.top.looks import Seen
from zmqtopo.observe.top.screen import Top
from zmqtopo.observe.top.screen.detail import HelpScreen, Lines, LinesScreen
from zmqtopo.observe.top.screen.devices import Setup, TableScreen
from zmqtopo.observe.top.screen.feeds import Feed, LogFeed
from zmqtopo.observe.top.screen.table import Table

from .looks import Live, device, seen

DEADLINE = 10.0
NAMES = ("ingest", "store", "alerts")


def three(at: int, **of_store: Any) -> list[Seen]:
    """A topology whose rates stay what they are."""
    return [seen(at, *(
        device(name, **{"in_to_out": {"messages": at * speed}, **(of_store if name == "store" else {})})
        for name, speed in zip(NAMES, (10, 30, 20), strict=True)
    ))]


class Driver:
    """The program, and what can be seen of it."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        self.app = pilot.app

    @property
    def table(self) -> Table:
        return self.app.screen_stack[1].query_one(Table)

    def text(self, name: str) -> str:
        return str(self.app.screen_stack[1].query_one(f"#{name}", Static).content)

    @property
    def lines(self) -> list[str]:
        """The table as it is drawn."""
        return [self.table.render_line(y).text.rstrip() for y in range(self.table.size.height)]

    @property
    def names(self) -> list[str]:
        return [line.split()[0] for line in self.lines if line]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"{what}; on the screen is\n" + "\n".join(self.lines)
            await asyncio.sleep(0.005)


def drive(
    watch: Live, steps: Callable[[Driver], Awaitable[None]], *, size: tuple[int, int] = (80, 24), views: Any = None,
    act: Any = None,
) -> None:
    """Run the program and do something with it."""
    async def main() -> None:
        setup = Setup(watch, Order(), 0.001, "it", False, views or {}, act or (lambda *what: str(what)))
        try:
            async with Top(setup).run_test(size=size) as pilot:
                driver = Driver(pilot)
                await driver.until(lambda: len(driver.app.screen_stack) > 1 and driver.table.rows, "no rows came")
                await steps(driver)
        finally:
            watch.close()

    asyncio.run(main())


def test_it_shows_rates() -> None:
    async def steps(it: Driver) -> None:
        await it.until(lambda: "30" in it.lines[1].split(), "no rate of store")
        assert it.text("heads").split() == [column.head for column in COLUMNS]
        assert it.text("title").endswith("it: 3 of 3 devices running")
        assert it.names == list(NAMES)

    drive(Live(three(1), three(2)), steps)


def test_moving_selects_a_device_and_says_more_of_it() -> None:
    async def steps(it: Driver) -> None:
        assert it.text("selected").startswith("ingest: streamer, thread, running, process 77, up 1s\nin tcp://127")
        for keys, name in ((["j"], "store"), (["down", "j"], "alerts"), (["k"], "store"), (["g"], "ingest"),
                           (["up"], "ingest"), (["G"], "alerts"), (["home"], "ingest"), (["pagedown"], "alerts"),
                           (["pageup"], "ingest"), (["end"], "alerts")):
            await it.press(*keys)
            assert it.text("selected").startswith(f"{name}: "), keys
        await it.press("k")
        assert it.text("selected").splitlines()[2] == "last error: store: [bold]no[/] \\x1b[31m"

    drive(Live(three(1, error="store: [bold]no[/] \x1b[31m")), steps)


@pytest.mark.slow
def test_sorting_by_number_by_name_and_back() -> None:
    async def steps(it: Driver) -> None:
        await it.until(lambda: "30" in it.lines[1].split(), "no rates")
        await it.press("3")
        assert it.names == ["store", "alerts", "ingest"]
        assert it.text("title").endswith("; by IN/s")
        await it.press("r")
        assert it.names == ["ingest", "alerts", "store"]
        assert it.text("title").endswith("; by IN/s reversed")
        await it.press("r", "1")
        assert it.names == ["alerts", "ingest", "store"]
        for number, column in enumerate(COLUMNS[1:], 2):
            await it.press("s")
            assert it.text("title").endswith(f"; by {column.head}")
            if number < 10:
                await it.press(str(number))
                assert it.text("title").endswith(f"; by {column.head}")
        await it.press("s")
        assert it.names == list(NAMES)
        assert "; by" not in it.text("title")

    drive(Live(three(1), three(2)), steps)


def test_the_selected_device_stays_selected_wherever_it_moves() -> None:
    watch = Live(three(1), three(2))

    async def steps(it: Driver) -> None:
        await it.until(lambda: "30" in it.lines[1].split(), "no rates")
        await it.press("j", "3")
        assert it.names == ["store", "alerts", "ingest"]
        await it.press("j")
        assert it.text("selected").startswith("alerts: ")
        watch.show([seen(3, device("ingest", in_to_out={"messages": 90}), device("store"), device("alerts"))])
        await it.until(lambda: it.names[0] == "ingest", "the order is that of before")
        await it.press("k")
        await it.until(lambda: it.text("selected").startswith("store: "), "alerts moved with the line")

    drive(watch, steps)


@pytest.mark.slow
def test_the_filter() -> None:
    async def steps(it: Driver) -> None:
        await it.press("slash", *"or")      # s and r would sort
        assert it.names == ["store"]
        assert "'or': 1" in it.text("title")
        await it.press("x")
        assert it.names == []
        assert it.text("selected") == "no device matches 'orx'; Esc shows all"
        await it.press("j", "R", "question_mark", "backspace", "backspace", "backspace")    # they are text here
        assert it.text("typed") == "/orx█"
        await it.press("backspace", "enter")
        assert it.names == ["store"]
        await it.press("r")
        assert it.text("title").endswith("by file reversed; 'or': 1")
        await it.press("slash")
        assert it.text("typed") == "/or█"
        await it.press("ctrl+u")
        assert it.names == list(reversed(NAMES))
        await it.press("escape")
        assert it.names == list(reversed(NAMES))
        assert "'or'" not in it.text("title")

    drive(Live(three(1)), steps)


def test_space_pauses_and_resumes_and_r_restarts() -> None:
    asked: list[tuple[str, ...]] = []

    def act(*what: str) -> str:
        asked.append(what)
        return f"store: {len(asked)}"

    watch = Live(three(1))

    async def steps(it: Driver) -> None:
        await it.press("j", "space")
        await it.until(lambda: it.text("hint") == "store: 1", "no answer")
        watch.show(three(2, state="paused"))
        await it.until(lambda: "paused" in it.lines[1], "it is not paused")
        await it.press("space")
        await it.until(lambda: it.text("hint") == "store: 2", "no answer")
        await it.press("R")
        await it.until(lambda: it.text("hint") == "store: 3", "no answer")

    drive(watch, steps, act=act)
    assert asked == [("pause", "it", "store"), ("resume", "it", "store"), ("restart", "it", "store")]


def test_a_key_that_is_held_down_asks_once() -> None:
    asked, answer = [], threading.Event()

    def act(*what: str) -> str:
        asked.append(what)
        answer.wait(DEADLINE)
        return "done"

    async def steps(it: Driver) -> None:
        await it.press("space", "space", "R")
        assert it.text("hint") == "wait: the last key still has no answer"
        answer.set()
        await it.until(lambda: it.text("hint") == "done", "no answer")

    drive(Live(three(1)), steps, act=act)
    assert len(asked) == 1


def test_devices_come_and_go_while_they_are_watched() -> None:
    watch = Live([seen(1, *(device(name) for name in "abc"))])

    async def steps(it: Driver) -> None:
        await it.press("G")
        watch.show([seen(2, device("a"), device("d"))])
        await it.until(lambda: it.names == ["a", "d"], "d did not come")
        await it.until(lambda: it.text("selected").startswith("d: "), "nothing is selected")
        watch.show([])
        await it.until(lambda: "nothing runs; waiting for it to start" in it.text("title"), "it did not end")
        await it.until(lambda: it.text("selected") == "", "something is selected")
        assert it.names == []
        watch.show([seen(9, device("z"))])
        await it.until(lambda: it.names == ["z"], "it did not start again")

    drive(watch, steps)


def test_a_topology_that_does_not_answer() -> None:
    watch = Live(three(1))

    async def steps(it: Driver) -> None:
        watch.show([seen(1, device("ingest"), problem="it, process 5, does not answer")])
        await it.until(lambda: "no answer" in it.lines[0], "it answers")
        assert "it, process 5, does not answer" in it.text("title")

    drive(watch, steps)


class Words:
    """A feed of a few lines."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.over = threading.Event()

    def read(self, timeout: float) -> list[str]:
        if not self.lines:
            self.over.wait(timeout)
        lines, self.lines = self.lines, []
        return lines

    def close(self) -> None:
        self.over.set()


@pytest.mark.parametrize("key", ["t", "p", "l"])
def test_lines_of_a_device(key: str) -> None:
    feeds: list[Words] = []

    def open_feed(topology: str, name: str) -> Feed:
        feeds.append(Words(f"{topology}/{name} said", "\x1b[31m[bold]x"))
        return feeds[-1]

    async def steps(it: Driver) -> None:
        await it.press("j", key)
        assert isinstance(it.app.screen, LinesScreen)
        lines = it.app.screen.query_one(Lines)
        await it.until(lambda: lines.lines, "no lines")
        assert [lines.render_line(y).text.rstrip() for y in range(2)] == ["it/store said", "\\x1b[31m[bold]x"]
        await it.press("j", "k", "G", "g", "q")
        assert isinstance(it.app.screen, TableScreen)
        await it.until(lambda: feeds[0].over.is_set(), "the feed is still open")
        await it.press(key)
        await it.press("escape")
        assert isinstance(it.app.screen, TableScreen)

    drive(Live(three(1)), steps, views={key: ("words", open_feed)})


def test_a_feed_that_cannot_be_opened_says_why() -> None:
    def open_feed(topology: str, name: str) -> Feed:
        raise RuntimeError(f"{topology} has ended")

    async def steps(it: Driver) -> None:
        await it.press("l")
        lines = it.app.screen.query_one(Lines)
        await it.until(lambda: list(lines.lines) == ["it has ended"], "no words")

    drive(Live(three(1)), steps, views={"l": ("log", open_feed)})


def test_the_log_of_a_device(state_folders: Path) -> None:
    folder = state_folders / "zmqtopo" / "it"
    folder.mkdir(parents=True, mode=0o700)
    log = folder / "log"

    def say(device: str, message: str) -> None:
        with log.open("a") as file:
            file.write(json.dumps({"time": "now", "device": device, "message": message}) + "\n")

    say("store", "begun")
    say("ingest", "not this")
    feed = LogFeed("it", "store")
    assert feed.read(DEADLINE) == ["now begun"]
    assert feed.read(0.001) == []
    say("store", "ended")
    say("ingest", "nor this")
    assert feed.read(0.001) == ["now ended"]
    feed.close()
    assert feed.read(DEADLINE) == []


def test_help_names_every_key_and_column() -> None:
    async def steps(it: Driver) -> None:
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        lines = it.app.screen.query_one(Lines)
        text = "\n".join(lines.lines)
        assert all(column.head in text and column.says in text for column in COLUMNS)
        await it.pilot.pause()
        drawn = [lines.render_line(y).text for y in range(lines.size.height)]
        assert drawn[0].startswith("arrows, j k")
        assert max(map(len, drawn)) <= 80
        await it.press("question_mark")
        assert isinstance(it.app.screen, TableScreen)

    drive(Live(three(1)), steps)


@pytest.mark.parametrize(("width", "left_out"), [(80, ""), (200, ""), (40, "B/s, BLOCKED%, PEERS, CPU%, RSS and LAST")])
def test_widths(width: int, left_out: str) -> None:
    async def steps(it: Driver) -> None:
        assert it.text("heads").split()[:4] == ["DEVICE", "STATE", "IN/s", "OUT/s"]
        assert len(it.text("heads")) <= width
        note = it.app.screen.query_one("#note", Static)
        assert note.display == bool(left_out)
        assert not left_out or str(note.content) == f"{width} columns: no room for {left_out}"
        assert not left_out or note.size.height == 2

    drive(Live(three(1)), steps, size=(width, 24))


def test_a_terminal_that_is_too_small_says_what_it_needs() -> None:
    async def steps(it: Driver) -> None:
        await it.pilot.resize_terminal(20, 5)
        await it.until(lambda: it.app.screen.has_class("small"), "it is not small")
        small = it.app.screen.query_one("#small", Static)
        assert str(small.content) == "20 x 5 is too small; 30 x 8 will do, and --plain needs no room at all; q quits"
        assert small.display
        assert not it.table.region
        await it.pilot.resize_terminal(80, 24)
        await it.until(lambda: it.table.region, "the table did not come back")
        assert it.names == list(NAMES)

    drive(Live(three(1)), steps)


@pytest.mark.slow
def test_a_thousand_devices_are_scrolled() -> None:
    async def steps(it: Driver) -> None:
        assert len(it.names) == it.table.size.height
        await it.press("G")
        await it.until(lambda: it.names[-1] == "d0999", "the end is not there")
        await it.press("pageup", "k")
        await it.press("slash", *"d0500", "enter")
        await it.until(lambda: it.names == ["d0500"], "it was not found")
        await it.press("escape")
        await it.until(lambda: "d0500" in it.names, "the selected one cannot be seen")

    drive(Live([seen(1, *(device(f"d{n:04}") for n in range(1000)))]), steps)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quitting(key: str) -> None:
    async def steps(it: Driver) -> None:
        await it.press(key)
        await it.until(lambda: not it.app.is_running, "it still runs")

    drive(Live(three(1)), steps)


COST = 0.05
"""Seconds of processor time that a refresh of a thousand devices may take, every second."""


@pytest.mark.slow
@pytest.mark.parametrize("order", ["file", "rate"])
def test_what_a_refresh_of_a_thousand_devices_costs(order: str) -> None:
    """Rates, sorting, and drawing of 50 lines of 200 columns that all change; about half of it on two busy cores."""
    def look(at: int) -> list[Seen]:
        return [seen(at, *(device(f"d{n:04}", uptime=float(at),
                                  in_to_out={"messages": at * (n + 1) * 7, "bytes": at * n, "last": 1.0 * at})
                           for n in range(1000)),
                     processor={f"d{n:04}": (n, at * n / 1e5) for n in range(1000)}, memory={77: at << 20})]

    looks = [look(at) for at in range(1, 14)]
    watch = Live(looks[0], looks[1])
    costs: list[float] = []

    async def steps(it: Driver) -> None:
        if order == "rate":
            await it.press("3")
        for next_ in looks[2:]:
            await asyncio.sleep(0.05)
            began = time.process_time()
            watch.show(next_)
            await asyncio.sleep(0.2)        # more than it takes; to sleep costs nothing
            costs.append(time.process_time() - began)
        assert f"up {len(looks)}s" in it.text("selected")

    drive(watch, steps, size=(200, 50))
    assert min(costs) < COST, costs
