"""What passes a device in a second, from two looks at what ``ps --format json`` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Rates(NamedTuple):
    """Of one device between two looks.

    ``in_to_out``, ``out_to_in`` and ``mon`` are the messages a second that a destination took, ``bytes`` the bytes a
    second of the first two together. ``blocked`` is the share of the time, from 0 to 1, in which a message waited for
    room at its destination: of the flow that waited longest.
    """

    in_to_out: float
    out_to_in: float
    mon: float
    bytes: float
    blocked: float


def rates(before: Mapping[str, Any], now: Mapping[str, Any], seconds: float) -> Rates:
    """The rates of a device, whose counters were looked at so many seconds apart, by the clock of who looked.

    A counter that is lower than before began again at 0 in the meantime, with a new device of that name: what it has
    counted since then passed between the looks.
    """
    old, new = before["counters"], now["counters"]
    forth, back, mon = new["in_to_out"], new["out_to_in"], new["mon"]
    forth_before, back_before, mon_before = old["in_to_out"], old["out_to_in"], old["mon"]
    waited = max(
        _grown(forth_before["blocked_time"], forth["blocked_time"]),
        _grown(back_before["blocked_time"], back["blocked_time"]),
        _grown(mon_before["blocked_time"], mon["blocked_time"]),
    )
    return Rates(
        _grown(forth_before["messages"], forth["messages"]) / seconds,
        _grown(back_before["messages"], back["messages"]) / seconds,
        _grown(mon_before["messages"], mon["messages"]) / seconds,
        (_grown(forth_before["bytes"], forth["bytes"]) + _grown(back_before["bytes"], back["bytes"])) / seconds,
        min(waited / seconds, 1.0),     # the supervisor has looked a moment before its answer came
    )


def _grown(before: float, now: float) -> float:
    return now - before if now >= before else now
