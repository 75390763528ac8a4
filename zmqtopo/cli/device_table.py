"""The tables of ``zmqtopo ps``: the devices of topologies, and topologies in short."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from zmqtopo.cli.table import Column, fitting, lines
from zmqtopo.report.figures import dropped, duration, last_error, number, one_line, state

STYLES: Final[Mapping[str, str]] = {
    "running": "32", "paused": "33", "backoff": "33", "starting": "36", "stopping": "36", "stopped": "2",
    "failed": "1;31",
}
"""How states look: green, yellow, cyan, dim and bold red."""

_ENDED: Final = frozenset({"stopped", "failed"})


def device_table(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], seconds: float, room: int | None, *,
    colour: bool,
) -> list[str]:
    """The devices of topologies as ``ps --format json`` has them, with rates since ``before``, ``seconds`` ago.

    Errors for which there is no room stand below.
    """
    rows = [(topology, device) for topology in now for device in topology["devices"]]
    then = {(topology["topology"], device["name"]): device["counters"]
            for topology in before for device in topology["devices"]}
    devices = [device for _, device in rows]
    flows = [(device["counters"], then.get((topology["topology"], device["name"]), device["counters"]))
             for topology, device in rows]
    dim = ["2" if device["state"] in _ENDED else "" for device in devices]
    names = Column("DEVICE", [device["name"] for device in devices], least=12)
    errors = Column("LAST ERROR", [last_error(device) for device in devices], 3)
    columns = [
        names,
        Column("TYPE", [device["type"] for device in devices], 8),
        Column("RUN", [device["run"] for device in devices], 10),
        Column("STATE", [state(device) for device in devices], 1, 10, [STYLES.get(d["state"], "") for d in devices]),
        Column("PID", [str(device["pid"] or "") for device in devices], 9),
        Column("UPTIME", [duration(device["uptime"]) for device in devices], 6),
        Column("RESTARTS", [str(device["restarts"]) for device in devices], 7),
        Column("IN TO OUT", [_flow(*both, "in_to_out", seconds) for both in flows], 2),
        Column("OUT TO IN", [_flow(*both, "out_to_in", seconds) for both in flows], 4),
        Column("DROPPED", [dropped(*counted.values(), write=number) for counted, _ in flows], 5),
        Column("PEERS", [_peers(device) for device in devices], 5),
        Column("ENDPOINTS", [_endpoints(device) for device in devices], 11, 0 if room is None else 24, dim),
        errors,
    ]
    if len(now) != 1:
        columns.insert(0, Column("TOPOLOGY", [topology["topology"] for topology, _ in rows], least=12))
    if not rows:
        return ["no devices"]
    shown = fitting(columns, room)
    if names not in shown:      # there is hardly any room
        shown.insert(1, names)
    told = lines(shown, room, colour=colour)
    if errors not in shown and room is not None:
        for name, error in zip(names.cells, errors.cells, strict=True):
            told += textwrap.wrap(f"{name}: {error}", room, subsequent_indent="  ") if error else []
    return told


def overview(
    running: Sequence[Mapping[str, Any]], ended: Sequence[Mapping[str, Any]], room: int | None, *, colour: bool
) -> list[str]:
    """Topologies in short, those that run and those that have ended."""
    topologies = [*running, *ended]
    states = [_states(topology) if topology in running else
              f"ended {topology['ended']['time']}: {topology['ended']['how']}" for topology in topologies]
    styles = [_style(topology) if topology in running else "2" for topology in topologies]
    columns = [
        Column("TOPOLOGY", [topology["topology"] for topology in topologies], least=12),
        Column("PID", [str(topology["pid"] or "") for topology in topologies], 3),
        Column("RUNNING", states, 1, 12, styles),
        Column("FILE", [one_line(topology["file"]) for topology in topologies], 2, 12),
    ]
    return lines(fitting(columns, room), room, colour=colour)


def _flow(now: Mapping[str, Any], then: Mapping[str, Any], name: str, seconds: float) -> str:
    passed = now[name]["messages"]
    return f"{number(passed)} ({number((passed - then[name]['messages']) / seconds)}/s)"


def _peers(device: Mapping[str, Any]) -> str:
    """``3/1``: who is connected to in and out, and to mon where there is one; empty where nobody looks."""
    found = device.get("peers") or {}
    return "/".join(number(found[role]) for role in ("in", "out", "mon") if found.get(role) is not None)


def _endpoints(device: Mapping[str, Any]) -> str:
    secured = device.get("security") or {}
    return "; ".join(f"{role} {', '.join(bound)}" + (f" ({word})" if (word := secured.get(role)) else "")
                     for role, bound in device["endpoints"].items() if bound)


def _states(topology: Mapping[str, Any]) -> str:
    """``3 of 4, 1 paused``: devices that are paused are as somebody wants them."""
    counted = Counter(device["state"] for device in topology["devices"])
    others = [f"{counted[word]} {word}" for word in ("paused", "failed", "stopped") if counted[word]]
    return ", ".join([f"{counted['running']} of {len(topology['devices'])}", *others])


def _style(topology: Mapping[str, Any]) -> str:
    states = {device["state"] for device in topology["devices"]}
    worst = next((word for word in ("failed", "backoff", "stopped", "paused") if word in states), "running")
    return STYLES[worst]
