"""What the rules about this machine find for the HTTP server."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.broker.holders import holder_of_port
from zmqtopo.checks.graph import Graph
from zmqtopo.checks.http import listening
from zmqtopo.checks.machine.hosts import look_up, socket_address
from zmqtopo.checks.rule import Finding
from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import Http

MOST_TOKEN_BYTES = 4096
"""Bytes of the file of a token; a header has room for no more."""


def http_addresses(endpoint: Endpoint) -> list[tuple[int, str]]:
    """The families and addresses that it stands for. Raises OSError and UnicodeError."""
    if endpoint.host == "*":
        return [(socket.AF_INET6, "::")] if socket.has_ipv6 else [(socket.AF_INET, "0.0.0.0")]  # noqa: S104
    return look_up(endpoint.host)


def http_port_in_use(graph: Graph) -> Iterator[Finding]:
    """Bind what the HTTP server will bind, unless the topology that runs already has it."""
    found = listening(graph)
    if found is None:
        return
    http, listen = found
    if listen.path and not (graph.present is not None and graph.present.has_path(listen.path)):
        yield from _in_the_way(http, listen.path)
    if listen.endpoint.port is None:
        return
    port = listen.endpoint.port
    try:
        addresses = http_addresses(listen.endpoint)
    except (OSError, UnicodeError):
        return      # another rule says so
    if any(_is_taken(family, address, port, graph) for family, address in addresses):
        by = holder_of_port(port)
        yield Finding(http.place, f"http listens at {http.listen}, and the port is in use{by}",
                      "use another port, or stop the process that holds it"
                      f"{'' if by else ' (ss -ltnp as root names it)'}")


def _in_the_way(http: Http, path: str) -> Iterator[Finding]:
    from zmqtopo.broker.ipc import obstacle  # which brings zmq

    if reason := obstacle(Path(path)):
        what, _, remedy = reason.partition("; ")
        yield Finding(http.place, f"http listens at {http.listen}, and {what}", remedy or "use another path")


def _is_taken(family: int, address: str, port: int, graph: Graph) -> bool:
    if graph.present is not None and graph.present.has_port(address, port):
        return False
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
            attempt.bind(socket_address(address, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def http_folder_missing(graph: Graph) -> Iterator[Finding]:
    """Look at the folder of its Unix socket."""
    found = listening(graph)
    if found is None or not found[1].path:
        return
    folder = Path(found[1].path).parent
    if not folder.is_dir():
        yield Finding(found[0].place, f"http listens at {found[0].listen}, and there is no folder {folder}",
                      f"make it: mkdir -p {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(found[0].place, f"http listens at {found[0].listen}, and no file can be made in {folder}",
                      "use a folder that this user may write to")


def http_token_unreadable(graph: Graph) -> Iterator[Finding]:
    """Read the token as the HTTP server will; nothing follows the name of the key that looks like its value."""
    http = graph.topology.http
    if http is None or http.token is None:
        return
    try:
        with Path(http.token.path).open("rb") as file:
            reason = "" if file.read(MOST_TOKEN_BYTES).strip() else "the file is empty"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        yield Finding(http.token_place, f"http: cannot read the token from {http.token.path} ({reason})",
                      "write a token into it, such as that of: openssl rand -hex 24")
