"""``DEVICE.SOCKET`` to the one endpoint that is nearest to who connects."""

from __future__ import annotations

from collections.abc import Mapping

from zmqtopo.config.endpoint import Endpoint, EndpointError, parse
from zmqtopo.config.model import Device, Peer, Reference, Role, Topology

Bound = Mapping[tuple[str, Role], tuple[str, ...]]
"""The endpoints that a device's socket has really bound, as ZMQ_LAST_ENDPOINT spells them."""

_NEARNESS = {"inproc": 0, "ipc": 1, "tcp": 2}


def nearest(reference: Reference, seen_from: Device | Peer, topology: Topology,
            bound: Bound | None = None) -> Endpoint | None:
    """Find the endpoint that ``reference`` connects to, the wildcard host made reachable.

    inproc where both run in one process, else ipc, else the first tcp address, else the first of
    another transport. ``bound`` takes the place of what the file declares where it knows the socket.
    None where there is no such socket, where it binds nothing that can be reached, or where the
    system chooses the address and ``bound`` does not say it.
    """
    best = chosen(reference, seen_from, topology, bound)
    return None if best is None or best.is_system_port else best.reachable()


def chosen(reference: Reference, seen_from: Device | Peer, topology: Topology,
           bound: Bound | None = None) -> Endpoint | None:
    """As :func:`nearest`, but the endpoint as it is bound: with its wildcard host, or the system's choice."""
    device = topology.devices.get(reference.device)
    socket = device.socket(reference.socket) if device else None
    if device is None or socket is None:
        return None
    known = bound.get((device.name, reference.socket)) if bound else None
    declared = [a.endpoint for a in socket.bind] if known is None else [_parsed(text) for text in known]
    together = isinstance(seen_from, Device) and seen_from.process == device.process
    ends = [e for e in declared if e is not None and (together or e.transport != "inproc")]
    return min(ends, key=lambda e: _NEARNESS.get(e.transport, 3), default=None)  # the first of equals


def _parsed(text: str) -> Endpoint | None:
    try:
        return parse(text)
    except EndpointError:
        return None
