"""Rules about the two ends of a connection."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.pairs import has_wrong_pair
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.sockets import MON_CAN_BLOCK, MON_NEVER_BLOCKS, PARTNERS, can_talk
from zmqtopo.config.model import Device
from zmqtopo.config.wording import listing


@rule(
    "socket", "incompatible-peers", "error",
    finds="Two ends of one connection whose socket types do not accept each other.",
    why="libzmq closes the connection in the handshake and tries again for ever, without a word to either side.",
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
    """Look at every connection whose two types are known and otherwise right."""
    for bind, connect in graph.connections:
        if can_talk(bind.end.type, connect.end.type) or _in_doubt(bind.end) or _in_doubt(connect.end):
            continue
        yield Finding(
            connect.place,
            f"{connect.end.name} ({connect.end.type}) connects to {bind.end.name} ({bind.end.type}), "
            "and these two types do not talk",
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


def _in_doubt(end: End) -> bool:
    """Whether another rule speaks about the type of this socket, or nobody knows the type."""
    if not end.type_known or not isinstance(end.owner, Device):
        return not end.type_known
    if end.role == "mon":
        return end.owner.type != "monitored_queue" or end.type not in MON_NEVER_BLOCKS | MON_CAN_BLOCK
    return has_wrong_pair(end.owner)
