"""Who is connected to a running topology, as a client of its control socket sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.config.wording import quote
from zmqtopo.control.client import ANSWER_TIMEOUT, Client
from zmqtopo.observe.peers.programs import programs

PRESENT: Final = frozenset({"connected", "handshake", "connecting"})
"""States of what is there now."""


@dataclass(frozen=True, slots=True)
class Peers:
    """What was told at one moment. ``rows`` are as the control socket has them, in the order of the devices.

    ``refusal`` is what was answered instead, by `zmqtopo.control.protocol`; empty when there was an answer.
    """

    rows: Sequence[dict[str, Any]] = ()
    devices: Sequence[dict[str, Any]] = ()
    left_out: int = 0
    refusal: dict[str, Any] | None = None

    def of(self, *states: str) -> list[dict[str, Any]]:
        """The rows in these states."""
        return [row for row in self.rows if row["state"] in states]


def ask(client: Client, devices: Sequence[str]) -> Peers:
    """Ask who is connected, and who was; the programs of this machine are named as far as the system tells.

    Raises ControlError.
    """
    answer = client.ask("peers", *devices, timeout=ANSWER_TIMEOUT)
    if not answer.get("ok"):
        return Peers(refusal=answer)
    rows = answer["peers"]
    local = programs(row["peer"] for row in rows if row["peer"] is not None and row["state"] in PRESENT)
    for row in rows:
        if row["pid"] is None and row["peer"] in local and row["state"] in PRESENT:
            row["pid"], row["program"] = local[row["peer"]]
    return Peers(rows, answer["devices"], answer["left_out"])


def name(row: dict[str, Any]) -> str:
    """The other end of a row, for people: an address, a program and its process, or both."""
    address = str(row["peer"] or "")
    if not address and row["state"] == "connecting":
        return str(row["endpoint"])
    process = f"{row['program'] or 'process'} {row['pid']}" if row["pid"] else ""
    if address and process:
        return f"{address} ({process})"
    return address or process or "unknown"


def find(rows: Sequence[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    """The rows that somebody means by a word: an id, an address with or without ``tcp://`` and port, or a process."""
    def means(row: dict[str, Any]) -> bool:
        address = str(row["peer"] or "").removeprefix("tcp://")
        host = address.rpartition(":")[0]
        wanted = word.removeprefix("tcp://")
        program = str(row["program"] or "")
        return word == row["id"] or wanted in (address, host, host.strip("[]"), str(row["pid"])) or (
            bool(program) and word in (program, f"{program} {row['pid']}"))

    if not word:
        return []
    exact = [row for row in rows if row["id"] == word]
    return exact or [row for row in rows if row["id"] is not None and means(row)]


def shown(row: dict[str, Any]) -> str:
    """A row in short, with the id by which it is dropped."""
    return f"{row['id']}: {name(row)} at {row['device']}.{row['socket']}"


def unknown(word: str, rows: Sequence[dict[str, Any]]) -> str:
    """That nobody is meant by a word, and who is near."""
    from zmqtopo.config.wording import closest

    words = {text: row for row in rows if row["id"] is not None
             for text in (row["id"], str(row["peer"] or "").removeprefix("tcp://"), row["program"]) if text}
    near = closest(word.removeprefix("tcp://"), words)
    return f"there is no peer {quote(word)}" + (f"; did you mean {shown(words[near])}?" if near else "")
