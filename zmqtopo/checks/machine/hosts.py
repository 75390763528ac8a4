"""Names to addresses, as this machine knows them now."""

from __future__ import annotations

import errno
import queue
import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.checks.http import listening
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.wording import quote

RESOLVE_TIMEOUT: Final = 5.0
"""Seconds for all names together: a name server that does not answer is not waited for longer."""

_ASKERS: Final = 16
_ONLY_IPV6: Final = "that name has IPv6 addresses only"
_NAMED: Final = frozenset({"tcp", "ws", "wss"})


@rule(
    "machine", "host-unresolvable", "error",
    finds="A host name for which this machine finds no address, and a bind to an address that it does not have.",
    why="libzmq looks a name up when it connects, and retries endlessly without a word.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://no-such-host.invalid:5559}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://192.0.2.1:5559}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def host_unresolvable(graph: Graph) -> Iterator[Finding]:
    """Ask for every name that a device connects to, and for every address that it binds."""
    connects = [link for link in graph.connects if link.ours and _has_host(link)]
    failed = _unresolvable({link.endpoint.host for link in connects if link.endpoint})
    for link in connects:
        reason = failed.get(link.endpoint.host) if link.endpoint else None
        if reason and reason != _ONLY_IPV6:
            yield Finding(link.place, f"{link.end.name} connects to {link.text}, and {reason}",
                          "check the name, or add it to /etc/hosts")
        elif reason and not link.ipv6:
            yield Finding(link.place, f"{link.end.name} connects to {link.text}, and {reason}, which it cannot use",
                          "set options: {ipv6: true}")
    yield from _http_host(graph)
    interfaces = {name for _, name in socket.if_nameindex()}
    for link in graph.binds:
        if not link.ours or not _has_host(link) or link.endpoint is None or link.endpoint.host in interfaces:
            continue
        found = addresses(link)
        if not found:
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and this machine has neither an interface "
                          f"nor an address of that name", "bind to *, or to an address of this machine")
        elif not any(_is_ours(family, address) for family, address in found):
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and this machine has no such address",
                          "bind to *, or to an address of this machine")


def _http_host(graph: Graph) -> Iterator[Finding]:
    """The host of the HTTP server, of whose addresses this machine must have one."""
    found = listening(graph)
    if found is None or found[1].path or found[1].endpoint.is_wildcard_host:
        return
    try:
        here = look_up(found[1].endpoint.host)
    except (OSError, UnicodeError):
        here = []
    if not any(_is_ours(family, address) for family, address in here):
        yield Finding(found[0].place, f"http listens at {found[0].listen}, and this machine has no such address",
                      "listen at 127.0.0.1, at *, or at an address of this machine")


def addresses(link: Link) -> list[tuple[int, str]]:
    """The families and addresses that a bind stands for; none for an interface, whose address nobody asks for."""
    endpoint = link.endpoint
    assert endpoint is not None  # the caller has looked
    if endpoint.host == "*":
        return [(socket.AF_INET6, "::")] if link.ipv6 and socket.has_ipv6 else [(socket.AF_INET, "0.0.0.0")]  # noqa: S104
    try:
        found = look_up(endpoint.host)
    except (OSError, UnicodeError):
        return []
    wanted = (socket.AF_INET, socket.AF_INET6) if link.ipv6 or ":" in endpoint.host else (socket.AF_INET,)
    return [(family, address) for family, address in found if family in wanted]


def socket_address(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """What a socket binds: Python takes the interface of a link-local address only as a number of its own."""
    host, _, interface = address.partition("%")
    return (host, port, 0, int(interface)) if interface else (host, port)


def _has_host(link: Link) -> bool:
    return link.endpoint is not None and link.endpoint.transport in _NAMED and not link.endpoint.is_wildcard_host


def _is_ours(family: int, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.bind(socket_address(address, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _unresolvable(hosts: set[str]) -> dict[str, str]:
    """The hosts that have no address, each with the reason in words."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for host in sorted(hosts):
        waiting.put(host)

    def ask() -> None:
        while True:
            try:
                host = waiting.get_nowait()
            except queue.Empty:
                return
            answers.put((host, _reason(host)))

    for _ in range(min(_ASKERS, len(hosts))):
        # Nobody can interrupt a look-up, so nobody waits for its thread either.
        threading.Thread(target=ask, daemon=True, name="zmqtopo look-up").start()
    deadline = time.monotonic() + RESOLVE_TIMEOUT
    told: dict[str, str] = {}
    while len(told) < len(hosts):
        try:
            host, reason = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        told[host] = reason
    late = f"no name server answered within {RESOLVE_TIMEOUT:g} s"
    return {host: reason for host in hosts if (reason := told.get(host, late))}


def look_up(host: str) -> list[tuple[int, str]]:
    """The families and addresses of a host, as libzmq has them, which looks up the interface behind % by itself.

    Raises OSError and UnicodeError.
    """
    host, percent, interface = host.partition("%")
    number = int(interface) if interface.isdigit() else socket.if_nametoindex(interface) if percent else 0
    found = []
    for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        # An interface says something only of a link-local address.
        is_linked = number and ip_address(address[0]).is_link_local
        found.append((int(family), f"{address[0]}%{number}" if is_linked else str(address[0])))
    return found


def _reason(host: str) -> str:
    try:
        found = look_up(host)
        if ":" not in host and all(family == socket.AF_INET6 for family, _ in found):
            return _ONLY_IPV6
    except socket.gaierror as error:
        return f"the name {quote(host)} has no address: {error.strerror or error}"
    except (OSError, UnicodeError) as error:
        return f"the name {quote(host)} cannot be looked up: {error}"
    return ""
