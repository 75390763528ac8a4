"""What can be said about a device at one moment, as values for programs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zmqtopo.broker.counters import Counters, PeerCounts
from zmqtopo.config.endpoint import ordinary
from zmqtopo.config.model import ROLES
from zmqtopo.config.security import protection
from zmqtopo.supervisor.device_state import DeviceState, State
from zmqtopo.supervisor.losses import StopReport
from zmqtopo.supervisor.open_files import shortage
from zmqtopo.worker.protocol import Endpoints


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A device at one moment.

    ``pid`` is the process that it runs in and ``uptime`` the seconds since it began to run, None while it does not.
    ``endpoints`` are the addresses that it has bound, or had when it last ran; ``error`` is its last one, empty when it
    had none since an operator started it. ``forced`` says that its last stop ran out of time, ``unsent`` that what the
    device had passed on may not all have been sent in time. libzmq does not tell: it is said when a process has ended
    no earlier than the LINGER of a device there that had passed on something, and another one may be the reason. Of a
    device that was stopped while its process goes on, nothing is known.
    """

    name: str
    type: str
    run: str
    state: State
    pid: int | None
    uptime: float | None
    restarts: int
    endpoints: Endpoints
    counters: Counters
    error: str
    forced: bool
    unsent: bool
    stops_within: float | None = None
    """Seconds that a device that stops may still take; None for others."""
    last_stop: StopReport | None = None
    warning: str = ""
    """What an operator should know of its process."""
    sockets: Mapping[str, str] = field(default_factory=dict)
    """The type of each socket that it has, by role."""
    security: Mapping[str, str] = field(default_factory=dict)
    """What keeps others out of each socket, by role: curve, gssapi, plain or allowed; empty for nothing."""
    thread: int | None = None
    """The number that the system has for its thread, for what it says of its processor time; None while it has none."""
    started: float | None = None
    """The Unix time at which it began to run; None while it does not."""
    peers: Mapping[str, PeerCounts] | None = None
    """The connections of each socket by role; None where nobody notes them."""

    def as_dict(self) -> dict[str, Any]:
        """As ``ps --format json`` shows it."""
        return {
            "name": self.name, "type": self.type, "run": self.run, "state": self.state, "pid": self.pid,
            "uptime": self.uptime, "restarts": self.restarts,
            "sockets": {role: self.sockets.get(role) for role in ROLES},
            "security": {role: self.security.get(role) or None for role in ROLES},
            "endpoints": {role: [ordinary(one) for one in self.endpoints.get(role, ())] for role in ROLES},
            "counters": self.counters.as_dict(),
            "error": self.error or None,
            "warning": self.warning or None,
            "stops_within": self.stops_within,
            "thread": self.thread,
            "started": self.started,
            **_peers(self.peers),
        }


def _peers(peers: Mapping[str, PeerCounts] | None) -> dict[str, Any]:
    if peers is None:
        return dict.fromkeys(("peers", "connections", "handshake_failures"))
    return {
        "peers": {role: counts.now for role, counts in peers.items()},
        "connections": {role: counts.connections for role, counts in peers.items()},
        "handshake_failures": {role: dict(counts.failures) for role, counts in peers.items()},
    }


def status(device: DeviceState, pid: int | None, now: float | None = None, warning: str = "") -> DeviceStatus:
    """The status of a device in the process ``pid``; ``now`` is the supervisor's clock."""
    here = not device.over and device.phase != "backoff"
    now = time.monotonic() if now is None else now
    return DeviceStatus(
        device.spec.name, str(device.spec.type), device.spec.run.text, device.state,
        pid if here else None,
        round(now - device.running_since, 3) if here and device.running_since is not None else None,
        device.restarts, device.endpoints, device.block.read(), device.error, device.forced,
        device.unsent,
        round(max(device.deadline - now, 0), 3) if device.state == "stopping" and device.deadline is not None else None,
        device.last_stop,
        warning if here else "",
        {socket.role: str(socket.type) for socket in device.spec.sockets},
        {socket.role: protection(socket) for socket in device.spec.sockets},
        device.thread if here and device.running_since is not None else None,
        round(device.started, 3) if here and device.running_since is not None and device.started is not None else None,
        _peer_counts(device, runs=here and device.running_since is not None),
    )


def _peer_counts(device: DeviceState, *, runs: bool) -> Mapping[str, PeerCounts] | None:
    counts = device.block.peers() if device.spec.peers else None
    if counts is None:
        return None
    # A worker that was killed has not said that they are gone.
    return {role: counts[role] if runs else replace(counts[role], now=0)
            for role in (socket.role for socket in device.spec.sockets)}


def statuses(devices: Iterable[DeviceState], pids: Mapping[str, int], now: float) -> list[DeviceStatus]:
    """The status of every device, in their order; ``pids`` are the processes by name."""
    warnings = {name: shortage(pid) for name, pid in pids.items() if pid != os.getpid()}
    return [status(device, pids.get(device.spec.process), now, warnings.get(device.spec.process, ""))
            for device in devices]
