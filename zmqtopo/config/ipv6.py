"""The option ``ipv6`` of a socket, as it follows from the addresses that the file gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import Address, Device, Reference, Socket, Topology
from zmqtopo.config.reference import chosen


def with_ipv6(topology: Topology) -> Topology:
    """Return the topology with ``ipv6`` on each socket that needs it and on which the file says nothing of it."""
    # What a reference needs depends on the socket at its other end, which may have its own from its addresses.
    for needs in (_needs_itself, _needs_for_references):
        changed = {
            device.name: _with(device, roles) for device in topology.devices.values()
            if (roles := [s.role for s in device.sockets if "ipv6" not in s.options and needs(s, device, topology)])
        }
        if changed:
            topology = replace(topology, devices={**topology.devices, **changed})
    return topology


def ipv6_addresses(socket: Socket, device: Device, topology: Topology) -> Iterator[Address | Reference]:
    """Yield those of the socket's addresses and references that only a socket with ``ipv6`` can use."""
    for address in (*socket.bind, *socket.connect):
        endpoint = chosen(address, device, topology) if isinstance(address, Reference) else address.endpoint
        if endpoint is None:
            continue
        if endpoint.needs_ipv6 and not (isinstance(address, Reference) and endpoint.is_wildcard_host):
            yield address
        elif isinstance(address, Reference) and _is_name(endpoint) and _has_ipv6(address, topology):
            yield address   # with ipv6 the other end may have bound the IPv6 address of the name


def _needs_itself(socket: Socket, device: Device, topology: Topology) -> bool:
    filters = socket.options.get("tcp_accept_filter", ())
    assert isinstance(filters, tuple)
    own = replace(socket, connect=tuple(to for to in socket.connect if isinstance(to, Address)))
    return any(True for _ in ipv6_addresses(own, device, topology)) or any(":" in str(one) for one in filters)


def _needs_for_references(socket: Socket, device: Device, topology: Topology) -> bool:
    return any(True for _ in ipv6_addresses(socket, device, topology))


def _has_ipv6(reference: Reference, topology: Topology) -> bool:
    device = topology.devices.get(reference.device)
    socket = device.socket(reference.socket) if device else None
    return socket is not None and bool(socket.options.get("ipv6"))


def _is_name(endpoint: Endpoint) -> bool:
    return not endpoint.is_wildcard_host and any(c.isalpha() for c in endpoint.host) and endpoint.host != "localhost"


def _with(device: Device, roles: Sequence[str]) -> Device:
    sockets = {s.role: replace(s, options={**s.options, "ipv6": True}) for s in device.sockets if s.role in roles}
    return replace(device, in_=sockets.get("in", device.in_), out=sockets.get("out", device.out),
                   mon=sockets.get("mon", device.mon))  # type: ignore[arg-type]  # mon stays a MonSocket
