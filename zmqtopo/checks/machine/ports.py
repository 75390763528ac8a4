"""Whether somebody has what a device wants to bind."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.broker.holders import holder_of_path, holder_of_port
from zmqtopo.checks.graph import Graph, Link
from zmqtopo.checks.machine.hosts import addresses, socket_address
from zmqtopo.checks.machine.http import http_port_in_use
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.running_topology import Present

_STREAMS = frozenset({"tcp", "ws", "wss"})


@rule(
    "machine", "port-in-use", "error",
    finds="A bind of an address that another process of this machine has bound already, or of an ipc path at which "
    "there is a file that is not a socket.",
    why="The device could not start. libzmq by itself would remove what is at an ipc path; here only a socket that "
    "nobody listens at is replaced.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:5559}  # and another program has this port
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def port_in_use(graph: Graph) -> Iterator[Finding]:
    """Bind what the devices will bind, and say who is there first, unless a topology that runs already is."""
    yield from http_port_in_use(graph)
    for link in graph.binds:
        endpoint = link.endpoint
        if not link.ours or endpoint is None or endpoint.is_system_port:
            continue
        if endpoint.transport in _STREAMS and _is_taken(link, graph.present):
            assert endpoint.port is not None  # the system does not choose it
            by = holder_of_port(endpoint.port)
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and the port is in use{by}",
                          "use another port, or stop the process that holds it"
                          f"{'' if by else ' (ss -ltnp as root names it)'}")
        elif endpoint.transport == "ipc" and not endpoint.path.startswith("@") and not (
            graph.present is not None and graph.present.has_path(endpoint.path)
        ):
            yield from _in_the_way(link, endpoint.path)


def _in_the_way(link: Link, path: str) -> Iterator[Finding]:
    from zmqtopo.broker.ipc import IN_USE, obstacle  # which brings zmq

    reason = obstacle(Path(path))
    if reason == IN_USE:
        yield Finding(link.place, f"{link.end.name} binds {link.text}, and the path is in use{holder_of_path(path)}",
                      "use another path, or stop the process that holds it")
    elif reason:
        what, _, remedy = reason.partition("; ")
        yield Finding(link.place, f"{link.end.name} binds {link.text}, and {what}", remedy or "use another path")


def _is_taken(link: Link, present: Present | None) -> bool:
    assert link.endpoint is not None  # the caller has looked
    assert link.endpoint.port is not None
    for family, address in addresses(link):
        if present is not None and present.has_port(address, link.endpoint.port):
            continue
        try:
            with socket.socket(family, socket.SOCK_STREAM) as attempt:
                # As libzmq binds: a connection of yesterday in TIME_WAIT is nobody.
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                attempt.bind(socket_address(address, link.endpoint.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
    return False

