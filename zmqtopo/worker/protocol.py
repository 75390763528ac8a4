"""What the supervisor and its workers say to each other. Every value can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.zap import Policy
from zmqtopo.config.model import Device, OptionValue, Role
from zmqtopo.loop import Overflow

Endpoints = Mapping[Role, tuple[str, ...]]
"""Addresses by role: in, out, mon."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Make the device's sockets, set their options and bind them; answered by `Bound` or `Failed`.

    ``binds`` are the addresses to bind: those of the file, or on a restart those that the device had before.
    """

    device: Device
    binds: Endpoints
    block: CounterBlock | None
    """The memory for its counters; None on the way to another process, where the descriptor of its segment follows."""
    patient: bool = False
    """The previous owner of an address may be about to release it."""
    index: int = 0
    """Of the block in its segment, on the way to another process."""
    policies: Mapping[str, Policy] = field(default_factory=dict, repr=False)
    """Who may connect, by domain of ZAP."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect a bound device and run it; answered by `Ready` or `Failed`, and later by `Stopped` or `Failed`."""

    name: str
    connects: Endpoints
    paused: bool = False
    """Let it take no message before it is told to resume, not a single one; a `Pause` or a `Quiesce` follows."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Let others connect to a device than before; who is connected already stays."""

    name: str
    policies: Mapping[str, Policy] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """Pass on what has been received and end, within ``timeout`` seconds; 0 is at once.

    ``fed`` says that another device has just ended and may have sent it something, which is still on its way.
    """

    name: str
    timeout: float
    fed: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop taking messages; answered by `Paused` unless the device ends."""

    name: str


@dataclass(frozen=True, slots=True)
class Quiesce:
    """As `Pause`, for so short a time that nobody calls it that; answered by `Quiesced` unless the device ends."""

    name: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after a `Pause` or a `Quiesce`; answered by `Resumed` unless the device ends."""

    name: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Connect a running device once more to inproc addresses that have been closed and bound again.

    Over inproc a connection ends with the socket that had bound it; libzmq connects again only what goes over others.
    """

    name: str
    connects: Endpoints


@dataclass(frozen=True, slots=True)
class Adapt:
    """Let a running device be another one on the sockets that it has; answered by `Adapted` unless it ends.

    ``settings`` are the options to set, one value each, in order; what its loop has to know is in ``device``.
    """

    name: str
    device: Device
    settings: tuple[tuple[Role, str, OptionValue], ...]


@dataclass(frozen=True, slots=True)
class OpenTap:
    """Let others look on at ``file`` in ``folder``; answered by `TapOpened` unless the device ends.

    With ``block`` the device waits for those who look on, otherwise they miss what they have no room for. One that is
    open already is bound there too.
    """

    name: str
    overflow: Overflow
    folder: str
    file: str


@dataclass(frozen=True, slots=True)
class CloseTap:
    """Let nobody look on any more."""

    name: str
    overflow: Overflow


@dataclass(frozen=True, slots=True)
class End:
    """All devices have ended: end the context, which waits for their LINGER, and then the worker."""


@dataclass(frozen=True, slots=True)
class TellPeers:
    """Tell who is connected to the devices of this process, and who was; answered by `PeersTold` of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class DropPeer:
    """Cut off the peer of that id; answered by `PeerDropped` of that number."""

    number: int
    peer: str


Order = (
    Bind | Admit | Connect | Stop | Pause | Quiesce | Resume | Reconnect | Adapt | OpenTap | CloseTap | TellPeers
    | DropPeer | End
)


@dataclass(frozen=True, slots=True)
class Bound:
    """Every address is bound; ``endpoints`` are the real ones."""

    name: str
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Ready:
    """The device moves messages, in the thread that the system knows by this number."""

    name: str
    thread: int | None = field(default=None, compare=False)
    """`threading.Thread.native_id`: on Linux the folder of the thread below ``/proc/PID/task``."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The device takes no messages until it is told to resume."""

    name: str


@dataclass(frozen=True, slots=True)
class Quiesced:
    """The device moves nothing until it is told to resume."""

    name: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The device moves messages again."""

    name: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """The device is now as in the `Adapt` that it was given."""

    name: str
    device: Device


@dataclass(frozen=True, slots=True)
class TapOpened:
    """Others can look on, or cannot for the reason in ``error``."""

    name: str
    overflow: Overflow
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The device has ended by an error, or could not start; its sockets are closed."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The device has ended because it was told to, or because its context ended; its sockets are closed."""

    name: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The LINGER of a device that has ended was over before libzmq had sent all that its process had left."""

    name: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to be told of a device that changes no state: ``event`` is a word for programs, ``text`` for people."""

    name: str
    event: str
    text: str


@dataclass(frozen=True, slots=True)
class PeersTold:
    """A part of a report, as rows in JSON's types; the last part says how many were ``left_out`` of it.

    What they are is said in `zmqtopo.broker.peers.connections.row` and `zmqtopo.broker.peers.descriptors.figures`.
    """

    number: int
    rows: tuple[dict[str, Any], ...]
    is_last: bool = False
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class PeerDropped:
    """Whether the peer has been cut off: None when there is none of that id, False when it was just going itself."""

    number: int
    cut: bool | None


DeviceEvent = Bound | Ready | Paused | Quiesced | Resumed | Adapted | TapOpened | Failed | Stopped | Unsent | Noted
"""What a worker says of one of its devices, by its name."""

Event = DeviceEvent | PeersTold | PeerDropped
"""What a worker says."""
