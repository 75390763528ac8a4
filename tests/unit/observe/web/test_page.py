"""The page as it is served: what a browser without JavaScript shows."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import Any

import pytest

from zmqtopo.observe.web.page import COLUMNS, render

FLOW = {"messages": 0, "bytes": 0, "dropped": 0, "blocked": 0, "blocked_time": 0.0, "waiting": False, "last": None,
        "in_hand": 0, "dropped_exact": True}


def device(name: str = "d", state: str = "running", forth: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    counters = {"in_to_out": {**FLOW, **(forth or {})}, "out_to_in": FLOW, "mon": FLOW}
    return {"name": name, "type": "queue", "run": "thread", "state": state, "pid": 1, "uptime": 1.0, "restarts": 0,
            "endpoints": {}, "counters": counters, "error": None, "warning": None, "thread": 1, **more}


def page(*devices: dict[str, Any], **more: Any) -> str:
    return render({"topology": "t", "file": "t.yaml", "release": "1.0", "devices": list(devices)}, **more)


class Reader(HTMLParser):
    """Collects the cells of the table by column, of a page in which every element is closed."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: dict[str, list[str]] = {}
        self._column = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self._column = dict(attrs).get("data-column") or ""
            self.cells.setdefault(self._column, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open) and "thead" not in self.open:
            self.cells[self._column][-1] += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def cells(html: str) -> dict[str, list[str]]:
    return {column: texts[1:] for column, texts in read(html).cells.items()}


def test_a_device_has_a_cell_in_each_column() -> None:
    told = cells(page(device("jobs"), device("events", "failed", error="why")))
    assert list(told) == [column.name for column in COLUMNS]
    assert told["device"] == ["jobs", "events"]
    assert told["state"] == ["● running", "✖ failedwhy"]
    assert told["in"] == told["cpu"] == ["-", "-"]
    assert told["last"] == ["never", "never"]


@pytest.mark.parametrize(("error", "told"), [("jobs: it ended", "it ended"), ("jobs.in: no", "in: no"), ("no", "no")])
def test_the_name_does_not_stand_twice_beside_an_error(error: str, told: str) -> None:
    assert cells(page(device("jobs", "failed", error=error)))["state"] == [f"✖ failed{told}"]


def test_rates_are_what_passed_since_the_answer_before() -> None:
    now = time.time()
    before = device(forth={"messages": 1000, "bytes": 5000, "blocked_time": 1.0}, cpu=1.0)
    after = device(forth={"messages": 7000, "bytes": 30_000, "blocked_time": 2.0, "last": now, "dropped": 1234},
                   cpu=2.0, rss=25_000_000, peers={"in": 2, "out": 1, "mon": None})
    told = cells(page(after, before=[before], seconds=2.0))
    assert {name: texts[0] for name, texts in told.items()} == {
        "device": "d", "state": "● running", "in": "3.0k", "out": "0", "bytes": "12 kB", "blocked": "50",
        "dropped": "1,234", "peers": "2 / 1", "cpu": "50", "rss": "25 MB", "last": "now"}


def test_counters_that_began_anew_have_no_rate() -> None:
    told = cells(page(device(forth={"messages": 1}), before=[device(forth={"messages": 5})], seconds=1.0))
    assert told["in"] == ["-"]


def test_a_bound_is_told_as_one() -> None:
    told = cells(page(device(forth={"dropped": 5, "dropped_exact": False})))
    assert told["dropped"] == ["≥ 5"]


@pytest.mark.parametrize("text", ['<script>alert(1)</script>', '"><b onclick="x">', "{topology}", "&amp;", "a\u202eb"])
def test_texts_of_others_are_texts(text: str) -> None:
    plain = read(page(device())).attributes
    html = render(
        {"topology": "t", "file": text, "release": "1", "devices": [device(text, "failed", error=text)]},
        log=[{"time": "now", "device": text, "message": text}])
    reader = read(html)
    assert cells(html)["device"] == [text]
    expected = {(tag, name) for tag, name, _ in plain} | {("li", "data-tone"), ("span", "class")}
    assert {(tag, name) for tag, name, _ in reader.attributes} <= expected


def test_no_script_and_no_style_is_inline_and_nothing_is_from_elsewhere() -> None:
    for tag, name, value in read(page(device(), control=True)).attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        if name in ("src", "href"):
            assert value.startswith("static/"), value


@pytest.mark.parametrize(("allowed", "told"), [(True, "yes"), (False, "no")])
def test_it_says_what_is_allowed(*, allowed: bool, told: str) -> None:
    html = page(device(), control=allowed, tap=allowed)
    assert f'data-control="{told}" data-tap="{told}"' in html
    assert ("restart the device" in html) is allowed


def test_a_topology_without_devices_has_a_page() -> None:
    assert "<tbody>" in page()
