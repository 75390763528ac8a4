"""What the rules about addresses find in that of the HTTP server, which is no socket of ZeroMQ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.graph.addresses import AddressBook
from zmqtopo.checks.rule import Finding
from zmqtopo.config.endpoint import Endpoint, EndpointError
from zmqtopo.config.http import Listen, parse_listen
from zmqtopo.config.model import Http


@dataclass(frozen=True, slots=True, eq=False)
class HttpBind:
    """The address of the HTTP server among those that devices bind."""

    endpoint: Endpoint | None
    process: str = "http"
    ours: bool = True
    ipv6: bool = True


def listening(graph: Graph) -> tuple[Http, Listen] | None:
    """The HTTP server and where it listens; None where there is none, or where its address cannot be read."""
    http = graph.topology.http
    if http is None or "listen" in http.unread:
        return None
    try:
        return http, parse_listen(http.listen)
    except EndpointError:
        return None


def bad_http_address(graph: Graph) -> Iterator[Finding]:
    """Say why the address cannot be read."""
    http = graph.topology.http
    if http is not None and "listen" not in http.unread:
        try:
            parse_listen(http.listen)
        except EndpointError as error:
            yield Finding(http.place, f"http: {error}", error.hint)


def http_conflict(graph: Graph) -> Iterator[Finding]:
    """Look for a device that binds the address of the HTTP server."""
    found = listening(graph)
    if found is None:
        return
    http, listen = found
    mine = HttpBind(listen.endpoint)
    book: AddressBook[object] = AddressBook((*graph.binds, mine))   # type: ignore[type-var]
    for later, earlier in book.clashes:
        if later is mine:
            link = next(bind for bind in graph.binds if bind is earlier)
            yield Finding(http.place, f"http listens at {http.listen}, but {link.end.name} already binds {link.text}",
                          f"give one of them another {'path' if listen.path else 'port'}", link.place)


def privileged_http_port(graph: Graph) -> Iterator[Finding]:
    """Look at its port."""
    found = listening(graph)
    if found is not None and (port := found[1].endpoint.port) and port < 1024:
        yield Finding(found[0].place, f"http listens at port {port}, which needs special rights",
                      "use a port from 1024 up")
