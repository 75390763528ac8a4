"""Rules about the ways that messages go through several devices."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Device

Way = tuple[str, str]
"""A way through a device: its name and the role of the socket where messages leave, in or out."""


@rule(
    "flow", "forwarding-loop", "error",
    finds="Messages that would circle endlessly: a device that is fed, straight or through others, with what it sends. "
    "Requests and their replies are two ways and no loop.",
    why="Every message that enters the loop stays in it, until queues are full and all processors busy.",
    bad="""
        devices:
          one:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {connect: two.in}
          two:
            type: streamer
            in: {bind: tcp://*:5560}
            out: {connect: one.in}
        """,
    good="""
        devices:
          one:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {connect: two.in}
          two:
            type: streamer
            in: {bind: tcp://*:5560}
            out: {bind: tcp://*:5561}
        """,
)
def forwarding_loop(graph: Graph) -> Iterator[Finding]:
    """Find the circles among the ways through devices, each once."""
    hops = _hops(graph)
    if not hops or not _has_cycle(hops):
        return
    import networkx as nx  # slow to import, and good topologies do not come here

    net: nx.DiGraph[Way] = nx.DiGraph(hops)
    seen: set[frozenset[Link]] = set()
    for component in nx.strongly_connected_components(net):
        inside = [(a, b) for a in component for b in hops.get(a, {}) if b in component]
        if not inside:
            continue
        links = frozenset(link for a, b in inside for link in hops[a][b])
        if links in seen:
            continue  # the same circle the other way round
        seen.add(links)
        last = max(links, key=lambda link: (link.place, link.text))
        names = sorted({name for name, _ in component})
        yield Finding(
            last.place,
            f"message loop: {' > '.join([*names, names[0]])}"
            if len(names) > 1 else f"{names[0]} is fed with what it sends: a message loop",
            "remove one connection of the circle",
        )


def _hops(graph: Graph) -> dict[Way, dict[Way, list[Link]]]:
    """From each way to those that its messages enter next, with the connects that lead there.

    What a ROUTER sends goes to the peer that the message names, so it does not circle by itself.
    """
    hops: dict[Way, dict[Way, list[Link]]] = {}
    for bind, connect in graph.possible_connections:
        for sender, receiver in ((bind, connect), (connect, bind)):
            after = _way_from(receiver.end)
            if after is None or not sender.end.sends or sender.end.type == "ROUTER":
                continue
            for before in _ways_to(sender.end):
                hops.setdefault(before, {}).setdefault(after, []).append(connect)
    return hops


def _way_from(end: End) -> Way | None:
    """The way of messages that arrive at this socket."""
    if not isinstance(end.owner, Device) or end.role == "mon" or not end.receives:
        return None
    return end.owner.name, "out" if end.role == "in" else "in"


def _ways_to(end: End) -> tuple[Way, ...]:
    """The ways whose messages leave at this socket; copies of both leave at mon."""
    if end.role is None:
        return ()
    return tuple((end.owner.name, role) for role in (("in", "out") if end.role == "mon" else (end.role,)))


def _has_cycle(hops: dict[Way, dict[Way, list[Link]]]) -> bool:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(hops).prepare()
    except CycleError:
        return True
    return False
