"""Rules about connections with which messages arrive twice, late, or for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import Device, Socket

_PUBLISHING = frozenset({"PUB", "XPUB", "SUB", "XSUB"})
_TAKING_TURNS = frozenset({"PUSH", "DEALER", "REQ"})
_SHORTEST_WAIT: Final = 10
"""Milliseconds; on two busy cores, libzmq 4.3.5 over loopback lost connections at 5 and kept them at 20."""
_TTL_UNIT: Final = 100
"""Milliseconds: ZMTP has the ttl of a ping in tenths of a second, and 0 is none."""


@rule(
    "endpoint", "duplicate-connect", "warning",
    finds="A socket that connects to one address twice, however it is spelled: by a reference and by its address, by "
    "`localhost` and `127.0.0.1`, or by two addresses of one socket.",
    why="libzmq makes two connections. A publisher sends every message on each; others get twice their share.",
    bad="""
        devices:
          prices:
            type: forwarder
            in: {connect: [feed.out, tcp://127.0.0.1:5560]}
            out: {bind: tcp://*:5562}
          feed:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          prices:
            type: forwarder
            in: {connect: feed.out}
            out: {bind: tcp://*:5562}
          feed:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
)
def duplicate_connect(graph: Graph) -> Iterator[Finding]:
    """Compare the connects of each socket by what they reach in this file, and else by what they mean."""
    reached = {connect: bind.end for bind, connect in graph.connections}
    first: dict[tuple[End, End | Endpoint], Link] = {}
    for connect in graph.connects:
        target = reached.get(connect) or _meaning(connect.endpoint)
        if target is None or (connect.endpoint is not None and connect.endpoint.is_wildcard_host):
            continue        # bad-endpoint, unknown-reference and connect-wildcard say why
        before = first.setdefault((connect.end, target), connect)
        if before is not connect:
            what = "every message passes twice" if connect.end.type in _PUBLISHING else "it gets twice its share"
            yield Finding(connect.place, f"{connect.end.name} connects to {connect.text} and to {before.text}, which "
                          f"is the same: {what}", "remove one of them", before.place)


@rule(
    "endpoint", "absent-worker", "info",
    finds="A PUSH, DEALER or REQ of a device that connects to several others without the option `immediate`.",
    why="libzmq gives each connection its turn from the start, also one that is not made yet: with two workers one of "
    "them absent, half of the messages wait for it.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {connect: [tcp://worker-1:5560, tcp://worker-2:5560]}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {connect: [tcp://worker-1:5560, tcp://worker-2:5560], options: {immediate: true}}
        """,
)
def absent_worker(graph: Graph) -> Iterator[Finding]:
    """Count the connects to what may not be there: the devices of this file start together."""
    ours = {connect for bind, connect in graph.connections if bind.ours}
    elsewhere: dict[End, list[Link]] = {}
    for connect in graph.connects:
        if connect.ours and connect not in ours and connect.endpoint is not None:
            elsewhere.setdefault(connect.end, []).append(connect)
    for end, links in elsewhere.items():
        if len(links) > 1 and end.type in _TAKING_TURNS and isinstance(end.socket, Socket):
            if "immediate" in end.socket.options:
                continue
            yield Finding(end.socket.place, f"{end.name} gives messages in turn to {len(links)} peers, also to those "
                          "that are not there yet", "options: {immediate: true} leaves them out until they are there")


@rule(
    "flow", "lost-unsubscription", "warning",
    finds="An XPUB with `xpub_verbose` beside an XSUB, or with `xpub_verboser` in a chain of two forwarders.",
    why="libzmq's XSUB counts each subscription that it is given, and sends an unsubscription when as many have been "
    "taken back. With xpub_verbose every subscription reaches it and only the last unsubscription, so a topic that two "
    "readers wanted is never given up: publishers go on sending it to nobody. Of two forwarders the second sees the "
    "first as one reader.",
    bad="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {xpub_verbose: true}}
        """,
    good="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {xpub_verboser: true}}
        """,
)
def lost_unsubscription(graph: Graph) -> Iterator[Finding]:
    """Look at the XPUB of each device that has an XSUB, and at who is connected to the two."""
    chained = {end.owner.name for pair in graph.connections for end in (link.end for link in pair)
               if all(isinstance(link.end.owner, Device) for link in pair)}
    for end in graph.ends:
        device = end.owner
        if not isinstance(device, Device) or not isinstance(end.socket, Socket) or end.type != "XPUB":
            continue
        if end.role == "mon" or not any(socket.type == "XSUB" for socket in device.sockets):
            continue
        options = end.socket.options
        option = "xpub_verboser" if options.get("xpub_verboser") else "xpub_verbose"
        if options.get(option) and (option == "xpub_verbose" or device.name in chained):
            yield Finding(end.socket.option_places.get(option, end.socket.place),
                          f"{end.name}: with {option} unsubscriptions are lost on their way to publishers",
                          "leave it out, unless a publisher has to see every subscription")


@rule(
    "socket", "unstable-connection", "warning",
    finds="Times with which libzmq gives up connections that are sound: a `heartbeat_ttl` below `heartbeat_ivl`, a "
    "`heartbeat_timeout`, `heartbeat_ivl` or `handshake_ivl` below 10 ms, and `reconnect_ivl: -1` on a socket that "
    "connects.",
    why="A peer that has heard nothing for heartbeat_ttl closes the connection, so pings have to come more often. What "
    "a busy machine does not answer within some milliseconds is closed as well. Messages on their way are then lost. "
    "With reconnect_ivl -1 a connection that was refused or lost once is never made again.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559, options: {heartbeat_ivl: 10s, heartbeat_ttl: 3s}}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559, options: {heartbeat_ivl: 3s, heartbeat_ttl: 10s}}
            out: {bind: tcp://*:5560}
        """,
)
def unstable_connection(graph: Graph) -> Iterator[Finding]:
    """Look at the times of each socket of a device, in milliseconds."""
    for end in graph.ends:
        if isinstance(end.socket, Socket):
            for option, message, hint in _unstable(end.socket):
                yield Finding(end.socket.option_places.get(option, end.socket.place), f"{end.name}: {message}", hint)


def _unstable(socket: Socket) -> Iterator[tuple[str, str, str]]:
    """Yield option, message and remedy."""
    times = {name: value for name, value in socket.options.items() if isinstance(value, int)}
    pings, ttl = times.get("heartbeat_ivl", 0), times.get("heartbeat_ttl", 0)
    if _TTL_UNIT <= ttl < pings:
        yield ("heartbeat_ttl", f"after {ttl} ms of silence its peers close the connection, and pings come only every "
               f"{pings} ms", "let heartbeat_ttl be two or three times heartbeat_ivl")
    waits = "heartbeat_timeout" if "heartbeat_timeout" in times else "heartbeat_ivl"
    for option in ([waits] if pings else []) + ["handshake_ivl"]:
        if 0 < times.get(option, 0) < _SHORTEST_WAIT:
            yield (option, f"a peer that does not answer within {times[option]} ms is cut off, as a busy one does not",
                   "use a second or more")
    if times.get("reconnect_ivl") == -1 and socket.connect:
        yield ("reconnect_ivl", "a connection that was refused or lost once is never made again",
               "leave it out, or set a time")


def _meaning(endpoint: Endpoint | None) -> Endpoint | None:
    """The endpoint, with one name for this machine; where a connection over tcp comes from makes no other of it."""
    if endpoint is None:
        return None
    host = "localhost" if endpoint.is_local and endpoint.host not in ("", "::1") else endpoint.host
    return replace(endpoint, host=host, source="" if endpoint.transport == "tcp" else endpoint.source)
