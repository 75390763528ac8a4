"""Results as a picture: SVG with a bar for each contestant, grouped by case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree

from zmqtopo.bench.cases import Contestant, Requests
from zmqtopo.bench.machine import in_words
from zmqtopo.bench.results import CaseResults, Result, Spread
from zmqtopo.bench.table import number

_COLOURS: Final[dict[Contestant, str]] = {
    "direct": "#b8c0c8",
    "zmq.proxy": "#7a8794",
    "zmq.monitored_queue": "#e0a458",
    "zmqtopo.thread": "#1f6f8b",
    "zmqtopo.process": "#4fa3b8",
    "zmqtopo.plain": "#99c9d4",
}
_INK, _FAINT, _PAPER = "#20262c", "#66707a", "#ffffff"

_WIDTH: Final = 960
_MARGIN: Final = 28
_LABELS: Final = 160
"""Width of the contestants' names."""
_FIGURES: Final = 250
"""Width of the numbers behind the bars."""
_ROW: Final = 24
_BAR: Final = 15
_HEAD: Final = 62
"""Where the lines about the machine begin."""
_LINE: Final = 17
_GROUP: Final = 46
"""Height of a case's title with the room before it."""

_LEGEND: Final = ("Bars are medians of the rounds, whiskers go from the least to the greatest; "
                  "CPU is what the device needs for each message.")

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def plot(cases: Sequence[CaseResults], machine: dict[str, str | int]) -> str:
    """The picture. Bars are medians of messages a second, from 0 to the best of the case; whiskers minimum to maximum.

    For one request at a time they are the p50 of the latency in microseconds.
    """
    shown = [(found, rows) for found in cases if (rows := [r for r in found.results if r.rate is not None])]
    about = [*_wrapped(in_words(machine), 130), _LEGEND]
    head = _HEAD + _LINE * len(about)
    height = head + sum(_GROUP + _ROW * len(rows) for _, rows in shown) + _MARGIN
    svg = ElementTree.Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH),
        "height": str(height), "font-family": _FONT, "font-size": "13", "role": "img",
    })
    ElementTree.SubElement(svg, "title").text = "zmqtopo bench"
    _rect(svg, 0, 0, _WIDTH, height, _PAPER)
    _text(svg, _MARGIN, 38, "zmqtopo bench", size=20, weight="600")
    for line, words in enumerate(about):
        _text(svg, _MARGIN, _HEAD + _LINE * line, words, colour=_FAINT, size=12)
    top: float = head - _LINE
    for found, rows in shown:
        top = _group(svg, top, found, rows)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _group(svg: ElementTree.Element, top: float, found: CaseResults, rows: Sequence[Result]) -> float:
    """Draw a case from there on; where it ends."""
    unit = _unit(found)
    _text(svg, _MARGIN, top + 30, found.title, weight="600")
    _text(svg, _WIDTH - _MARGIN, top + 30, unit, colour=_FAINT, anchor="end", size=12)
    left, width = _MARGIN + _LABELS, _WIDTH - 2 * _MARGIN - _LABELS - _FIGURES
    scale = width / max(_quantity(found, row).max for row in rows)
    middle = top + _GROUP + _ROW / 2
    for row in rows:
        value = _quantity(found, row)
        _text(svg, left - 10, middle + 4, row.contestant, anchor="end")
        bar = _rect(svg, left, middle - _BAR / 2, max(value.median * scale, 1), _BAR, _COLOURS[row.contestant])
        bar.set("class", "bar")
        if row.rounds > 1:
            whisker = f"M{left + value.min * scale:.1f} {middle - 4:.1f}v8m0 -4H{left + value.max * scale:.1f}m0 -4v8"
            ElementTree.SubElement(svg, "path", {"d": whisker, "stroke": _INK, "fill": "none", "class": "spread"})
        label = _text(svg, left + value.max * scale + 10, middle + 4, number(value.median))
        ElementTree.SubElement(label, "tspan", {"fill": _FAINT, "dx": "10", "font-size": "12"}).text = _more(found, row)
        middle += _ROW
    return middle - _ROW / 2


def _quantity(found: CaseResults, row: Result) -> Spread:
    if _is_latency(found) and row.latency:
        return row.latency["p50"]
    assert row.rate is not None
    return row.rate


def _more(found: CaseResults, row: Result) -> str:
    parts = [f"p99 {number(row.latency['p99'].median)}"] if _is_latency(found) and row.latency else []
    if row.loss and row.loss.median >= 0.0005:
        parts.append(f"{row.loss.median:.1%} lost")
    if row.cpu:
        parts.append(f"{number(row.cpu.median)} µs CPU")
    return ", ".join(parts)


def _is_latency(found: CaseResults) -> bool:
    return found.case.load == Requests()


def _unit(found: CaseResults) -> str:
    if _is_latency(found):
        return "µs at the median, less is better"
    return "requests/s" if isinstance(found.case.load, Requests) else "messages/s"


def _wrapped(text: str, width: int) -> Iterable[str]:
    """Lines of so many characters, broken at commas."""
    line = ""
    for part in text.split(", "):
        if line and len(line) + len(part) > width:
            yield line + ","
            line = part
        else:
            line = f"{line}, {part}" if line else part
    yield line


def _rect(svg: ElementTree.Element, x: float, y: float, width: float, height: float, fill: str) -> ElementTree.Element:
    return ElementTree.SubElement(svg, "rect", {
        "x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}", "fill": fill,
    })


def _text(
    svg: ElementTree.Element, x: float, y: float, words: str, *, colour: str = _INK, size: int = 13,
    weight: str = "400", anchor: str = "start",
) -> ElementTree.Element:
    text = ElementTree.SubElement(svg, "text", {
        "x": f"{x:.1f}", "y": f"{y:.1f}", "fill": colour, "font-size": str(size), "font-weight": weight,
        "text-anchor": anchor,
    })
    text.text = words
    return text
