"""Results for people: a table for each case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zmqtopo.bench.cases import Requests
from zmqtopo.bench.machine import in_words
from zmqtopo.bench.results import MEASURE, PERCENTILES, CaseResults, Result


def table(cases: Iterable[CaseResults], machine: dict[str, str | int]) -> str:
    """The tables of all cases, and the machine on which they were made."""
    lines = [line for found in cases for line in [*_case(found), ""]]
    return "\n".join([*lines, in_words(machine), ""])


def _case(found: CaseResults) -> Iterator[str]:
    yield found.title
    unit = "requests/s" if isinstance(found.case.load, Requests) else "messages/s"
    rows = [_row(result, unit) for result in found.results if result.rate is not None]
    heads = [head for head in rows[0] if any(row[head] for row in rows)] if rows else []
    widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in heads}
    if rows:
        yield "  " + "  ".join(_cell(head, head, widths) for head in heads)
    for row in rows:
        yield ("  " + "  ".join(_cell(row[head], head, widths) for head in heads)).rstrip()
    for result in found.results:
        if result.error:
            yield f"  {result.contestant}: {result.error}"


def _row(result: Result, unit: str) -> dict[str, str]:
    assert result.rate is not None
    latency = result.latency or {}
    return {
        "": result.contestant,
        unit: number(result.rate.median),
        "min to max": f"{number(result.rate.min)} to {number(result.rate.max)}" if result.rounds > 1 else "",
        f"{MEASURE} = 1": f"{result.ratio.median:.2f}" if result.ratio else "",
        "CPU µs": number(result.cpu.median) if result.cpu else "",
        **{f"{name} µs": number(latency[name].median) if name in latency else "" for name in PERCENTILES},
        "lost": f"{result.loss.median:.1%}" if result.loss and result.loss.max >= 0.0005 else "",
        "copies read": f"{result.copies.median:.1%}" if result.copies else "",
    }


def _cell(text: str, head: str, widths: dict[str, int]) -> str:
    return text.rjust(widths[head]) if head else text.ljust(widths[head])


def number(value: float) -> str:
    """Three digits that count: ``4,830,000``, ``52.3``, ``0.214``."""
    if value >= 999.5:
        digits = len(str(round(value)))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.3g}" if value else "0"
