"""What the table of devices says to a browser without JavaScript; static/rates.js and static/table.js say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.config.model import ROLES
from zmqtopo.report.figures import duration, last_error, number, state

FLOWS: Final = ("in_to_out", "out_to_in", "mon")

UNKNOWN: Final = "-"

TONES: Final = ("bad", "warn", "wait", "idle", "good")
"""The worst first."""

STATES: Final = {
    "running": ("●", "good"), "starting": ("◌", "wait"), "paused": ("‖", "warn"), "backoff": ("↻", "bad"),
    "stopping": ("◍", "wait"), "stopped": ("■", "idle"), "failed": ("✖", "bad"),
}
"""The sign and the tone of each."""


Device = Mapping[str, Any]
"""What ``ps --format json`` says of a device."""


@dataclass(frozen=True, slots=True)
class Row:
    """A device: its cells by column, how well it is, and why it is not; ``reason`` is empty where it is."""

    cells: Mapping[str, str]
    tone: str
    reason: str


def rows(devices: list[dict[str, Any]], before: Mapping[str, Device], seconds: float, now: float) -> list[Row]:
    """A row for each device; rates need what was said of it so many seconds ago. ``now`` is in Unix time."""
    return [Row(_cells(device, before.get(device["name"]), seconds, now), _sign(device)[1], _reason(device))
            for device in devices]


def _cells(device: dict[str, Any], before: Device | None, seconds: float, now: float) -> dict[str, str]:
    flows = device["counters"]
    sizes = [_rate(device, before, seconds, flow, "bytes") for flow in FLOWS[:2]]
    waits = [_rate(device, before, seconds, flow, "blocked_time") for flow in FLOWS]
    exact = all(flow["dropped_exact"] for flow in flows.values())
    peers = device.get("peers") or {}
    last = max(flows[flow]["last"] or 0 for flow in FLOWS[:2])
    return {
        "device": device["name"],
        "state": f"{_sign(device)[0]} {state(device)}",
        "in": _per_second(_rate(device, before, seconds, "in_to_out", "messages")),
        "out": _per_second(_rate(device, before, seconds, "out_to_in", "messages")),
        "bytes": _size(sum(size or 0 for size in sizes)) if None not in sizes else UNKNOWN,
        "blocked": f"{min(max(wait or 0 for wait in waits), 1) * 100:.0f}" if None not in waits else UNKNOWN,
        "dropped": ("" if exact else "≥ ") + f"{sum(flow['dropped'] for flow in flows.values()):,}",
        "peers": " / ".join(str(count) for role in ROLES if (count := peers.get(role)) is not None) or UNKNOWN,
        "cpu": _cpu(device, before, seconds),
        "rss": _size(device["rss"]) if device.get("rss") else UNKNOWN,
        "last": ("now" if now - last < 2 else duration(now - last)) if last else "never",
    }


def _sign(device: dict[str, Any]) -> tuple[str, str]:
    """The sign and the tone of its state."""
    return ("▲", "warn") if "," in state(device) else STATES.get(device["state"], ("?", "warn"))


def _reason(device: Device) -> str:
    return "" if device["state"] == "running" else last_error(device)


def _rate(device: Device, before: Device | None, seconds: float, flow: str, key: str) -> float | None:
    """By how much a counter has grown a second; None where that is not known, as after it began anew."""
    if before is None or seconds <= 0:
        return None
    grown: float = device["counters"][flow][key] - before["counters"][flow][key]
    return grown / seconds if grown >= 0 else None


def _cpu(device: Device, before: Device | None, seconds: float) -> str:
    now, then = device.get("cpu"), before.get("cpu") if before else None
    if before is None or now is None or then is None or seconds <= 0 or device["thread"] != before["thread"]:
        return UNKNOWN
    return f"{(now - then) / seconds * 100:.0f}"


def _per_second(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if 0.05 <= value < 9.95 else number(value)


def _size(value: float) -> str:
    text = number(value)
    return f"{text} B" if text[-1].isdigit() else f"{text[:-1]} {text[-1]}B"
