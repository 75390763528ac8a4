"""What is measured, as values: the device, the load that goes through it, and what it stands beside.

A device is that of a topology (`zmqtopo.config.model.Device`), whether it comes from a file or from here, and each
contestant does its work with its socket types, options and transports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final, Literal

from zmqtopo.broker.sockets import MOST_SUBSCRIPTIONS
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import (
    DEFAULT_TYPES,
    Address,
    ContextSettings,
    Device,
    DeviceType,
    MonSocket,
    OptionValue,
    Role,
    Socket,
)

Transport = Literal["tcp", "ipc", "inproc"]
Contestant = Literal[
    "direct", "zmq.proxy", "zmq.monitored_queue", "zmqtopo.thread", "zmqtopo.process", "zmqtopo.plain"
]

CONTESTANTS: Final[dict[Contestant, str]] = {
    "direct": "no device: the two ends connected to each other",
    "zmq.proxy": "libzmq's proxy, as pyzmq calls it",
    "zmq.monitored_queue": "that of pyzmq's zmq.devices",
    "zmqtopo.thread": "zmqtopo's device in a thread",
    "zmqtopo.process": "zmqtopo's device in a process of its own",
    "zmqtopo.plain": "zmqtopo's device in a thread, without the monitor of the others",
}
TRANSPORTS: Final[tuple[Transport, ...]] = ("tcp", "ipc", "inproc")

SMALLEST: Final = 16
"""Bytes of the smallest message; 8 are for marks, and a request has 8 bytes of time in it."""

QUEUED_BYTES: Final = 32 << 20
"""What a socket's queue may hold: libzmq counts messages, and 1,000 of 1 MiB in each of four queues are too many."""

HWM: Final = 1000
"""libzmq's own high-water mark."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages one way, from one source to ``sinks``, as fast as they go, or ``rate`` a second where that is not 0.

    With ``topics`` (PUB and SUB) message number n is of topic n modulo ``topics``, of which each has one sink, in
    turn; the source waits for room, and what the device's queues have no room for is lost. ``readers`` read the copies
    on mon.
    """

    sinks: int = 1
    topics: int = 0
    readers: int = 0
    rate: float = 0


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests and their replies: ``clients`` with ``window`` requests on their way each, ``workers`` that echo.

    ``readers`` take the copies on mon.
    """

    clients: int = 1
    window: int = 1
    workers: int = 1
    readers: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison. ``size`` is in bytes; ``context`` is for who runs the device."""

    pattern: str
    device: Device
    size: int
    load: Stream | Requests
    contestants: tuple[Contestant, ...]
    context: ContextSettings = field(default_factory=ContextSettings)
    title: str = ""

    @property
    def transport(self) -> str:
        """The transport of both ends, or those of in and out."""
        both = [transport_of(self.device.in_), transport_of(self.device.out)]
        return both[0] if both[0] == both[1] else " to ".join(both)


def transport_of(socket: Socket) -> str:
    """The transport of the one address that a socket of a case binds."""
    endpoint = socket.bind[0].endpoint
    assert endpoint is not None
    return endpoint.transport


def socket_for(role: Role, type_: str, transport: str, size: int, options: dict[str, OptionValue]) -> Socket:
    """A socket that binds where there is room: ports of the system's choice; for ipc a name comes with the run."""
    address = {"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://*"}.get(transport, f"inproc://{role}")
    known: dict[str, OptionValue] = {"hwm": queue_length(size)}
    if type_ in ("SUB", "XSUB"):
        known["sndhwm"] = MOST_SUBSCRIPTIONS        # as zmqtopo has it; others would lose subscriptions, and be ahead
    known |= options
    make = MonSocket if role == "mon" else Socket
    return make(role, type_, (Address(address, parse(address)),), options=known)


def queue_length(size: int) -> int:
    """The high-water mark for messages of ``size`` bytes."""
    return max(min(HWM, QUEUED_BYTES // size), 1)


def window_for(size: int, clients: int, window: int) -> int:
    """As many of ``window`` requests of ``size`` bytes as each of the clients may have on the way.

    A client's share of what a queue may hold: what a ROUTER has no room for is lost, and a client would wait for it
    without limit.
    """
    return max(min(window, QUEUED_BYTES // (size * clients)), 1)


def topics_for(size: int, topics: int) -> int:
    """As many of ``topics`` as there may be texts of ``size`` bytes in memory."""
    return max(min(topics, QUEUED_BYTES // size), 1) if topics else 0


# -- the cases of the command ----------------------------------------------------------------------------------------

PATTERNS: Final[dict[str, tuple[DeviceType, str]]] = {
    "streamer": ("streamer", "PUSH to device to PULL"),
    "forwarder": ("forwarder", "PUB to device to SUBs"),
    "queue": ("queue", "many requests at a time, from DEALERs to device to REPs"),
    "latency": ("queue", "one request at a time"),
    "monitored_queue": ("monitored_queue", "PUSH to device to PULL, with a PUB for copies"),
}
"""Each pattern with its type of device and what it is."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be measured; the cases are all that go together."""

    patterns: tuple[str, ...] = tuple(PATTERNS)
    sizes: tuple[int, ...] = (SMALLEST,)
    transports: tuple[str, ...] = ("tcp",)
    subscribers: tuple[int, ...] = (10,)
    topics: int = 1000
    clients: int = 32
    window: int = 16
    workers: int = 8
    readers: tuple[int, ...] = (0, 1)
    rate: float = 0


TELLING: Final = (
    Selection(("streamer",), (16, 64 << 10)),
    Selection(("streamer",), (16,), ("inproc",)),
    Selection(("forwarder", "queue", "latency", "monitored_queue")),
)
"""What a bench without arguments measures."""


def cases(selection: Selection, only: Iterable[Contestant] = CONTESTANTS) -> list[Case]:
    """Every case of this selection, for those contestants that can take part."""
    return [
        _case(pattern, transport, size, load, tuple(only))
        for pattern, transport, size in product(selection.patterns, selection.transports, selection.sizes)
        for load in _loads(pattern, size, selection)
    ]


def _loads(pattern: str, size: int, selection: Selection) -> list[Stream | Requests]:
    match pattern:
        case "forwarder":
            return [Stream(n, max(topics_for(size, selection.topics), n), rate=selection.rate)
                    for n in selection.subscribers]
        case "queue":
            window = window_for(size, selection.clients, selection.window)
            return [Requests(selection.clients, window, selection.workers)]
        case "latency":
            return [Requests()]
        case "monitored_queue":
            return [Stream(readers=n, rate=selection.rate) for n in selection.readers]
    return [Stream(rate=selection.rate)]


def _case(
    pattern: str, transport: str, size: int, load: Stream | Requests, only: tuple[Contestant, ...]
) -> Case:
    kind = PATTERNS[pattern][0]
    types = DEFAULT_TYPES["streamer" if kind == "monitored_queue" else kind]
    in_, out = socket_for("in", types[0], transport, size, {}), socket_for("out", types[1], transport, size, {})
    device = Device("bench", kind, in_, out)
    able = [c for c in only if not (transport == "inproc" and c == "zmqtopo.process")]
    if kind == "monitored_queue":
        mon = socket_for("mon", "PUB", transport, size, {})
        assert isinstance(mon, MonSocket)
        device = replace(device, mon=mon)
    else:
        able = [c for c in able if c != "zmqtopo.plain"]
    return Case(pattern, device, size, load, tuple(able), title=title(pattern, size, transport, load))


def title(what: str, size: int, transport: str, load: Stream | Requests) -> str:
    """A case in words."""
    parts = [what, show_size(size), transport]
    if isinstance(load, Requests):
        if (load.clients, load.window) != (1, 1):
            clients, workers = _count(load.clients, "client"), _count(load.workers, "worker")
            parts.append(f"{clients} with {_count(load.window, 'request')} each, {workers}")
        else:
            parts.append("one request at a time")
    elif load.topics:
        parts.append(f"{_count(load.sinks, 'subscriber')}, {_count(load.topics, 'topic')}")
    if isinstance(load, Stream) and load.rate:
        parts.append(f"{load.rate:,.0f} a second")
    if load.readers:
        parts.append(f"{_count(load.readers, 'reader')} on mon")
    elif what == "monitored_queue":
        parts.append("nobody on mon")
    return ", ".join(parts)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def show_size(size: int) -> str:
    """``16 B``, ``64 KiB``, ``1.5 MiB``."""
    for unit, bytes_ in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_:
            return f"{size / bytes_:.4g} {unit}"
    return f"{size} B"
