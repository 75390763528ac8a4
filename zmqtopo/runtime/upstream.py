"""Which devices of a topology feed which, so that a stop can go with the stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.config.model import Device, Topology
from zmqtopo.runtime.member import Member


def upstream(topology: Topology, *, only_patient: bool = False) -> dict[str, frozenset[str]]:
    """For each device the other devices whose out or mon is connected to its in.

    With ``only_patient`` those that keep a message until somebody takes it. The others go on without whoever is not
    there, which loses what is published meanwhile in any case.
    """
    found: dict[str, set[str]] = {name: set() for name in topology.devices}
    for meeting in Graph(topology).meetings:
        for bind, connect in meeting.pairs:
            for giver, taker in ((bind, connect), (connect, bind)):
                if _feeds(giver, taker) and (_is_patient(giver) or not only_patient):
                    found[taker.end.owner.name].add(giver.end.owner.name)
    return {name: frozenset(givers) for name, givers in found.items()}


def next_to_stop(members: Mapping[str, Member], feeders: Mapping[str, Collection[str]]) -> list[Member]:
    """Of those that wait to stop, the ones that no other stopping device feeds any more.

    What a device passes on while it stops, the next one can then pass on too. A device that is not to stop is not
    waited for.
    """
    stopping = [m for m in members.values() if m.state == "stopping"]
    waiting = [m for m in stopping if m.waits]
    free = [m for m in waiting if not any(members[name].state == "stopping" for name in feeders[m.device.name])]
    if not free and len(waiting) == len(stopping):
        return waiting      # a ring has no beginning
    return free


def _feeds(giver: Link, taker: Link) -> bool:
    both_ours = giver.ours and taker.ours and giver.end.owner is not taker.end.owner
    return both_ours and giver.end.role != "in" and taker.end.role == "in"


def _is_patient(giver: Link) -> bool:
    if giver.end.type in ("PUB", "XPUB"):
        return False
    device = giver.end.owner
    return giver.end.role != "mon" or (isinstance(device, Device) and device.mon is not None
                                       and device.mon.overflow == "block")
