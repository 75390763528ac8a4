"""The tables of ``zmqtopo peers``: who is connected, who went, and who could not get in."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from zmqtopo.cli.table import Column, fitting, lines
from zmqtopo.observe.peers import name
from zmqtopo.report.figures import duration, number

SORTS: Final = ("device", "socket", "peer", "since", "rtt", "bytes", "state")
"""What the rows can be sorted by; as they come they are by device."""

STYLES: Final[Mapping[str, str]] = {"connected": "32", "handshake": "36", "connecting": "33"}

Rows = Sequence[Mapping[str, Any]]


def present(rows: Rows, room: int | None, *, colour: bool) -> list[str]:
    """Who is connected now, and what tries to be."""
    now = time.time()
    columns = [
        Column("DEVICE", [row["device"] for row in rows], least=8),
        Column("SOCKET", [row["socket"] for row in rows], 1),
        Column("PEER", [name(dict(row)) for row in rows], 2, 16),
        Column("SINCE", [duration(max(now - row["since"], 0)) if row["since"] else "" for row in rows], 3),
        Column("USER", [user(row) for row in rows], 6),
        Column("RTT", [rtt(row) for row in rows], 7),
        Column("BYTES IN/OUT", [_bytes(row) for row in rows], 5),
        Column("UNTAKEN", [number(row["send_queue"]) if row.get("send_queue") else "" for row in rows], 8),
        Column("STATE", [row["state"] for row in rows], 4, 0, [STYLES.get(row["state"], "") for row in rows]),
        Column("ID", [row["id"] or "" for row in rows], 9),
    ]
    return lines(fitting(columns, room), room, colour=colour)


def past(rows: Rows, room: int | None, *, colour: bool) -> list[str]:
    """Who went, or could not get in, and why; the last ones last."""
    now = time.time()
    columns = [
        Column("DEVICE", [row["device"] for row in rows], least=8),
        Column("SOCKET", [row["socket"] for row in rows], 1),
        Column("PEER", [name(dict(row)) for row in rows], 2, 16),
        Column("AGO", [duration(max(now - row["until"], 0)) for row in rows], 4),
        Column("LASTED", [duration(row["until"] - row["since"]) if row["since"] else "" for row in rows], 6),
        Column("USER", [user(row) for row in rows], 7),
        Column("WHY", [row["text"] for row in rows], 3, 24),
    ]
    return lines(fitting(columns, room), room, colour=colour)


def sort(rows: Rows, key: str) -> list[Mapping[str, Any]]:
    """The rows by a column: numbers the largest first, words by the alphabet."""
    values = {
        "rtt": lambda row: -(row.get("rtt") or 0.0),
        "bytes": lambda row: -((row.get("bytes_in") or 0) + (row.get("bytes_out") or 0)),
        "since": lambda row: row["since"] or 0.0,
        "peer": lambda row: name(dict(row)),
    }
    return sorted(rows, key=values.get(key, lambda row: str(row.get(key) or "")))


def user(row: Mapping[str, Any]) -> str:
    """By which name it was let in, else whose process is at the other end."""
    if row.get("user"):
        return str(row["user"])
    if row["uid"] is None:
        return ""
    import pwd

    try:
        return pwd.getpwuid(row["uid"]).pw_name
    except (KeyError, OverflowError):
        return f"uid {row['uid']}"


def rtt(row: Mapping[str, Any]) -> str:
    """The time of a round trip in milliseconds, as far as it means something."""
    seconds = row.get("rtt")
    return "" if not seconds else f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def _bytes(row: Mapping[str, Any]) -> str:
    come, gone = row.get("bytes_in"), row.get("bytes_out")
    return "" if come is None or gone is None else f"{number(come)}/{number(gone)}"
