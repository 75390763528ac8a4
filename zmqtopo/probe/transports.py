"""Whether libzmq and the kernel of this machine have a transport."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding


def transport_unavailable(graph: Graph) -> Iterator[Finding]:
    """Ask once for each transport, and tell it at each address."""
    for link in (*graph.binds, *graph.connects):
        if link.ours and link.endpoint is not None and (reason := _missing(link.endpoint.transport)):
            yield Finding(link.place, f"{link.end.name}: {reason}", "use tcp, ipc or inproc")


@cache
def _missing(transport: str) -> str:
    """Why there is no such transport, or nothing."""
    import zmq

    if transport in ("tcp", "inproc"):
        return ""
    if transport == "udp":
        # zmq_udp(7): RADIO, DISH and DGRAM, none of which a device can pass on.
        return "udp is for RADIO, DISH and DGRAM sockets, and no device has these"
    capability = {"epgm": "pgm", "ws": "WS", "wss": "WSS"}.get(transport, transport)  # names of zmq_has(3)
    if not zmq.has(capability):
        return f"libzmq {zmq.zmq_version()} was built without {transport}"
    if transport == "tipc":
        try:
            socket.socket(socket.AF_TIPC, socket.SOCK_STREAM).close()
        except (AttributeError, OSError):
            return "the kernel has no tipc"
    return ""
