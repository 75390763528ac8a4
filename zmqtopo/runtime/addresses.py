"""The addresses that a device binds and connects to, from what has really been bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zmqtopo.config.model import Device, Reference, Role, Topology
from zmqtopo.config.reference import Bound, chosen
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
    """What to connect to, each reference resolved; one whose address the system has yet to choose is left out."""
    return {
        socket.role: tuple(
            text for address in socket.connect
            if (text := _resolve(address, device, topology, bound) if isinstance(address, Reference) else address.text)
        )
        for socket in device.sockets
    }


def late(device: Device, topology: Topology, before: Bound, bound: Bound) -> Endpoints:
    """What `connects` has left out while only ``before`` was bound."""
    known = connects(device, topology, before)
    return {role: tuple(address for address in all_ if address not in known[role])
            for role, all_ in connects(device, topology, bound).items()}


def lost(device: Device, topology: Topology, bound: Bound, closed: Iterable[str]) -> Mapping[Role, tuple[str, ...]]:
    """Of what the device is connected to, the inproc addresses that were ``closed``: libzmq forgets those."""
    gone = {address for address in closed if address.startswith("inproc://")}
    if not gone:
        return {}
    found = connects(device, topology, bound)
    return {role: mine for role, all_ in found.items() if (mine := tuple(a for a in all_ if a in gone))}


def _resolve(reference: Reference, device: Device, topology: Topology, bound: Bound) -> str:
    """The address; empty as long as the system has not chosen it, because its device has never been started."""
    endpoint = chosen(reference, device, topology, bound)
    if endpoint is None:
        # A reference to nothing, where its rule was silenced, is no address: the device fails to connect to it.
        return reference.text
    return "" if endpoint.is_system_port else str(endpoint.reachable())
