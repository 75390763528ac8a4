"""What strangers may cost a device, as options of its sockets, numbers of its loop and memory of its process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zmq

from zmqtopo.config.model import Device, Socket
from zmqtopo.loop import Limits

_HANDSHAKE: Final = 30.0
"""Seconds that libzmq gives a new connection."""

_LEAST_FRAME: Final = 8192
"""Bytes of a frame that every socket takes: those of a handshake are frames too, and none has more than 2 KiB."""

_COMMAND: Final = 16
"""Bytes of a frame with a subscription that are not the topic: 1 or, in ZMTP 3.1, 10."""

_STACK: Final = 8 << 20
"""Bytes of a thread's stack where the system sets no limit to it; pthread_create(3) takes 2 MiB then on x86-64."""

_BESIDE_THE_STACK: Final = 8 << 20
"""Bytes that libzmq and the loop need for a thread at once."""

_REAPER: Final = 1
"""Threads of libzmq beside those for input and output."""

_OURS: Final = 2
"""Threads of a worker beside those of its devices: one reads the monitors of sockets, one answers ZAP."""

_MOST: Final = (1 << 63) - 1


def limit_options(device: Device, socket: Socket) -> Iterator[tuple[int, int]]:
    """Yield the options that keep a socket within the limits of its device, but for those that the file sets."""
    limits = device.limits
    size = limits.message_size
    if _gets_subscriptions_only(device, socket):
        most = max(limits.topic_length + _COMMAND, _LEAST_FRAME)
        size = most if size is None else min(size, most)
    if size is not None and "maxmsgsize" not in socket.options:
        yield zmq.MAXMSGSIZE, size
    if limits.handshake != _HANDSHAKE and "handshake_ivl" not in socket.options:
        # Below half a millisecond it would be 0, which is without limit.
        yield zmq.HANDSHAKE_IVL, max(1, round(limits.handshake * 1000)) if limits.handshake else 0


def loop_limits(device: Device) -> Limits:
    """Return the limits that the loop itself keeps."""
    limits = device.limits
    return Limits(limits.topic_length, limits.topics, limits.frames)


def _gets_subscriptions_only(device: Device, socket: Socket) -> bool:
    """Whether nothing but subscriptions is taken from the peers of a socket: messages may go up from XPUB to XSUB."""
    if socket.role == "mon" or socket.type == "PUB":
        return socket.type in ("PUB", "XPUB")
    other = device.out if socket.role == "in" else device.in_
    return socket.type == "XPUB" and other.type in ("SUB", "PULL")


class MemoryLimit:
    """The data memory of this process, which nobody but us shares: the largest limit of its devices.

    The system counts stacks by their whole size (setrlimit(2), RLIMIT_DATA), so that those of the devices and of
    libzmq's threads, and what the process has before it has any, come on top.
    """

    def __init__(self, io_threads: int) -> None:
        """``io_threads`` are those of the context, which starts them with its first socket."""
        self._wanted: dict[str, int] = {}
        self._usual = resource.getrlimit(resource.RLIMIT_DATA)
        stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
        self._thread = (_STACK if stack == resource.RLIM_INFINITY else stack) + _BESIDE_THE_STACK
        self._before = _data_memory() + (io_threads + _REAPER + _OURS) * self._thread

    def add(self, device: Device) -> None:
        """Set the limit as a device that starts needs it."""
        if device.limits.memory is None:
            self._wanted.pop(device.name, None)
        else:
            self._wanted[device.name] = device.limits.memory
        soft, hard = self._usual
        if self._wanted:
            soft = self._before + max(self._wanted.values()) + len(self._wanted) * self._thread
            soft = min(soft, hard) if hard != resource.RLIM_INFINITY else min(soft, _MOST)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_memory() -> int:
    """Bytes that count towards RLIMIT_DATA; 0 where the system does not say (proc_pid_statm(5))."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:
        return 0
