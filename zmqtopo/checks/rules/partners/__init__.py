"""Rules about the two ends of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.pairs import has_wrong_pair
from zmqtopo.checks.rules.partners.wrong_device_type import Use, is_side, mistaken
from zmqtopo.checks.rules.unusable import place_of
from zmqtopo.checks.sockets import MON_CAN_BLOCK, MON_NEVER_BLOCKS, PARTNERS, can_talk
from zmqtopo.config.model import DEFAULT_TYPES, WITH_MON, Device, Socket
from zmqtopo.config.wording import listing


@rule(
    "socket", "incompatible-peers", "error",
    finds="Two ends of one connection whose socket types do not accept each other. Where all that is connected to both "
    "sides of a device without socket types suits another type of device, this is told once, at its type.",
    why="libzmq closes the connection in the handshake and retries endlessly; neither side is told.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        peers:
          worker: {type: SUB, connect: jobs.out}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        peers:
          worker: {type: PULL, connect: jobs.out}
        """,
)
def incompatible_peers(graph: Graph) -> Iterator[Finding]:
    """Look at every connection whose two types are known and otherwise right; a mistaken device explains its own."""
    certain = [pair for pair in graph.connections if not any(_in_doubt(link.end) for link in pair)]
    wrong = [(bind, connect) for bind, connect in certain if not can_talk(bind.end.type, connect.end.type)]
    explained = mistaken(certain) if wrong else {}
    for use in explained.values():
        yield _wrong_device(use)
    for bind, connect in wrong:
        if any(is_side(link.end) and link.end.owner.name in explained for link in (bind, connect)):
            continue
        yield Finding(
            connect.place,
            f"{connect.end.name} ({connect.end.type}) connects to {bind.end.name} ({bind.end.type}), "
            "and are incompatible",
            f"{bind.end.type} talks to {listing(sorted(PARTNERS[bind.end.type]), 'and')}", bind.place,
        )


@rule(
    "socket", "pair-fan-in", "error",
    finds="A PAIR socket with more than one peer.",
    why="PAIR takes one connection and refuses every further one in silence.",
    bad="""
        devices:
          line:
            type: queue
            in: {type: PAIR, bind: tcp://*:5559}
            out: {type: PAIR, bind: tcp://*:5560}
        peers:
          left: {type: PAIR, connect: line.in}
          late: {type: PAIR, connect: line.in}
        """,
    good="""
        devices:
          line:
            type: queue
            in: {type: PAIR, bind: tcp://*:5559}
            out: {type: PAIR, bind: tcp://*:5560}
        peers:
          left: {type: PAIR, connect: line.in}
          right: {type: PAIR, connect: line.out}
        """,
)
def pair_fan_in(graph: Graph) -> Iterator[Finding]:
    """Count the connections of each PAIR, those it makes and those it takes."""
    used: dict[End, list[Link]] = {}
    for link in graph.connects:
        if link.end.type == "PAIR":
            used.setdefault(link.end, []).append(link)
    for bind, connect in graph.connections:
        if bind.end.type == "PAIR" and connect.end.type == "PAIR":
            used.setdefault(bind.end, []).append(connect)
    for end, links in used.items():
        for number, link in enumerate(links[1:], 2):
            yield Finding(
                link.place, f"{end.name} is a PAIR, which has one peer, and this is number {number}",
                "use DEALER for several peers", links[0].place,
            )


_NAMED: Final = frozenset({"DEALER", "REQ", "ROUTER"})
"""The types that tell their routing id in the handshake (ZeroMQ RFC 37)."""


@rule(
    "socket", "duplicate-routing-id", "error",
    finds="A ROUTER with two peers that have the same `routing_id` (or `identity`).",
    why="A ROUTER knows its peers by this name. It ignores every further one that has it, without a word: what that "
    "one sends never arrives. With `router_handover` the two take the name from each other.",
    bad="""
        devices:
          requests:
            type: queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
          north:
            type: queue
            in: {bind: tcp://*:5561}
            out: {connect: requests.in, options: {routing_id: branch}}
          south:
            type: queue
            in: {bind: tcp://*:5562}
            out: {connect: requests.in, options: {routing_id: branch}}
        """,
    good="""
        devices:
          requests:
            type: queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
          north:
            type: queue
            in: {bind: tcp://*:5561}
            out: {connect: requests.in, options: {routing_id: north}}
          south:
            type: queue
            in: {bind: tcp://*:5562}
            out: {connect: requests.in, options: {routing_id: south}}
        """,
)
def duplicate_routing_id(graph: Graph) -> Iterator[Finding]:
    """Look at the names of all that meet one ROUTER, whichever of the two binds."""
    first: dict[tuple[End, object], End] = {}
    for pair in graph.connections:
        for router, peer in (pair, pair[::-1]):
            if router.end.type != "ROUTER" or peer.end.type not in _NAMED or not isinstance(peer.end.socket, Socket):
                continue
            if (name := peer.end.socket.options.get("routing_id")) is None:
                continue
            before = first.setdefault((router.end, name), peer.end)
            if before is not peer.end and isinstance(before.socket, Socket):
                yield Finding(
                    place_of(peer.end.socket, "routing_id"),
                    f"{peer.end.name} has the same routing_id as {before.name}, and both talk to {router.end.name}",
                    "give each its own, or leave it out: the ROUTER then makes one up for each",
                    place_of(before.socket, "routing_id"),
                )


def _wrong_device(use: Use) -> Finding:
    """Say once what each connection of this device would say."""
    device, meant = use.device, use.meant
    assert meant is not None  # a device is mistaken for something
    in_, out = DEFAULT_TYPES[meant]
    # A monitored_queue serves every pair and keeps its mon, so there it is the pair that has to be written.
    hint = f"in: {{type: {in_}}} and out: {{type: {out}}}" if device.type == "monitored_queue" else f"type: {meant}"
    return Finding(
        device.type_place,
        f"{device.name} is a {device.type}, with {device.in_.type} as in and {device.out.type} as out, "
        f"but {_first(use.wrong_in)} at its in and {_first(use.wrong_out)} at its out need {in_} and {out}",
        f"use {hint}", use.wrong_in[0].place,
    )


def _first(links: list[Link]) -> str:
    """Such as ``peer producer (PUSH) and 2 more``."""
    ends = list(dict.fromkeys(link.end for link in links))
    return f"{ends[0].name} ({ends[0].type})" + (f" and {len(ends) - 1} more" if len(ends) > 1 else "")


def _in_doubt(end: End) -> bool:
    """Whether another rule speaks about the type of this socket, or nobody knows the type."""
    if not end.type_known or not isinstance(end.owner, Device):
        return not end.type_known
    if end.role == "mon":
        return end.owner.type not in WITH_MON or end.type not in MON_NEVER_BLOCKS | MON_CAN_BLOCK
    return has_wrong_pair(end.owner)
