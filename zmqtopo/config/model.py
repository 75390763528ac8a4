"""The topology as frozen values: what a file says, with every default filled in.

Two topologies compare equal when they would run alike: places in the file and comments do not count.
Nothing here reads files or knows ZeroMQ at run time, so a worker process can import it cheaply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.http import DEFAULT
from zmqtopo.config.problem import Place

DeviceType = Literal["queue", "forwarder", "streamer", "monitored_queue", "proxy"]
Role = Literal["in", "out", "mon"]

ROLES: tuple[Role, ...] = ("in", "out", "mon")

DEFAULT_TYPES: Mapping[DeviceType, tuple[str, str]] = MappingProxyType({
    "queue": ("ROUTER", "DEALER"),
    "forwarder": ("XSUB", "XPUB"),
    "streamer": ("PULL", "PUSH"),
    "monitored_queue": ("ROUTER", "DEALER"),
    "proxy": ("", ""),
})
"""The socket types (in, out) of a device that names none; a proxy has to."""

WITH_MON: frozenset[DeviceType | Literal[""]] = frozenset({"monitored_queue", "proxy"})
"""The types of devices that may have a mon."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address as written; ``endpoint`` is None when it could not be parsed."""

    text: str
    endpoint: Endpoint | None = field(compare=False)
    place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """``DEVICE.SOCKET`` in ``connect``: one connection to what that socket binds."""

    device: str
    socket: Role
    place: Place = field(default=Place(), compare=False)

    @property
    def text(self) -> str:
        """As it is written in the file."""
        return f"{self.device}.{self.socket}"


@dataclass(frozen=True, slots=True)
class File:
    """An option whose value is the content of a file, read when the socket is made: a secret.

    ``part`` names what of the file is meant, where that is not all of it: ``public-key`` or ``secret-key`` of a
    certificate, ``name`` or ``password`` of the one line of a file with users.
    """

    path: str
    part: str = ""


OptionValue = int | bool | str | bytes | File | tuple[str | bytes | int, ...]
"""Times and sizes are in libzmq's unit; a tuple is an option that may be set several times."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Who may connect to a socket, and how it is encrypted. Paths are absolute; empty is what the file does not say.

    ``curve`` is this side's certificate, ``server`` that of the other end; ``allow`` are files and folders with public
    certificates, None where the file does not say it, and ``allow_any`` lets in who has any key. ``plain`` is a file
    with users, ``allow_ips`` are networks as `ipaddress.ip_network` writes them.
    """

    name: str
    curve: str = ""
    server: str = ""
    allow: tuple[str, ...] | None = None
    allow_any: bool = False
    plain: str = ""
    allow_ips: tuple[str, ...] = ()
    allow_uids: tuple[int, ...] = ()
    unread: bool = field(default=False, compare=False)
    """Whether nobody knows all that it says."""
    place: Place = field(default=Place(), compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Socket:
    """One socket of a device or peer.

    ``unread`` names the keys of which nobody knows what they say, so that their absence proves nothing;
    ``type`` is empty where it is the type that could not be read.
    ``option_places`` and the places of the addresses serve reports.
    """

    role: Role
    type: str
    bind: tuple[Address, ...] = ()
    connect: tuple[Address | Reference, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    unread: frozenset[str] = field(default=frozenset(), compare=False)
    place: Place = field(default=Place(), compare=False)
    type_place: Place = field(default=Place(), compare=False)
    option_places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    mode: int | None = None
    """Permissions of the ipc paths that it binds; None is what the umask leaves."""
    group: str | int | None = None
    """The group that owns these paths, by name or number; None is that of the process."""
    mode_place: Place = field(default=Place(), compare=False)
    group_place: Place = field(default=Place(), compare=False)
    security: str = ""
    """The name of its profile; empty for none."""
    security_place: Place = field(default=Place(), compare=False)
    secured_by: frozenset[str] = field(default=frozenset(), compare=False)
    """Those of its options that its profile has set."""


@dataclass(frozen=True, slots=True)
class MonSocket(Socket):
    """The monitor socket: what goes before each copy, None for nothing, and what to do when it cannot take one."""

    prefix_in: bytes | None = b"in"
    prefix_out: bytes | None = b"out"
    overflow: Literal["drop", "block"] = "block"
    overflow_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Run:
    """Where a device runs: a thread of the supervisor, or a process, alone or with its ``group``."""

    kind: Literal["thread", "process"] = "thread"
    group: str | None = None

    @property
    def text(self) -> str:
        """As it is written in the file."""
        return f"{self.kind}/{self.group}" if self.group else self.kind


@dataclass(frozen=True, slots=True)
class Restart:
    """When and how a device that ended is started again; times in seconds."""

    policy: Literal["never", "on-failure", "always"] = "on-failure"
    backoff: tuple[float, float] = (0.1, 30.0)
    max_retries: int | None = None
    stable_after: float = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may cost a device; sizes are in bytes, ``handshake`` is in seconds, None is without limit.

    ``message_size`` is of a frame, ``memory`` of the worker process. ``places`` are those of what the file says.
    """

    message_size: int | None = None
    frames: int = 1_000_000
    topics: int = 1_000_000
    topic_length: int = 4096
    handshake: float = 30.0
    memory: int | None = None
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A broker: what comes in on ``in_`` goes to ``out`` and back; ``mon`` sees copies.

    ``stop_timeout`` is in seconds; ``peers`` says whether it is noted who is connected. In a file with errors
    ``unread`` names the keys of which nobody knows what they say, and ``type`` is empty where it is one of them.
    """

    name: str
    type: DeviceType | Literal[""]
    in_: Socket
    out: Socket
    mon: MonSocket | None = None
    run: Run = Run()
    restart: Restart = Restart()
    stop_timeout: float = 5.0
    description: str = ""
    graph: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    peers: bool = True
    unread: frozenset[str] = field(default=frozenset(), compare=False)
    place: Place = field(default=Place(), compare=False)
    type_place: Place = field(default=Place(), compare=False)

    def socket(self, role: Role) -> Socket | None:
        """The socket of that role, or None."""
        if role == "in":
            return self.in_
        return self.out if role == "out" else self.mon

    @property
    def sockets(self) -> Iterator[Socket]:
        """The sockets that are there, in the order in, out, mon."""
        yield self.in_
        yield self.out
        if self.mon is not None:
            yield self.mon

    @property
    def process(self) -> str:
        """The operating-system process it runs in: equal text, same process ("" is the supervisor's)."""
        if self.run.kind == "thread":
            return ""
        return f"group {self.run.group}" if self.run.group else f"device {self.name}"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that zmqtopo does not run: checked and drawn, never started. ``unread`` is as in `Device`."""

    name: str
    type: str
    bind: tuple[Address, ...] = ()
    connect: tuple[Address | Reference, ...] = ()
    description: str = ""
    graph: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = field(default=frozenset(), compare=False)
    place: Place = field(default=Place(), compare=False)
    type_place: Place = field(default=Place(), compare=False)
    security: str | None = None
    """The name of its profile, empty for none; None where the file does not say it."""
    security_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """Settings of the ZeroMQ context of each process; ``max_sockets`` None is as many as needed."""

    io_threads: int = 1
    max_sockets: int | None = None


@dataclass(frozen=True, slots=True)
class Http:
    """The HTTP server: where it ``listen``s, what it allows, and the names by which it may be called."""

    listen: str = DEFAULT
    control: bool = False
    tap: bool = False
    token: File | None = None
    hosts: tuple[str, ...] = ()
    place: Place = field(default=Place(), compare=False)
    """That of its address."""
    token_place: Place = field(default=Place(), compare=False)
    unread: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole file. ``devices`` and ``peers`` keep the order of the file; ``unread`` is as in `Device`."""

    name: str
    devices: Mapping[str, Device]
    peers: Mapping[str, Peer] = field(default_factory=dict)
    description: str = ""
    version: int | float = 1
    context: ContextSettings = ContextSettings()
    http: Http | None = None
    security: Mapping[str, Profile] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    unread: frozenset[str] = field(default=frozenset(), compare=False)
