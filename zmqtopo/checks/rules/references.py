"""Rules about references: a socket of another device in the place of an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import ROLES, Address, Device, Peer, Reference, Topology
from zmqtopo.config.names import REFERENCE, is_name
from zmqtopo.config.wording import Guesses, closest, listing

_ROLE_WORDS = {"input": "in", "frontend": "in", "output": "out", "backend": "out", "monitor": "mon", "capture": "mon"}


@rule(
    "endpoint", "unknown-reference", "error",
    finds="A reference `DEVICE.SOCKET` to a device or socket that is not there, or that binds nothing.",
    why="A reference stands for the addresses that a socket binds; without one there is nothing to connect to.",
    bad="""
        devices:
          ingest:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
          store:
            type: streamer
            in: {connect: ingets.out}
            out: {bind: tcp://*:5561}
        """,
    good="""
        devices:
          ingest:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
          store:
            type: streamer
            in: {connect: ingest.out}
            out: {bind: tcp://*:5561}
        """,
)
def unknown_reference(graph: Graph) -> Iterator[Finding]:
    """Follow every reference to its device, socket and binds, unless another rule says what is missing there."""
    devices = graph.topology.devices
    guesses = Guesses()
    for link in graph.connects:
        reference = link.written
        if isinstance(reference, Address):
            if link.endpoint is None and (meant := meant_reference(link, graph.topology)) is not None:
                why, hint = _no_such_socket(link.text, meant, graph.topology)
                yield Finding(link.place, f"{link.end.name} connects to {link.text}, but {why}", hint)
            continue
        device = devices.get(reference.device)
        if device is None and reference.device in graph.topology.peers:
            yield Finding(link.place, f"{link.end.name} connects to {reference.text}, but {reference.device} is a peer",
                          _address_of(graph.topology.peers[reference.device]))
            continue
        if device is None:
            yield Finding(
                link.place, f"{link.end.name} connects to {reference.text}, but there is no device {reference.device}",
                _devices_near(reference, devices, guesses),
            )
            continue
        socket = device.socket(reference.socket)
        if socket is None and "mon" not in device.unread and device.type != "monitored_queue":
            yield Finding(
                link.place,
                f"{link.end.name} connects to {reference.text}, but {device.name} has no {reference.socket}",
                f"{device.name} has {listing([s.role for s in device.sockets], 'and')}",
            )
        elif socket is not None and not socket.bind and socket.connect and "bind" not in socket.unread:
            yield Finding(
                link.place, f"{link.end.name} connects to {reference.text}, which binds nothing",
                f"let {reference.text} bind an address", socket.place,
            )


def meant_reference(link: Link, topology: Topology) -> str | None:
    """The reference that was meant by a text that is not a valid address; None when it names nothing of the file."""
    name, dot, said = link.text.partition(".")
    devices = topology.devices
    known = name in devices or name in topology.peers
    role = said if said in ROLES else _ROLE_WORDS.get(said.lower()) or closest(said, ROLES)
    if not known and not (link.side == "bind" and REFERENCE.fullmatch(link.text)):
        near = closest(name, devices) if dot and role and is_name(name) else None
        return f"{near}.{role}" if near else None
    return f"{name}.{role or 'out'}"


def _no_such_socket(text: str, meant: str, topology: Topology) -> tuple[str, str]:
    """Why a reference leads to nothing, and what to write."""
    name, _, said = text.partition(".")
    if name in topology.peers:
        return f"{name} is a peer", _address_of(topology.peers[name])
    if name not in topology.devices:
        return f"there is no device {name}", f"did you mean {meant}?"
    roles = [socket.role for socket in topology.devices[name].sockets]
    if not said:
        return "that names no socket", f"name it too: {listing([f'{name}.{role}' for role in roles])}"
    near = meant.rpartition(".")[2] in roles and (said.lower() in _ROLE_WORDS or closest(said, ROLES))
    return f"{name} has no {said}", f"did you mean {meant}?" if near else f"{name} has {listing(roles, 'and')}"


def _address_of(peer: Peer) -> str:
    """How to connect to a peer."""
    binds = [address.endpoint for address in peer.bind if address.endpoint is not None]
    if binds and not binds[0].is_system_port:
        return f"connect to the address that it binds: {binds[0].reachable()}"
    return "connect to an address that it binds"


def _devices_near(reference: Reference, devices: Mapping[str, Device], guesses: Guesses) -> str:
    near = guesses.closest(reference.device, devices)
    if near:
        return f"did you mean {near}.{reference.socket}?"
    return f"known are {listing(list(devices), 'and')}" if len(devices) <= 8 else ""
