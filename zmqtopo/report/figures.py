"""How a running device is put into figures and short words, from what ``ps --format json`` says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zmqtopo.config.wording import printable

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def dropped(*flows: dict[str, Any], write: Callable[[int], str] = "{:,}".format) -> str:
    """How many messages were dropped, exactly or as a lower bound; `write` is how the number is written."""
    told = write(sum(flow["dropped"] for flow in flows))
    return told if all(flow["dropped_exact"] for flow in flows) else f"at least {told}"


def duration(seconds: float | None) -> str:
    """``3d 4h``, ``12s``: the two largest units."""
    if seconds is None:
        return ""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])


def number(value: float) -> str:
    """``12``, ``3.4k``, ``56M``: at most four characters."""
    for unit in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 9.95 or not unit else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}T"


def state(device: dict[str, Any]) -> str:
    """The state, and whether messages wait for somebody to take them."""
    flows = device["counters"]
    full = [word for flow, word in (("in_to_out", "out"), ("out_to_in", "in"), ("mon", "mon"))
            if flows[flow]["waiting"] and device["state"] == "running"]
    parts = [device["state"], *([f"{' and '.join(full)} full"] if full else []),
             *(["out of open files"] if device.get("warning") else [])]
    return ", ".join(parts)


def one_line(text: str | None) -> str:
    """A text of somebody else's, safe for a terminal."""
    return printable(text or "")


def last_error(device: Mapping[str, Any]) -> str:
    """The last error of a device, without its name, which stands in the same line."""
    error = one_line(device["error"])
    for prefix in (f"{device['name']}: ", f"{device['name']}."):
        error = error.removeprefix(prefix)
    return error
