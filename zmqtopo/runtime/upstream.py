"""Which devices of a topology feed which, so that a stop can go with the stream."""

from __future__ import annotations

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.config.model import Topology


def upstream(topology: Topology) -> dict[str, frozenset[str]]:
    """For each device the other devices whose out or mon is connected to its in."""
    found: dict[str, set[str]] = {name: set() for name in topology.devices}
    for meeting in Graph(topology).meetings:
        for bind, connect in meeting.pairs:
            for giver, taker in ((bind, connect), (connect, bind)):
                if _feeds(giver, taker):
                    found[taker.end.owner.name].add(giver.end.owner.name)
    return {name: frozenset(givers) for name, givers in found.items()}


def _feeds(giver: Link, taker: Link) -> bool:
    both_ours = giver.ours and taker.ours and giver.end.owner is not taker.end.owner
    return both_ours and giver.end.role != "in" and taker.end.role == "in"
