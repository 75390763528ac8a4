"""What all the old formats say, as values: devices with a frontend and a backend, and who runs them.

Texts are as written; each has its line, for notes and errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zmqtopo.convert.tree import Item

OPTIONS = ("hwm", "swap", "affinity", "identity", "subscribe", "unsubscribe", "rate", "recovery_ivl", "mcast_loop",
           "sndbuf", "rcvbuf", "linger", "reconnect_ivl", "reconnect_ivl_max", "backlog")
"""The options of libzmq 2 that the formats name, and those that came with 2.1."""


@dataclass(frozen=True, slots=True)
class OldSocket:
    """A socket; ``type`` is None where the device decides. ``options`` are items named as in OPTIONS."""

    name: str
    line: int
    type: Item | None = None
    bind: Sequence[Item] = ()
    connect: Sequence[Item] = ()
    options: Sequence[Item] = ()


@dataclass(frozen=True, slots=True)
class OldDevice:
    """A device; ``type`` is None for a program that runs sockets of its own."""

    name: str
    line: int
    type: Item | None
    sockets: Sequence[OldSocket]


@dataclass(frozen=True, slots=True)
class OldApp:
    """A process with one context; ``name`` is empty where the file is the process."""

    name: str
    line: int
    devices: Sequence[OldDevice]
    io_threads: Item | None = None
    verbose: Item | None = None


@dataclass(frozen=True, slots=True)
class Old:
    """A whole file; ``subscribes`` tells whether a SUB of a forwarder subscribed to everything by itself."""

    apps: Sequence[OldApp]
    subscribes: bool = False
