"""Whether libzmq and the kernel of this machine have a transport."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.unusable import wrong_transport


@rule(
    "machine", "transport-unavailable", "error",
    finds="A transport that the libzmq of this machine was built without, or that its kernel does not have.",
    why="libzmq refuses it when the device starts. Packages for everybody have tcp, ipc and inproc.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {type: SUB, connect: "vmci://1:5559"}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {type: SUB, connect: tcp://127.0.0.1:5559}
            out: {bind: tcp://127.0.0.1:*}
        peers:
          prices: {type: PUB, bind: tcp://127.0.0.1:5559}
        """,
)
def transport_unavailable(graph: Graph) -> Iterator[Finding]:
    """Ask once for each transport, and tell it at each address."""
    for link in (*graph.binds, *graph.connects):
        if link.endpoint is None or wrong_transport(link.endpoint.transport, link.end.type):
            continue    # the rule transport-scope speaks of it
        if link.ours and (reason := _missing(link.endpoint.transport)):
            yield Finding(link.place, f"{link.end.name}: {reason}", "use tcp, ipc or inproc")


@cache
def _missing(transport: str) -> str:
    """Why there is no such transport, or nothing."""
    import zmq

    if transport in ("tcp", "inproc"):
        return ""
    capability = {"epgm": "pgm", "ws": "WS", "wss": "WSS"}.get(transport, transport)  # names of zmq_has(3)
    if not zmq.has(capability):
        return f"libzmq {zmq.zmq_version()} was built without {transport}"
    if transport == "tipc":
        try:
            socket.socket(socket.AF_TIPC, socket.SOCK_STREAM).close()
        except (AttributeError, OSError):
            return "the kernel has no tipc"
    return ""
