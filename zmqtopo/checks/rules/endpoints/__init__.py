"""Rules about addresses: can they be read, bound and reached, and does anybody claim them twice."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.checks.http import bad_http_address, http_conflict, privileged_http_port
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.endpoints.corrections import corrected
from zmqtopo.checks.rules.references import meant_reference
from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.model import Address, Reference

IPC_PATH_BYTES = 107  # sizeof(sockaddr_un.sun_path) is 108 on Linux, and libzmq wants the final NUL
PORTED = frozenset({"tcp", "udp", "ws", "wss"})


@rule(
    "endpoint", "bad-endpoint", "error",
    finds="An address that is not a ZeroMQ endpoint: no transport, no port, a port over 65535.",
    why="libzmq would refuse it when the device starts, with an error that names no file and no line.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
)
def bad_endpoint(graph: Graph) -> Iterator[Finding]:
    """Read again what could not be read, for the reason."""
    yield from bad_http_address(graph)
    for link in (*graph.binds, *graph.connects):
        if isinstance(link.written, Address) and link.endpoint is None:
            found = meant_reference(link, graph.topology)
            if found is not None and link.side == "bind":
                yield Finding(link.place, f"{link.end.name} binds {link.text}, but only connect takes a reference",
                              f"write connect: {found}, or bind an address")
            if found is not None:
                continue        # unknown-reference
            try:
                parse(link.text)
            except EndpointError as error:
                meant = corrected(link.text, _is_address)
                yield Finding(link.place, f"{link.end.name}: {error}", f"write {meant}" if meant else error.hint)


@rule(
    "endpoint", "ipc-path-too-long", "error",
    finds=f"An ipc path of more than {IPC_PATH_BYTES} bytes. Bytes count, not characters: é has two in UTF-8.",
    why="The system keeps the path of a socket file in a fixed field; libzmq fails with ENAMETOOLONG.",
    bad=f"""
        devices:
          jobs:
            type: streamer
            in: {{bind: "ipc:///run/{'feed/' * 21}in"}}
            out: {{bind: tcp://*:5560}}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///run/feed/in}
            out: {bind: tcp://*:5560}
        """,
)
def ipc_path_too_long(graph: Graph) -> Iterator[Finding]:
    """Measure every ipc path as the system does."""
    for link in _addressed(graph):
        if link.endpoint is None or link.endpoint.transport != "ipc":
            continue
        # As written: libzmq hands the path to the system without making it any shorter.
        size = len(link.text.removeprefix("ipc://").encode(errors="surrogateescape"))
        if size > IPC_PATH_BYTES:
            yield Finding(
                link.place,
                f"{link.end.name}: the ipc path has {size} bytes, and the system allows {IPC_PATH_BYTES}",
                "use a shorter path, such as one below /run or $XDG_RUNTIME_DIR",
            )


@rule(
    "endpoint", "connect-wildcard", "error",
    finds="A connect to `*`, `0.0.0.0` or `[::]`, or to a port or path that the system would choose.",
    why="These mean \"every interface\" and \"any free port\": they say where to listen, not whom to call.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://producer:5559}
            out: {bind: tcp://*:5560}
        """,
)
def connect_wildcard(graph: Graph) -> Iterator[Finding]:
    """Look at connects that are written as an address; a reference is made reachable."""
    for link in graph.connects:
        endpoint = link.endpoint
        if endpoint is None or isinstance(link.written, Reference):
            continue
        if endpoint.is_wildcard_host:
            yield Finding(
                link.place, f"{link.end.name} connects to {link.text}, and nobody can be reached at a wildcard",
                "name the host (127.0.0.1 for this machine), or use bind",
            )
        elif endpoint.is_system_port:
            yield Finding(
                link.place, f"{link.end.name} connects to {link.text}, whose end only the system knows",
                "connect to DEVICE.SOCKET, which follows the choice of the system, or fix the address on both sides",
            )


@rule(
    "endpoint", "bind-conflict", "error",
    finds="One address that is bound twice. `*`, `0.0.0.0` and `[::]` take the port on every interface, "
    "localhost is 127.0.0.1, and one ipc path may be spelled in several ways.",
    why="The second bind of a port fails when the device starts. The second bind of an ipc path is worse: "
    "it succeeds and takes all traffic from the first without a word.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://127.0.0.1:5559}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.2:5559}
            out: {bind: tcp://127.0.0.1:5559}
        """,
)
def bind_conflict(graph: Graph) -> Iterator[Finding]:
    """Report what the address book has seen, at the later of the two places."""
    yield from http_conflict(graph)
    for later, earlier in graph.book.clashes:
        if _may_be_apart(later, earlier):
            continue
        if later.end is earlier.end:
            who = "twice" if later.text == earlier.text else f"and also {earlier.text}, which takes it"
            yield Finding(
                later.place, f"{later.end.name} binds {later.text} {who}", "remove one of the two", earlier.place
            )
        else:
            as_written = "" if later.text == earlier.text else f" as {earlier.text}"
            yield Finding(
                later.place,
                f"{later.end.name} binds {later.text}, but {earlier.end.name} already binds it{as_written}",
                _other_address(later), earlier.place,
            )


@rule(
    "endpoint", "no-endpoint", "error",
    finds="A socket that neither binds nor connects.",
    why="Nothing can reach it, so the device would do nothing.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {type: PUSH}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {type: PUSH, bind: tcp://*:5560}
        """,
)
def no_endpoint(graph: Graph) -> Iterator[Finding]:
    """Look for a socket with no address at all, not even a wrong one."""
    for end in graph.ends:
        if not end.socket.bind and not end.socket.connect and not end.socket.unread & {"bind", "connect"}:
            yield Finding(
                end.socket.place, f"{end.name} neither binds nor connects",
                "give it an address, such as bind: tcp://*:5559",
            )


@rule(
    "endpoint", "unbound-endpoint", "info",
    finds="A connect to an address of this machine that no device and no peer of the file binds.",
    why="Often it is a mistyped port. If another program binds it, write that program down under `peers`.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://127.0.0.1:5559}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {connect: tcp://127.0.0.1:5559}
            out: {bind: tcp://*:5560}
        peers:
          producer: {type: PUSH, bind: tcp://127.0.0.1:5559}
        """,
)
def unbound_endpoint(graph: Graph) -> Iterator[Finding]:
    """Look for local connects that meet nobody, unless an unreadable bind may be the one."""
    unreadable = graph.topology.unread or any("bind" in end.socket.unread for end in graph.ends)
    if unreadable or any(bind.endpoint is None for bind in graph.binds):
        return
    for node in graph.nodes:
        for link in node.connects if not node.binds else ():
            endpoint = link.endpoint
            if endpoint is None or endpoint.is_wildcard_host or endpoint.is_system_port:
                continue  # other rules speak about these
            if endpoint.transport != "inproc" and graph.book.is_local(link):
                yield Finding(
                    link.place, f"{link.end.name} connects to {link.text}, which nothing in this file binds",
                    "check the address, or add the program that binds it to peers",
                )


@rule(
    "endpoint", "privileged-port", "warning",
    finds="A device that binds a port below 1024.",
    why="Most systems give these ports only to root or to programs with a special capability.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:559}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
)
def privileged_port(graph: Graph) -> Iterator[Finding]:
    """Look at the binds of devices: what a peer binds is its own affair."""
    yield from privileged_http_port(graph)
    for link in graph.binds:
        endpoint = link.endpoint
        if link.ours and endpoint and endpoint.transport in PORTED and endpoint.port and endpoint.port < 1024:
            yield Finding(
                link.place, f"{link.end.name} binds port {endpoint.port}, which needs special rights",
                "use a port from 1024 up",
            )


def _addressed(graph: Graph) -> Iterator[Link]:
    """The links whose address is written down; a reference repeats what stands elsewhere."""
    return (link for link in (*graph.binds, *graph.connects) if isinstance(link.written, Address))


def _may_be_apart(one: Link, other: Link) -> bool:
    """Whether two binds of one inproc name may be in two processes, since a ``run`` could not be read."""
    if one.end.owner is other.end.owner or not one.endpoint or one.endpoint.transport != "inproc":
        return False
    return not (one.end.process_known and other.end.process_known)


def _other_address(link: Link) -> str:
    transport = link.endpoint.transport if link.endpoint else ""
    thing = {"ipc": "path", "inproc": "name"}.get(transport, "port")
    return f"give one of them another {thing}, or let one connect"


def _is_address(text: str) -> bool:
    try:
        parse(text)
    except EndpointError:
        return False
    return True
