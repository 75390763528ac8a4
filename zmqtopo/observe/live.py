"""A running topology as a picture, with what passed its connections in the last second."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from zmqtopo.checks import examine_text
from zmqtopo.checks.graph import End, Graph
from zmqtopo.config.model import Topology
from zmqtopo.config.problem import Severity
from zmqtopo.control.client import Client
from zmqtopo.control.errors import ControlError
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.picture import Note, Picture, picture
from zmqtopo.observe.rates import Rates, rates
from zmqtopo.report.figures import dropped, number, state

INTERVAL: Final = 1.0
"""Seconds between the two looks."""

TOPOLOGY_TIMEOUT: Final = 30.0
"""Seconds that a topology has to say what it is; one of a thousand devices takes a second on a busy machine."""

_SENT: Final = {"out": "in_to_out", "in": "out_to_in", "mon": "mon"}
_RECEIVED: Final = {"in": "in_to_out", "out": "out_to_in"}
"""The flow of a device that leaves by a socket, and the one that comes in there."""

_SEVERITIES: Final[dict[str, Severity | None]] = {"running": None, "failed": "error"}
"""Of states; all others are warnings."""


class Passed(NamedTuple):
    """Messages a second on a connection, or, ``at_most``, on all connections of a socket that has several."""

    rate: float
    at_most: bool

    @property
    def text(self) -> str:
        """In words."""
        return f"{'≤ ' if self.at_most else ''}{number(self.rate)}/s"

    @property
    def values(self) -> dict[str, Any]:
        """For programs."""
        return {"messages_per_second": round(self.rate, 3), "at_most": self.at_most}


def running_topology(client: Client) -> Topology:
    """The topology as it runs, whatever its file says by now. Raises ControlError."""
    response = client.ask("topology", timeout=TOPOLOGY_TIMEOUT)
    if not response.get("ok"):
        raise ControlError(f"{client.name} does not tell: {'; '.join(map(str, response.get('errors', ())))}")
    # JSON is YAML; that secrets are left out are errors of the file, but of nothing that is drawn.
    told = json.loads(response["topology"], object_hook=_without_bytes)
    topology = examine_text(json.dumps(told), client.name).topology
    if topology is None:
        raise ControlError(f"what {client.name} runs cannot be drawn: it is not understood")
    return topology


def _without_bytes(value: dict[str, Any]) -> Any:
    """Bytes, which JSON does not have, as text."""
    if value.keys() == {"base64"}:
        return base64.b64decode(value["base64"]).decode(errors="replace")
    return value


def live_picture(
    client: Client, topology: Topology, focus: str | None = None, *, wait: Callable[[float], None] = time.sleep
) -> Picture:
    """The picture of what runs, with what passes between two looks. Raises ControlError, and KeyError as `picture`."""
    drawn = picture(Graph(topology), focus=focus)
    before, began = client.devices(), time.monotonic()
    wait(INTERVAL)
    now = client.devices()
    seconds = time.monotonic() - began
    return with_rates(drawn, before, now, seconds)


def with_rates(
    drawn: Picture, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], seconds: float
) -> Picture:
    """The picture with the state of each device and the rate of each connection.

    What is counted is what passes a socket. Where a socket has several connections, or is at both ends of none that
    has only one, the rate of a single one is not known, but it is no higher.
    """
    then = {device["name"]: device for device in before}
    there = {device["name"]: device for device in now}
    passed = {name: rates(then[name], device, seconds) for name, device in there.items() if name in then}
    notes: dict[str | Arrow, Note] = {
        device.name: _of_device(there[device.name], passed.get(device.name))
        for device in drawn.devices if device.name in there
    }
    # Of the whole topology that would be more, but what is left out of the picture makes no edge of it exact.
    count = Counter(end.name for arrow in drawn.arrows for end in (arrow.left, arrow.right) if end is not None)
    hidden = {node for node, sides in drawn.beyond.items() if any(sides)}
    for arrow in drawn.arrows:
        notes[arrow] = _of_arrow(arrow, _Ends(there, passed, count, hidden))
    return replace(drawn, notes=notes)


def _of_device(device: Mapping[str, Any], passed: Rates | None) -> Note:
    flows = device["counters"]
    full = [role for role, flow in _SENT.items() if flows[flow]["waiting"]] if device["state"] == "running" else []
    lost = sum(flow["dropped"] for flow in flows.values())
    lines = [state(dict(device)), *([f"blocked {100 * passed.blocked:.0f}%"] if passed and passed.blocked else []),
             *([f"dropped {dropped(*flows.values(), write=number)}"] if lost else [])]
    severity = _SEVERITIES.get(device["state"], "warning")
    return Note(tuple(lines), "warning" if full and severity is None else severity, {
        "state": device["state"], "full": full, "error": device["error"], "dropped": lost,
        "blocked": round(passed.blocked, 4) if passed is not None else None,
        "rates": {flow: round(getattr(passed, flow), 3) if passed is not None else None
                  for flow in ("in_to_out", "out_to_in", "mon")},
    })


@dataclass(frozen=True, slots=True)
class _Ends:
    """What is known of the ends of all arrows."""

    devices: Mapping[str, Mapping[str, Any]]
    passed: Mapping[str, Rates]
    arrows: Mapping[str, int]
    """How many each socket has, by its name."""
    hidden: set[str]
    """Nodes with connections that are not drawn."""

    def flow(self, end: End | None, flows: Mapping[str, str]) -> float | None:
        """The rate of what passes an end in one direction; None where it is not known."""
        if end is None or end.role is None or end.role not in flows or end.owner.name not in self.passed:
            return None
        rate: float = getattr(self.passed[end.owner.name], flows[end.role])
        return rate

    def is_only(self, end: End | None) -> bool:
        """Whether it has just one connection."""
        return end is not None and self.arrows[end.name] == 1 and end.node not in self.hidden

    def between(self, sender: End | None, receiver: End | None) -> Passed | None:
        """What goes from one end to the other."""
        sent, received = self.flow(sender, _SENT), self.flow(receiver, _RECEIVED)
        if received is not None and self.is_only(receiver):
            return Passed(received, False)
        if sent is not None and self.is_only(sender) and (receiver is None or not _chooses(sender)):
            return Passed(sent, False)
        known = [rate for rate in (sent, received) if rate is not None]
        return Passed(min(known), True) if known else None

    def is_full(self, sender: End | None) -> bool:
        """Whether a message waits there for room."""
        device = self.devices.get(sender.owner.name) if sender is not None and sender.role in _SENT else None
        if device is None or sender is None or sender.role is None or device["state"] != "running":
            return False
        return bool(device["counters"][_SENT[sender.role]]["waiting"])


def _chooses(end: End | None) -> bool:
    """Whether not all that it sends goes to everybody: a reader gets what it has subscribed to."""
    return end is not None and end.type in ("PUB", "XPUB")


def _of_arrow(arrow: Arrow, ends: _Ends) -> Note:
    directions = [
        (way, sign, found, ends.is_full(sender))
        for way, sign, sender, receiver in (
            ("forward", "→", arrow.left, arrow.right), ("back", "←", arrow.right, arrow.left),
        )
        if arrow.heads in (way, "both") and (found := ends.between(sender, receiver)) is not None
    ]
    return Note(
        tuple(f"{f'{sign} ' if len(directions) == 2 else ''}{found.text}{', full' if is_full else ''}"
              for _, sign, found, is_full in directions),
        "warning" if any(is_full for *_, is_full in directions) else None,
        {way: {**found.values, "full": is_full} for way, _, found, is_full in directions},
    )
