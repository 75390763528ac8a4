"""The broker loop and the one way to call it."""

from __future__ import annotations

import enum
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import zmq

try:
    import zmqtopo.loop._loop as _loop  # "from zmqtopo.loop" would call what is missing a circular import
except ModuleNotFoundError as error:
    raise ImportError(
        "zmqtopo's loop is not compiled in this source tree; build it with: pip install -e .", name=error.name
    ) from error

from zmq.backend.cython import _zmq

__all__ = ["BLOCK_SIZE", "DEFAULT_LIMITS", "UNCHECKED", "Limits", "Overflow", "Subscriptions", "relay"]

# pyzmq's extension module has libzmq loaded, linked into it or beside it; dlsym finds the functions in both cases.
_loop.load(_zmq.__file__)

BLOCK_SIZE: int = _loop.BLOCK_SIZE
"""Bytes of the block in which the loop keeps its state and counters."""

Overflow = Literal["drop", "block"]
"""What happens to a copy that a PUSH, PAIR or DEALER monitor cannot take: it is lost, or its direction waits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the messages of strangers may cost a loop. What is beyond a limit is not passed on and counts as dropped."""

    topic_length: int = 4096
    """Bytes of a topic that reaches an XSUB, whose table libzmq clears by recursion: 80 bytes of stack for each."""
    topics: int = 1_000_000
    """Topics that an XPUB passes on at a time, at 32 to 64 bytes each."""
    frames: int = 1_000_000
    """Frames of a message, at 64 bytes each."""


class Subscriptions(enum.IntFlag):
    """How subscriptions go from an XPUB to an XSUB, and what is known of messages that their readers miss."""

    CHECKED = 1
    """`zmqtopo.broker.subscriptions.prepare` has prepared the XPUB: only what has a reader is asked for."""
    ALL_SUBSCRIPTIONS = 2
    """Every subscription goes on, not only the first to a topic."""
    ALL_UNSUBSCRIPTIONS = 4
    """And every unsubscription, but not the last while the topic has a reader."""
    FIRST_FRAME_ONLY = 8
    """Both sockets look for subscriptions only in the first frame of a message."""
    IN_REFUSES = 16
    """In, a PUB or XPUB, refuses messages for which a reader has no room (ZMQ_XPUB_NODROP): the loop counts them."""
    OUT_REFUSES = 32
    """The same of out."""
    MON_REFUSES = 64
    """The same of mon."""
    EACH_REPORTED = 128
    """The XPUB reports every subscription: the loop knows when there is one reader alone, and then counts exactly."""


UNCHECKED: Final = Subscriptions(0)
"""What an XPUB reports goes on as it is."""

DEFAULT_LIMITS: Final = Limits()


Attend = Callable[[], tuple[bytes | None, bytes | None, bool, int, int] | None]
"""Called in the loop's thread; None, or the prefixes, whether a full monitor blocks, and the taps, from now on."""


def relay(
    in_socket: zmq.Socket[Any],
    out_socket: zmq.Socket[Any],
    mon_socket: zmq.Socket[Any] | None = None,
    *,
    control: int = -1,
    block: bytearray | memoryview | None = None,
    prefix_in: bytes | None = None,
    prefix_out: bytes | None = None,
    overflow: Overflow = "block",
    attend: Attend | None = None,
    limits: Limits = DEFAULT_LIMITS,
    subscriptions: Subscriptions = UNCHECKED,
    taps: tuple[int, int] = (0, 0),
) -> bool:
    """Run the loop on these sockets in this thread until it is told to stop; the GIL is free meanwhile.

    ``control`` is the file descriptor of a worker's end of `zmqtopo.broker.control.Control`; without one only an
    error, a signal handler that raises (in the main thread) or the end of the context ends it. ``block`` takes the
    counters (see `zmqtopo.broker.counters`). A prefix of None sends copies to the monitor without a first frame.
    ``attend`` is called in this thread, between two messages, for each byte c on ``control``, which
    is answered when it has returned; what it raises ends the loop. It may do with the sockets what only the thread
    that uses them may: connect, disconnect, set options. ``taps`` are the ``underlying`` of the sockets for those who
    look on, without and with waiting for them; see tap.pxi.

    Returns whether it was told to end at once. Raises zmq.ContextTerminated when the context ends, and zmq.ZMQError
    with errno and the socket's role for any other error of libzmq.
    """
    sockets = [s for s in (in_socket, out_socket, mon_socket) if s is not None]
    if any(s.closed for s in sockets):
        raise zmq.ZMQError(zmq.ENOTSOCK)
    with _signals() as wakeup:
        errno, role, now = _loop.run(
            in_socket.underlying,
            out_socket.underlying,
            mon_socket.underlying if mon_socket is not None else 0,
            control,
            block if block is not None else bytearray(BLOCK_SIZE),
            prefix_in,
            prefix_out,
            overflow == "block",
            wakeup,
            attend,
            subscriptions,
            limits.topic_length,
            limits.topics,
            limits.frames,
            *taps,
        )
    if errno == zmq.ETERM:
        raise zmq.ContextTerminated
    if errno:
        raise zmq.ZMQError(errno, f"{('in', 'out', 'mon')[role]}: {zmq.strerror(errno)}")
    return now


@contextmanager
def _signals() -> Iterator[int]:
    """In Python's main thread, a descriptor that turns readable when a signal has come; elsewhere -1.

    EINTR alone would not do: a signal that comes while messages move does not interrupt the sleep after them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield -1
        return
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    before = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(readable)
        os.close(writable)
