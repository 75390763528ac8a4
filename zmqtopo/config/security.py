"""What a profile of security means for the options of a socket.

A profile becomes options of libzmq before anything is checked or run, so that all that is known of those holds for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from zmqtopo.config.model import Address, Device, File, OptionValue, Profile, Reference, Socket, Topology
from zmqtopo.config.reference import chosen

BY_HAND = frozenset({
    "curve_server", "curve_secretkey", "curve_publickey", "curve_serverkey", "plain_server", "plain_username",
    "plain_password", "zap_domain", "zap_enforce_domain",
})
"""The options that a profile sets."""

_PROTECTIONS = {
    "curve": ("curve_server", "curve_secretkey"), "gssapi": ("gssapi_server", "gssapi_principal"),
    "plain": ("plain_server", "plain_username"), "allowed": ("zap_enforce_domain", "tcp_accept_filter"),
}
"""What protects a socket, from the strongest, and options by which it does."""


def with_security(topology: Topology) -> Topology:
    """Return the topology with the options of each socket that has a profile, but for those that the file sets."""
    if not topology.security:
        return topology
    return replace(topology, devices={
        name: _secured(device, topology) for name, device in topology.devices.items()
    })


def domain(topology: str, device: str, role: str) -> str:
    """The domain of ZAP (RFC 27) of a socket, by which the handler of its process knows it."""
    return f"{topology}/{device}.{role}"


def profile_of(socket: Socket, topology: Topology) -> Profile | None:
    """The profile of a socket, if there is one of that name."""
    return topology.security.get(socket.security) if socket.security else None


def protection(socket: Socket) -> str:
    """What keeps others out of a socket, by a profile or by options: a word, empty for nothing."""
    for word, options in _PROTECTIONS.items():
        if any(socket.options.get(name) for name in options):
            return word
    return ""


def needs_none(socket: Socket, device: Device, topology: Topology) -> bool:
    """Whether a socket is reached by inproc alone, where libzmq leaves out all security."""
    ends = [chosen(to, device, topology) if isinstance(to, Reference) else to.endpoint
            for to in (*socket.bind, *socket.connect)]
    return bool(ends) and all(end is not None and end.transport == "inproc" for end in ends)


def callers(device: Device, socket: Socket, topology: Topology) -> Iterator[Profile]:
    """Yield the profiles of the sockets of this file that connect to a socket by reference: they may."""
    for other in topology.devices.values():
        for caller in other.sockets:
            reaches = any(isinstance(to, Reference) and (to.device, to.socket) == (device.name, socket.role)
                          for to in caller.connect)
            if reaches and (found := profile_of(caller, topology)) is not None:
                yield found


def _secured(device: Device, topology: Topology) -> Device:
    sockets = {}
    for socket in device.sockets:
        profile = profile_of(socket, topology)
        if profile is not None and not needs_none(socket, device, topology):
            options = {name: value for name, value in _options(device, socket, profile, topology).items()
                       if name not in socket.option_places}
            places = {**dict.fromkeys(options, socket.security_place), **socket.option_places}
            sockets[socket.role] = replace(socket, options={**socket.options, **options}, option_places=places,
                                           secured_by=frozenset(options))
    return replace(device, in_=sockets.get("in", device.in_), out=sockets.get("out", device.out),
                   mon=sockets.get("mon", device.mon))  # type: ignore[arg-type]  # mon stays a MonSocket


def _options(device: Device, socket: Socket, profile: Profile, topology: Topology) -> Mapping[str, OptionValue]:
    options: dict[str, OptionValue] = {}
    if socket.bind:
        options = {"zap_domain": domain(topology.name, device.name, socket.role), "zap_enforce_domain": True}
        if profile.curve:
            options |= {"curve_server": True, "curve_secretkey": File(profile.curve, "secret-key")}
        elif profile.plain:
            options["plain_server"] = True
    if socket.connect and profile.curve:
        options |= {"curve_publickey": File(profile.curve, "public-key"),
                    "curve_secretkey": File(profile.curve, "secret-key")}
        if server := profile.server or _certificate_at(socket, topology):
            options["curve_serverkey"] = File(server, "public-key")
    elif socket.connect and profile.plain:
        options |= {"plain_username": File(profile.plain, "name"), "plain_password": File(profile.plain, "password")}
    return options


def _certificate_at(socket: Socket, topology: Topology) -> str:
    """The certificate of the socket that this one refers to; empty where there is none."""
    for to in socket.connect:
        if isinstance(to, Address) or to.device not in topology.devices:
            continue
        other = topology.devices[to.device].socket(to.socket)
        found = profile_of(other, topology) if other is not None else None
        if found is not None and found.curve:
            return found.curve
    return ""
