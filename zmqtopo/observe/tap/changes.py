"""What becomes of devices while somebody looks on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Changes:
    """Compares what ``ps`` says of the devices with what it said before."""

    def __init__(self, devices: Iterable[Mapping[str, Any]], named: Iterable[str] = ()) -> None:
        """Begin with notes of those, of ``named`` devices or of all, that nothing passes now."""
        self._before = {device["name"]: device for device in devices}
        wanted = set(named)
        self._notes = [
            f"{name}: {state}" for name, device in self._before.items() if not wanted or name in wanted
            for state in [_standstill(device)] if state
        ]

    def take(self) -> list[str]:
        """What has changed since this was last asked."""
        notes, self._notes = self._notes, []
        return notes

    def say(self, text: str) -> None:
        """Add what is known by other ways."""
        self._notes.append(text)

    def note(self, devices: Iterable[Mapping[str, Any]], named: Iterable[str] = ()) -> bool:
        """Take in what ``ps`` says now; whether something has changed, of ``named`` devices or of all."""
        now = {device["name"]: device for device in devices}
        before, self._before = self._before, now
        wanted = set(named)
        notes = [
            f"{name}: {change}" for name in dict.fromkeys((*before, *now)) if not wanted or name in wanted
            for change in [_change(before.get(name), now.get(name))] if change
        ]
        self._notes += notes
        return bool(notes)


def _change(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    if now is None:
        return "removed"
    if before is None:
        return "added"
    state = str(now["state"])
    reason = _reason(now)
    if state in ("failed", "backoff") and before["state"] != state:
        return f"{'failed' if state == 'failed' else 'ended, and will start again'}{reason}"
    if state in ("running", "paused") and before["state"] in ("running", "paused") and _is_restarted(before, now):
        return f"restarted{reason}" if state == "running" else f"restarted, and is paused{reason}"
    if before["state"] == state or state in ("starting", "stopping"):
        return ""
    return "is running" if state == "running" else state


def _standstill(device: Mapping[str, Any]) -> str:
    """Why nothing passes a device now; empty where something may."""
    match device["state"]:
        case "stopped" | "paused" as state:
            return f"is {state}, nothing passes it now"
        case "failed":
            return f"has failed, nothing passes it now{_reason(device)}"
        case "backoff":
            return f"has ended and will start again, nothing passes it now{_reason(device)}"
    return ""


def _reason(device: Mapping[str, Any]) -> str:
    """Its last error, to follow what is said of it."""
    return f": {str(device['error']).removeprefix(device['name'] + ': ')}" if device.get("error") else ""


def _is_restarted(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether it has ended in between; the time since its start only grows otherwise."""
    return bool(before["pid"] != now["pid"] or (now["uptime"] or 0.0) < (before["uptime"] or 0.0))
