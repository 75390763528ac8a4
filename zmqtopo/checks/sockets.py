"""What libzmq's socket types can do: which way messages go, who talks to whom, what makes a device.

The facts are those of the man page zmq_socket(3) and of ZeroMQ RFCs 28 (request-reply), 29
(publish-subscribe), 30 (pipeline) and 31 (exclusive pair).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_ONE_WAY_OUT: Final = frozenset({"PUB", "XPUB", "PUSH"})
_ONE_WAY_IN: Final = frozenset({"SUB", "XSUB", "PULL"})

PARTNERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "PAIR": frozenset({"PAIR"}),
    "PUB": frozenset({"SUB", "XSUB"}),
    "XPUB": frozenset({"SUB", "XSUB"}),
    "SUB": frozenset({"PUB", "XPUB"}),
    "XSUB": frozenset({"PUB", "XPUB"}),
    "REQ": frozenset({"REP", "ROUTER"}),
    "REP": frozenset({"REQ", "DEALER"}),
    "DEALER": frozenset({"REP", "DEALER", "ROUTER"}),
    "ROUTER": frozenset({"REQ", "DEALER", "ROUTER"}),
    "PUSH": frozenset({"PULL"}),
    "PULL": frozenset({"PUSH"}),
})
"""Who accepts whom in the handshake. A type that is not here (STREAM) speaks to anything."""

_QUEUE: Final = frozenset({("ROUTER", "DEALER"), ("DEALER", "DEALER"), ("PAIR", "PAIR"), ("DEALER", "ROUTER")})
_FORWARDER: Final = frozenset({("XSUB", "XPUB"), ("SUB", "PUB"), ("SUB", "XPUB"), ("XPUB", "XSUB")})
_STREAMER: Final = frozenset({("PULL", "PUSH"), ("PULL", "PUB"), ("PULL", "XPUB"), ("SUB", "PUSH")})

_SOURCES: Final = frozenset({"PAIR", "SUB", "DEALER", "ROUTER", "PULL"})
_DESTINATIONS: Final = frozenset({"PAIR", "PUB", "DEALER", "ROUTER", "PUSH", "XPUB"})
_ANSWERING: Final = frozenset({"PAIR", "DEALER", "ROUTER"})
_ONE_WAY: Final = frozenset({
    *((one, other) for one in _SOURCES for other in _DESTINATIONS),
    ("XSUB", "XPUB"),                                           # which needs the subscriptions of the XPUB
    *((one, "REQ") for one in _SOURCES | {"REP"}),              # REQ receives only what it has asked for
    *(("REP", other) for other in _ANSWERING),                  # REP takes no second request before an answer
})
"""From which type of socket a device can go on passing messages to which: the man page zmq_socket(3) says of each type
when it sends and when it receives."""

DEVICE_PAIRS: Final[Mapping[str, frozenset[tuple[str, str]]]] = MappingProxyType({
    "queue": _QUEUE,
    "forwarder": _FORWARDER,
    "streamer": _STREAMER,
    "monitored_queue": _QUEUE | _FORWARDER | _STREAMER | {("ROUTER", "ROUTER")},
    "proxy": _ONE_WAY | {(other, one) for one, other in _ONE_WAY},
})
"""The pairs (in, out) that carry messages in each type of device."""

MON_NEVER_BLOCKS: Final = frozenset({"PUB", "XPUB"})
MON_CAN_BLOCK: Final = frozenset({"PUSH", "PAIR", "DEALER"})


def sends(socket_type: str) -> bool:
    """Whether messages leave such a socket; the subscriptions of SUB and XSUB do not count."""
    return socket_type not in _ONE_WAY_IN


def receives(socket_type: str) -> bool:
    """Whether messages arrive at such a socket; the subscriptions that XPUB sees do not count."""
    return socket_type not in _ONE_WAY_OUT


def can_talk(one: str, other: str) -> bool:
    """Whether two sockets at the ends of one connection accept each other."""
    return one not in PARTNERS or other not in PARTNERS or other in PARTNERS[one]


def pattern(one: str, other: str) -> str:
    """The name of the messaging pattern between two socket types that can talk."""
    types = {one, other}
    if types & {"PUB", "XPUB", "SUB", "XSUB"}:
        return "pub/sub"
    if types & {"PUSH", "PULL"}:
        return "push/pull"
    return "pair" if types == {"PAIR"} else "request/reply"
