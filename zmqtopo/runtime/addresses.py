"""The addresses that a device binds and connects to, from what has really been bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zmqtopo.config.model import Device, Reference, Role, Topology
from zmqtopo.config.reference import Bound, nearest
from zmqtopo.runtime.member import Member
from zmqtopo.runtime.orders import Endpoints


def binds(member: Member) -> Endpoints:
    """What to bind; a port that the system chose stays the same when the device is restarted: others know it."""
    found = {}
    for socket in member.device.sockets:
        before = member.endpoints.get(socket.role, ())
        found[socket.role] = tuple(
            before[i] if before and address.endpoint and address.endpoint.is_system_port else address.text
            for i, address in enumerate(socket.bind)
        )
    return found


def connects(device: Device, topology: Topology, bound: Bound) -> Endpoints:
    """What to connect to, each reference resolved."""
    return {
        socket.role: tuple(
            _resolve(address, device, topology, bound) if isinstance(address, Reference) else address.text
            for address in socket.connect
        )
        for socket in device.sockets
    }


def lost(device: Device, topology: Topology, bound: Bound, closed: Iterable[str]) -> Mapping[Role, tuple[str, ...]]:
    """Of what the device is connected to, the inproc addresses that were ``closed``: libzmq forgets those."""
    gone = {address for address in closed if address.startswith("inproc://")}
    if not gone:
        return {}
    found = connects(device, topology, bound)
    return {role: mine for role, all_ in found.items() if (mine := tuple(a for a in all_ if a in gone))}


def _resolve(reference: Reference, device: Device, topology: Topology, bound: Bound) -> str:
    endpoint = nearest(reference, device, topology, bound)
    # A reference to nothing, where its rule was silenced, is no address: the device fails to connect to it.
    return str(endpoint) if endpoint is not None else reference.text
