"""What has happened between two looks at the peers of a topology, as the events that its log would have."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from zmqtopo.config.wording import count
from zmqtopo.observe.peers import Peers, name

KEPT: Final = 100
"""Rows of the past that a device remembers of each kind: when all of them are new, there may have been more."""

Event = dict[str, Any]


class Changes:
    """Compares each look with the one before."""

    def __init__(self, first: Peers) -> None:
        self._connected = {row["id"]: row for row in first.of("connected")}
        self._past = _keys(first)
        self._devices = {device["name"]: device for device in first.devices}

    def since(self, now: Peers) -> Iterator[Event]:
        """The events since the last look, those of a kind in the order in which they happened."""
        yield from self._of_devices(now)
        here = {row["id"]: row for row in now.of("connected")}
        closed = {row["id"]: row for row in now.of("closed")}
        new = [row for row in closed.values() if _key(row) not in self._past]
        for row in (*new, *here.values()):
            if row["id"] not in self._connected:
                yield {"event": "peer-connected", "time": row["since"], **_plain(row)}
        for row in new:
            yield {"event": "peer-disconnected", "time": row["until"], **_plain(row), "reason": row["reason"]}
        answered = {device["name"] for device in now.devices if device["noted"] == "yes"}
        for number, row in list(self._connected.items()):
            if number in here or (row["device"] not in answered and row["device"] in self._devices):
                continue        # it is there, or nobody says
            if number not in closed:
                yield {"event": "peer-disconnected", "time": time.time(), **_plain(row), "reason": "stopped"}
            del self._connected[number]
        failed = [row for row in now.of("failed") if _key(row) not in self._past]
        for row in failed:
            yield {"event": "handshake-failed", "time": row["until"], **_plain(row), "reason": row["reason"],
                   "text": row["text"]}
        yield from self._left_out(now, {"connections": new, "failures": failed})
        self._connected |= here
        self._past = _keys(now)
        self._devices = {device["name"]: device for device in now.devices}

    def _of_devices(self, now: Peers) -> Iterator[Event]:
        """Devices that have gone, come, changed their state, or do not answer."""
        present = {device["name"]: device for device in now.devices}
        for each in self._devices.keys() - present.keys():
            yield {"event": "device", "time": time.time(), "device": each, "state": "removed"}
        for each, device in present.items():
            before = self._devices.get(each, {})
            if device["state"] != before.get("state"):
                yield {"event": "device", "time": time.time(), "device": each, "state": device["state"]}
            if device["noted"] == "no answer" != before.get("noted"):
                yield {"event": "no-answer", "time": time.time(), "device": each}

    def _left_out(self, now: Peers, new: dict[str, list[dict[str, Any]]]) -> Iterator[Event]:
        """How many there were beside those that are remembered, of devices that have forgotten some."""
        for device in now.devices:
            before = self._devices.get(device["name"])
            for kind, rows in new.items():
                told = sum(row["device"] == device["name"] for row in rows)
                if told < KEPT or before is None or device.get(kind) is None or before.get(kind) is None:
                    continue
                more = device[kind] - before[kind] - told
                if more > 0:
                    yield {"event": "left-out", "time": time.time(), "device": device["name"], kind: more}


def text(event: Event) -> str:
    """An event for people."""
    device = event["device"]
    at = f"{device}.{event['socket']}" if "socket" in event else device
    match event["event"]:
        case "peer-connected":
            return f"{at}: {name(event)} is connected"
        case "peer-disconnected":
            why = {"dropped": "was cut off", "stopped": "went with its device"}.get(event["reason"], "disconnected")
            return f"{at}: {name(event)} {why}"
        case "handshake-failed":
            return f"{at}: {name(event)} could not get in: {event['text']}"
        case "no-answer":
            return f"{at}: its process does not answer"
        case "left-out":
            what = "more connections" if "connections" in event else "more that could not get in"
            number = event.get("connections") or event.get("failures") or 0
            return f"{at}: {number:,} {what}, which are not told one by one"
    return f"{at}: {event['state']}"


def summary(first: Peers) -> str:
    """What there is when somebody begins to watch."""
    return f"watching; {count(len(first.of('connected')), 'peer')} connected"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    keys = ("id", "device", "socket", "side", "endpoint", "peer", "pid", "program", "uid", "user", "since", "state")
    return {key: row[key] for key in keys}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["state"], row["id"], row["device"], row["socket"], row["until"]


def _keys(peers: Peers) -> set[tuple[Any, ...]]:
    return {_key(row) for row in peers.of("closed", "failed")}
