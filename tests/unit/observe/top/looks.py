"""Looks at a topology that nobody runs."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Any

from zmqtopo.observe.top.looks import Seen


def flow(**values: Any) -> dict[str, Any]:
    return {"messages": 0, "bytes": 0, "dropped": 0, "blocked": 0, "blocked_time": 0.0, "waiting": False, "last": None,
            "in_hand": 0, "dropped_exact": True, **values}


def device(name: str, **values: Any) -> dict[str, Any]:
    """What ps says of a device; ``in_to_out``, ``out_to_in`` and ``mon`` are what differs from 0 in its counters."""
    flows = {name: flow(**values.pop(name, {})) for name in ("in_to_out", "out_to_in", "mon")}
    return {
        "name": name, "type": "streamer", "run": "thread", "state": "running", "pid": 77, "uptime": 1.0, "restarts": 0,
        "endpoints": {"in": [f"tcp://127.0.0.1:5{len(name):03}"], "out": [], "mon": []}, "counters": flows,
        "error": None, "warning": None, "thread": 78, **values,
    }


def seen(at: float, *devices: dict[str, Any], topology: str = "it", **values: Any) -> Seen:
    """That topology at a time."""
    return Seen(topology, at, list(devices), **values)


class Script:
    """Looks that were written down, one after the other; the last one is repeated."""

    def __init__(self, *looks: Sequence[Seen]) -> None:
        self.looks = list(looks)
        self.looked = 0

    def look(self, within: float) -> list[Seen]:
        look = self.looks[min(self.looked, len(self.looks) - 1)]
        self.looked += 1
        return list(look)

    def close(self) -> None:
        pass


class Live:
    """Looks that a test shows when it wants to; until then who looks waits."""

    def __init__(self, *looks: Sequence[Seen]) -> None:
        self._looks: queue.SimpleQueue[Sequence[Seen] | None] = queue.SimpleQueue()
        for look in looks:
            self.show(look)

    def show(self, look: Sequence[Seen]) -> None:
        self._looks.put(look)

    def look(self, within: float) -> list[Seen]:
        return list(self._looks.get() or ())

    def close(self) -> None:
        self._looks.put(None)
