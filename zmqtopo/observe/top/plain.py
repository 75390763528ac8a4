"""``top`` without a screen: a table, or a line of JSON for each device, every interval."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from zmqtopo.observe.top.columns import Order, layout
from zmqtopo.observe.top.looks import Looking
from zmqtopo.observe.top.rows import NO_ANSWER, Row, Rows


class Output(NamedTuple):
    """Where results and notes go, and what waits so many seconds, unless nobody takes results any more."""

    emit: Callable[[str], None]
    note: Callable[[str], None]
    wait: Callable[[float], None]


def run(
    watch: Looking, out: Output, order: Order, *, interval: float, count: int | None, as_json: bool, width: int | None,
    several: bool,
) -> bool:
    """Print ``count`` times, for ever without one; False when nothing runs any more.

    A first look, of which nothing is printed, goes before: rates need two. ``width`` is that of the terminal, None for
    a file; ``several`` says that all topologies are shown.
    """
    rows = Rows()
    silent: set[str] = set()
    started = time.monotonic()
    if not (seen := watch.look(interval)):
        return False
    rows.update(seen)
    turn = 0
    while count is None or turn < count:
        # By the clock, so that the intervals stay as long as they are meant to be; what came too late is left out.
        turn += 1
        behind = time.monotonic() - started - turn * interval
        if behind > interval:
            started += behind
        out.wait(max(started + turn * interval - time.monotonic(), 0))
        seen = watch.look(interval)
        found = rows.update(seen)
        for problem in sorted({one.problem for one in seen} - {""} - silent):
            out.note(problem)
        silent = {one.problem for one in seen}
        if not seen:
            return False
        chosen = order.apply(found)
        if as_json:
            now = time.time()
            out.emit("".join(json.dumps(as_object(row, now)) + "\n" for row in chosen))
        else:
            out.emit(_table(chosen, width, several=several, timed=count != 1))
    return True


def _table(rows: Sequence[Row], width: int | None, *, several: bool, timed: bool) -> str:
    plan = layout(rows, width, names_topology=several)
    lines = [plan.heads(), *map(plan.line, rows)]
    if note := plan.note():
        lines.append(f"({width} columns: {note})")
    if timed:
        lines = [time.strftime("%H:%M:%S"), *lines, ""]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def as_object(row: Row, now: float) -> dict[str, Any]:
    """A row for programs, at the Unix time ``now``; what is not known is null.

    ``in_per_second`` and ``out_per_second`` are messages from in to out and from out to in, ``bytes_per_second`` those
    of both; ``blocked`` (of the time) and ``cpu`` (of one processor) are parts of 1, ``rss`` the bytes of the process
    ``pid``, which may have other devices too, ``last_message`` a Unix time. ``full`` are the sockets where a message
    waits for room.
    """
    passed = row.rates
    return {
        "time": round(now, 3), "topology": row.topology, "device": row.name, "type": row.device["type"],
        "state": row.state if row.state != NO_ANSWER else None, "full": list(row.full),
        "in_per_second": None if passed is None else round(passed.in_to_out, 3),
        "out_per_second": None if passed is None else round(passed.out_to_in, 3),
        "bytes_per_second": None if passed is None else round(passed.bytes, 3),
        "blocked": None if passed is None else round(passed.blocked, 4),
        "dropped": row.dropped, "dropped_exact": row.dropped_exact, "peers": row.peers,
        "cpu": None if row.cpu is None else round(row.cpu, 4), "rss": row.memory, "pid": row.device["pid"],
        "last_message": row.last, "error": row.device["error"],
    }
