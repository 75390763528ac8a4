"""Options and transports with which a socket cannot work: tried against libzmq 4.3.5, each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_interface, ip_network
from typing import Final

from zmqtopo.checks.graph import End, Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.options import SCOPE
from zmqtopo.config.ipv6 import ipv6_addresses
from zmqtopo.config.model import Address, Device, MonSocket, Socket
from zmqtopo.config.problem import Place

_MULTICAST: Final = frozenset({"pgm", "epgm", "norm"})
_HAS_MULTICAST: Final = frozenset({"PUB", "SUB", "XPUB", "XSUB"})

_LOOPBACK: Final = {"127.": ip_network("127.0.0.0/8"), "::1": ip_network("::1/128")}
"""From where connections to an address come that begins so."""
_MAPPED: Final = ip_network("::ffff:127.0.0.0/104")
"""The same of IPv4, as a socket with ipv6 sees it."""

_SMALLEST_HANDSHAKE: Final = 26
"""Bytes of the shortest command that a peer begins with: READY with the type PUSH. Less lets nobody in."""
_ROUTING_HANDSHAKE: Final = 41
"""The same of DEALER, with an empty routing id, which every peer of a ROUTER sends at least."""
_CURVE_CLIENT_HANDSHAKE: Final = 168
"""The command WELCOME of a CURVE server."""
_CURVE_SERVER_HANDSHAKE: Final = 251
"""What the command INITIATE of a CURVE client has beside the bytes that READY has without security."""


@rule(
    "socket", "unusable-option", "error",
    finds="An option with which a socket of a device cannot work: nothing gets through, or libzmq ends the process. "
    "These are `conflate`, `xpub_manual`, `socks_proxy`, `invert_matching` on one side only, `ipv6: false` with an "
    "IPv6 address, an `affinity` to I/O threads that are not there, a `tcp_accept_filter` without this machine at "
    "an address that only this machine reaches, a SUB without subscription, a `maxmsgsize` or "
    "`limits.message_size` below that of a handshake, `limits.frames` below those of every message, and `router_raw` "
    "with peers that speak ZMTP.",
    why="libzmq takes the option, the device starts and looks healthy, and no message passes; or it runs until the "
    "first message of two frames comes, and an assertion of libzmq ends the whole process.",
    bad="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {xpub_manual: true}}
        """,
    good="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
)
def unusable_option(graph: Graph) -> Iterator[Finding]:
    """Look at each socket by itself, then at the two ends of each connection."""
    for end in graph.ends:
        if isinstance(end.socket, Socket) and isinstance(end.owner, Device):
            for option, message, hint in _unusable(end, end.socket, end.owner, graph):
                if option not in SCOPE or not end.type_known or end.type in SCOPE[option]:
                    yield Finding(place_of(end.socket, option), f"{end.name}: {message}", hint)
    yield from _one_sided(graph)
    yield from _too_little(graph)


@rule(
    "endpoint", "transport-scope", "error",
    finds="A transport that the socket's type does not have: udp is for RADIO, DISH and DGRAM, and pgm, epgm and norm "
    "are for PUB, SUB, XPUB and XSUB.",
    why="libzmq refuses the address when the device starts, with an error that names neither.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: "udp://127.0.0.1:5559"}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: "tcp://127.0.0.1:5559"}
            out: {bind: tcp://*:5560}
        """,
)
def transport_scope(graph: Graph) -> Iterator[Finding]:
    """Compare the transport of each address with the type of its socket, unless that is unreadable."""
    for link in (*graph.binds, *graph.connects):
        if link.endpoint is None or not isinstance(link.written, Address) or not link.end.type_known:
            continue
        if transport := wrong_transport(link.endpoint.transport, link.end.type):
            hint = "use tcp, ipc or inproc"
            if transport != "udp":
                hint += f", or one of PUB, SUB, XPUB and XSUB with {transport}"
            message = f"{link.end.name} is of type {link.end.type}, which does not have the transport {transport}"
            yield Finding(link.place, message, hint)


def wrong_transport(transport: str, type_: str) -> str:
    """Return the transport where the socket type does not have it, otherwise nothing."""
    wrong = transport == "udp" or (transport in _MULTICAST and type_ not in _HAS_MULTICAST)
    return transport if wrong else ""


def place_of(socket: Socket, option: str) -> Place:
    """Where the option stands, or the socket where it follows from something else."""
    return socket.option_places.get(option, socket.place)


def _unusable(end: End, socket: Socket, device: Device, graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Yield option, message and remedy of what a socket cannot work with, whatever is at its other end."""
    options = socket.options
    if options.get("conflate") and _has_frames(socket):
        yield ("conflate", "conflate keeps single frames and not messages; of a message with two libzmq loses the "
               "first, or aborts", "remove it, and set it on the last receiver, if its messages have one frame")
    for option in ("xpub_manual", "xpub_manual_last_value"):
        if options.get(option):
            yield (option, f"with {option} a subscription counts only when a program has confirmed it, which no device "
                   "does: it delivers nothing", "remove it")
    if _takes_nothing(end):
        yield ("invert_matching", "everything matches the subscription to '', so with invert_matching nothing comes in",
               "subscribe to the prefixes of what is not wanted, or remove it")
    if option := _subscribes_to_nothing(end, socket):
        yield option, "it is left without any subscription, so nothing comes in", \
            "subscribe to some prefix, or remove it: a SUB without it receives everything"
    if "socks_proxy" in options:
        yield ("socks_proxy", "libzmq aborts when the proxy refuses a connection, and takes the whole process with it",
               "connect to a tunnel of ssh or socat on this machine instead")
    threads = graph.topology.context.io_threads
    affinity = options.get("affinity", 0)
    if isinstance(affinity, int) and affinity and "io_threads" not in graph.topology.unread \
            and not affinity & ((1 << threads) - 1):
        yield ("affinity", f"affinity {affinity} names no I/O thread that is there: context.io_threads is {threads}",
               "raise context.io_threads, or remove it")
    yield from _too_small(end, options.get("maxmsgsize", -1))
    yield from _filtered_out(socket)
    if "ipv6" in options and not options["ipv6"]:
        for address in ipv6_addresses(socket, device, graph.topology):
            yield ("ipv6", f"without ipv6 it cannot use {address.text}", "remove ipv6: false, which follows by itself")


def _filtered_out(socket: Socket) -> Iterator[tuple[str, str, str]]:
    """Yield addresses that only this machine reaches and whose accept filters leave this machine out."""
    filters = _texts(socket.options.get("tcp_accept_filter"))
    if not filters or not all(isinstance(one, str) for one in filters):
        return
    networks = [ip_interface(str(one).strip("[]")).network for one in filters]
    for address in socket.bind:
        host = address.endpoint.host if address.endpoint is not None and address.endpoint.transport == "tcp" else ""
        own = next((each for prefix, each in _LOOPBACK.items() if host.startswith(prefix)), None)
        if own is None:
            continue
        seen = (own, _MAPPED) if socket.options.get("ipv6") else (own,)
        if not any(one.version == each.version and one.overlaps(each) for one in networks for each in seen):
            yield ("tcp_accept_filter", f"nobody can get in: only this machine reaches {address.text}, and no filter "
                   "accepts it", f"add {own}, or remove the filter")
            return


def _too_small(end: End, size: object) -> Iterator[tuple[str, str, str]]:
    needed = _handshake(end)
    if isinstance(size, int) and 0 <= size < needed:
        yield ("maxmsgsize", f"maxmsgsize {size} lets no peer in: a command of the handshake has {needed} bytes "
               "or more", "use at least 1KiB, or -1 for no limit")


def _handshake(end: End) -> int:
    """The size of the longest command that every peer of a socket sends before its first message."""
    options = end.socket.options if isinstance(end.socket, Socket) else {}
    plain = _ROUTING_HANDSHAKE if end.type == "ROUTER" else _SMALLEST_HANDSHAKE
    if options.get("curve_server"):
        return plain + _CURVE_SERVER_HANDSHAKE
    return max(plain, _CURVE_CLIENT_HANDSHAKE) if "curve_serverkey" in options else plain


def _too_little(graph: Graph) -> Iterator[Finding]:
    """Yield the limits of devices that let nothing through, each once where it is written."""
    told: set[Place] = set()
    for device in graph.topology.devices.values():
        for limit, message, hint in _too_small_limits(device, [e for e in graph.ends if e.owner is device]):
            place = device.limits.places.get(limit, device.place)
            if place not in told:
                told.add(place)
                yield Finding(place, f"{device.name}: {message}", hint)


def _too_small_limits(device: Device, ends: Iterable[End]) -> Iterator[tuple[str, str, str]]:
    known = [(end, end.socket) for end in ends if isinstance(end.socket, Socket) and end.type_known
             and "options" not in end.socket.unread]
    size = device.limits.message_size
    for end, socket in known:
        needed = _handshake(end)
        # An option that could not be read may be the one that has the last word.
        if size is not None and size < needed and "maxmsgsize" not in socket.option_places:
            yield ("message_size", f"limits.message_size {size} lets no peer of {end.name} in: a command of the "
                   f"handshake has {needed} bytes or more", "use at least 1KiB, or -1 for no limit")
            break
    if device.limits.frames < 2 and (router := next((e for e, _ in known if e.type == "ROUTER"), None)):
        yield ("frames", f"{router.name} is of type ROUTER, whose messages begin with the frame of the routing id: "
               "of those with 2 frames and more limits.frames 1 drops all", "use at least 2, and 3 for REQ and REP")


def _one_sided(graph: Graph) -> Iterator[Finding]:
    """Yield what only the two ends of a connection show."""
    for bind, connect in graph.connections:
        for one, other in ((bind.end, connect.end), (connect.end, bind.end)):
            if not isinstance(one.socket, Socket) or not (one.type_known and other.type_known):
                continue
            if one.socket.options.get("router_raw") and one.type == "ROUTER" and other.type != "STREAM" \
                    and not (isinstance(other.socket, Socket) and other.socket.options.get("router_raw")):
                yield Finding(place_of(one.socket, "router_raw"),
                              f"{one.name}: router_raw speaks plain tcp, and {other.name} ({other.type}) speaks ZMTP",
                              "remove it, or let programs without ZeroMQ connect here", connect.place)
            if one.socket.options.get("invert_matching") and isinstance(other.socket, Socket) \
                    and not other.socket.options.get("invert_matching") and other.type in SCOPE["invert_matching"] \
                    and not _takes_nothing(one):
                yield Finding(place_of(one.socket, "invert_matching"),
                              f"{one.name}: invert_matching is not set at the other end, {other.name}: nothing passes",
                              "set it on both, or remove it", connect.place)


def _takes_nothing(end: End) -> bool:
    """Whether it is a SUB that subscribes to everything and inverts that."""
    options = end.socket.options if isinstance(end.socket, Socket) else {}
    return end.type == "SUB" and bool(options.get("invert_matching")) and "" in _texts(options.get("subscribe"))


def _subscribes_to_nothing(end: End, socket: Socket) -> str:
    """Return the option that leaves a SUB without subscription; they are set in the order of the file."""
    options = socket.options
    if end.type != "SUB" or options.get("invert_matching") or "subscribe" not in options:
        return ""
    if not options["subscribe"]:
        return "subscribe"
    names = list(options)
    if "unsubscribe" not in options or names.index("unsubscribe") < names.index("subscribe"):
        return ""
    left = Counter(_texts(options["subscribe"])) - Counter(_texts(options["unsubscribe"]))
    return "" if left else "unsubscribe"


def _has_frames(socket: Socket) -> bool:
    """Whether its messages may have several frames; strangers decide that, but for copies of single frames."""
    return not isinstance(socket, MonSocket) or socket.prefix_in is not None or socket.prefix_out is not None


def _texts(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()
