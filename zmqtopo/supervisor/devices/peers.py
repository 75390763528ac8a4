"""Who is connected to devices, asked of their workers: one that does not answer keeps nobody waiting for long."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from zmqtopo.supervisor.commands import CommandError, UnknownDeviceError, unknown
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.supervisor.requests import Request
from zmqtopo.supervisor.workers.pool import WorkerPool
from zmqtopo.worker.protocol import DropPeer, PeerDropped, PeersTold, TellPeers

ANSWER_TIMEOUT: Final = 2.0
"""Seconds that a worker has to tell; a report of ten thousand peers takes less than one."""


@dataclass(frozen=True, slots=True, eq=False)
class PeersRequest(Request):
    """Ask who is connected to devices (none named: all), or cut off the peer of the id ``drop``.

    ``reply`` is what the control socket answers; its exception is a `CommandError`.
    """

    devices: tuple[str, ...] = ()
    drop: str | None = None
    reply: Future[dict[str, Any]] = field(default_factory=Future)


class UnknownPeerError(CommandError):
    """An id that no peer has, or not any more."""


@dataclass(slots=True, eq=False)
class _Inquiry:
    """A request, the workers that have not answered yet by the number of the question, and what the others said."""

    request: PeersRequest
    deadline: float
    waits: dict[int, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0


class PeerInquiries:
    """The requests that are under way."""

    def __init__(self, pool: WorkerPool, devices: Callable[[], Mapping[str, DeviceState]],
                 clock: Callable[[], float]) -> None:
        self._pool = pool
        self._devices = devices
        self._clock = clock
        self._numbers = itertools.count(1)
        self._inquiries: list[_Inquiry] = []

    @property
    def deadlines(self) -> list[float]:
        """When somebody is answered without those who have not told."""
        return [inquiry.deadline for inquiry in self._inquiries]

    def take(self, request: PeersRequest) -> None:
        """Ask the workers."""
        devices = self._devices()
        for name in request.devices:
            if name not in devices:
                request.reply.set_exception(UnknownDeviceError([unknown(name, devices)]))
                return
        inquiry = _Inquiry(request, self._clock() + ANSWER_TIMEOUT)
        self._inquiries.append(inquiry)
        asked = [device for name, device in devices.items() if not request.devices or name in request.devices]
        for process, device in {device.spec.process: device for device in asked}.items():
            if process not in self._pool or self._pool.is_ending(process):
                continue
            number = next(self._numbers)
            if request.drop is None:
                order: TellPeers | DropPeer = TellPeers(number)
            elif request.drop.partition(".")[0] == str(self._pool.pids.get(process)):
                order = DropPeer(number, request.drop)
            else:
                continue
            inquiry.waits[number] = process
            self._pool.order(device.spec, order)
        self._settle()

    def note(self, event: PeersTold | PeerDropped) -> None:
        """A worker has answered."""
        for inquiry in self._inquiries:
            if event.number not in inquiry.waits:
                continue
            if isinstance(event, PeersTold):
                inquiry.rows += event.rows
                inquiry.left_out += event.left_out
                if event.is_last:
                    del inquiry.waits[event.number]
            else:
                del inquiry.waits[event.number]
                self._dropped(inquiry, event.cut)
        self._settle()

    def note_worker_ended(self, process: str) -> None:
        """It will not answer any more, and has no peers."""
        for inquiry in self._inquiries:
            inquiry.waits = {number: name for number, name in inquiry.waits.items() if name != process}
        self._settle()

    def act_on_time(self) -> None:
        """Answer those who have waited long enough."""
        self._settle()

    def end(self, reason: str) -> None:
        """Nobody will tell any more."""
        for inquiry in self._inquiries:
            if not inquiry.request.reply.done():
                inquiry.request.reply.set_exception(CommandError([reason]))
        self._inquiries.clear()

    def _dropped(self, inquiry: _Inquiry, cut: bool | None) -> None:
        reply = inquiry.request.reply
        if cut:
            reply.set_result({})
        else:
            gone = "has just gone by itself" if cut is not None else "is not connected, or not any more"
            reply.set_exception(UnknownPeerError([f"peer {inquiry.request.drop} {gone}"]))

    def _settle(self) -> None:
        now = self._clock()
        for inquiry in self._inquiries[:]:
            if inquiry.waits and inquiry.deadline > now:
                continue
            self._inquiries.remove(inquiry)
            reply = inquiry.request.reply
            if reply.done():
                continue
            if inquiry.request.drop is not None:
                if inquiry.waits:
                    reply.set_exception(CommandError(["its process does not answer"]))
                else:
                    self._dropped(inquiry, None)
            else:
                reply.set_result(self._told(inquiry))

    def _told(self, inquiry: _Inquiry) -> dict[str, Any]:
        devices = self._devices()
        names = [name for name in devices if not inquiry.request.devices or name in inquiry.request.devices]
        places = {name: number for number, name in enumerate(names)}
        silent = set(inquiry.waits.values())
        rows = [row for row in inquiry.rows if row["device"] in places]
        return {
            "peers": sorted(rows, key=lambda row: places[row["device"]]),
            "devices": [_noted(devices[name], silent) for name in names],
            "left_out": inquiry.left_out,
        }


def _noted(device: DeviceState, silent: Collection[str]) -> dict[str, Any]:
    """Of a device whether it is known who its peers are, and how many it has had."""
    counts = device.block.peers() if device.spec.peers else None
    noted = "off" if counts is None else "no answer" if device.spec.process in silent else "yes"
    told: dict[str, Any] = {"name": device.spec.name, "state": device.state, "noted": noted}
    told["connections"] = sum(count.connections for count in counts.values()) if counts is not None else None
    told["failures"] = sum(sum(count.failures.values()) for count in counts.values()) if counts is not None else None
    return told
