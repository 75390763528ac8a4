"""The rows of ``top``: each device with what it has done between two looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.observe.rates import Rates, rates
from zmqtopo.observe.top.looks import Seen

NO_ANSWER: Final = "no answer"
"""The state of a device whose topology has not said anything since the last look."""

_FULL: Final = (("in_to_out", "out"), ("out_to_in", "in"), ("mon", "mon"))
"""Where a message waits that waits in a flow."""


@dataclass(frozen=True, slots=True)
class Row:
    """A device of a running topology. What is None is not known: yet, or on this system.

    ``state`` is that of ``ps`` or `NO_ANSWER`, ``full`` are the sockets with a message that waits for room there.
    ``cpu`` is the processor time of its thread, in seconds for each second, ``memory`` the bytes of its process, which
    it ``shares`` with other devices.
    """

    topology: str
    name: str
    device: dict[str, Any]
    state: str
    full: tuple[str, ...]
    rates: Rates | None
    dropped: int
    dropped_exact: bool
    peers: dict[str, int] | None
    cpu: float | None
    memory: int | None
    shares: bool
    last: float | None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.topology, self.name


class Rows:
    """Makes rows of looks, each of which is compared with the one before."""

    def __init__(self) -> None:
        self._before: dict[str, Seen] = {}
        self._rows: dict[str, list[Row]] = {}
        self.has_looked = False
        """Whether anybody has looked at all."""

    def update(self, looks: Iterable[Seen]) -> list[Row]:
        """The rows of all topologies, in the order of their files."""
        looks = list(looks)
        self.has_looked = True
        found = {}
        for now in looks:
            before = self._before.get(now.topology)
            if before is None or before is not now:
                found[now.topology] = _rows(before, now)
            else:       # it has not answered yet
                found[now.topology] = self._rows[now.topology]
        self._rows = found
        self._before = {now.topology: now for now in looks}
        return [row for name in found for row in found[name]]


def _rows(before: Seen | None, now: Seen) -> list[Row]:
    seconds = now.at - before.at if before is not None and before.at else 0.0
    then = {device["name"]: device for device in before.devices} if before is not None else {}
    on = Counter(device["pid"] for device in now.devices)
    return [_row(now, device, then.get(device["name"]), before, seconds, on[device["pid"]] > 1)
            for device in now.devices]


def _row(
    now: Seen, device: dict[str, Any], then: dict[str, Any] | None, before: Seen | None, seconds: float, shares: bool
) -> Row:
    name, pid, flows = device["name"], device["pid"], device["counters"]
    forth, back, mon = flows["in_to_out"], flows["out_to_in"], flows["mon"]
    latest = max(forth["last"] or 0.0, back["last"] or 0.0, mon["last"] or 0.0)
    state = NO_ANSWER if now.problem else device["state"]
    full = tuple(socket for flow, socket in _FULL if flows[flow]["waiting"]) if state == "running" else ()
    passed = rates(then, device, seconds) if then is not None and seconds > 0 and not now.problem else None
    return Row(
        now.topology, name, device, state, full, passed,
        forth["dropped"] + back["dropped"] + mon["dropped"],
        forth["dropped_exact"] and back["dropped_exact"] and mon["dropped_exact"],
        device.get("peers"), _cpu(before, now, name, seconds), now.memory.get(pid), shares and pid is not None,
        latest or None,
    )


def _cpu(before: Seen | None, now: Seen, name: str, seconds: float) -> float | None:
    """None for another thread than before: the device was restarted, and its time began again."""
    then = before.processor.get(name) if before is not None else None
    computed = now.processor.get(name)
    if then is None or computed is None or then[0] != computed[0] or seconds <= 0 or now.problem:
        return None
    return max(computed[1] - then[1], 0.0) / seconds
