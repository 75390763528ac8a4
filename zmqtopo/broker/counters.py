"""What a device has done, in numbers, read from memory that its loop writes."""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from multiprocessing.reduction import DupFd
from typing import Any, Final, Literal, get_args

from zmqtopo.loop import BLOCK_SIZE
from zmqtopo.loop._loop import LINE_WORDS, STATES

DROPPED = 2
"""The word of a line that counts what was lost."""

Reason = Literal["auth", "mechanism", "key", "protocol", "timeout", "incomplete"]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""Why a handshake fails. auth: ZAP has refused. mechanism: one end uses CURVE or PLAIN, and the other does not. key:
what came cannot be decrypted. protocol: what came is not allowed, or the types of the sockets do not match. timeout: it
took too long. incomplete: the connection ended before it was complete, and libzmq says no more."""

_PEERS: Final = BLOCK_SIZE + LINE_WORDS * 8
"""Where the lines of the peers begin. One is free before them, so that the loop and who writes them never share a line
of the cache, wherever the block begins."""

_SIZE: Final = _PEERS + 3 * LINE_WORDS * 8

_ROLES: Final = ("in", "out", "mon")

LoopState = Literal["running", "paused", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction, or the copies for the monitor, since the device started.

    ``messages`` and ``bytes`` (of all frames) were taken by the destination's queue; ``dropped`` could not be: no such
    peer, a socket type that takes nothing, a full monitor with ``overflow="drop"``, or a stop that did not wait.
    ``blocked`` counts the times that a message had to wait, ``blocked_time`` is their sum in seconds, ``waiting`` says
    that one waits now. ``in_hand`` are the messages that the loop has taken and not passed on yet; more may wait in
    libzmq's queues, which nobody can count. ``last`` is the Unix time of the last message, None before the first.

    Of a PUB or XPUB, ``dropped`` counts the messages for which a reader had no room; other readers got them, and then
    ``messages`` counts them too. ``dropped_exact`` is False when it is a lower bound: with several readers libzmq lets
    nobody count all that one without room misses, nor say how many readers a PUB has.
    """

    messages: int
    bytes: int
    dropped: int
    blocked: int
    blocked_time: float
    waiting: bool
    last: float | None
    in_hand: int = 0
    dropped_exact: bool = True


@dataclass(frozen=True, slots=True)
class Counters:
    """A device's counters. Each number is whole; numbers read while messages pass may differ by one message."""

    in_to_out: Flow
    out_to_in: Flow
    mon: Flow

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """As ``ps --format json`` shows them; `dataclasses.asdict` takes twenty times as long."""
        return {name: {key: getattr(getattr(self, name), key) for key in _FLOW_KEYS} for name in _FLOWS}


_FLOW_KEYS = tuple(one.name for one in fields(Flow))
_FLOWS = tuple(one.name for one in fields(Counters))


@dataclass(frozen=True, slots=True)
class PeerCounts:
    """The connections of a socket; those over inproc are not among them, of which libzmq says nothing.

    ``now`` are those whose handshake is complete, ``connections`` all since the device first started, and ``failures``
    the handshakes that have failed meanwhile, by reason.
    """

    now: int = 0
    connections: int = 0
    failures: Mapping[Reason, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))


class Segment:
    """Shared memory for the blocks of several devices of one process: one descriptor, however many there are.

    It is an anonymous file, so it outlives a crash of the writer and leaves nothing behind. Blocks of devices in
    different processes never share one: a process that writes where it should not reaches its own numbers only.
    """

    def __init__(self, blocks: int = 1, *, fd: int = -1) -> None:
        """Make one with room for so many blocks, or the view of one that came as a file descriptor. Raises OSError."""
        self.fd = fd if fd >= 0 else anonymous_file(blocks * _SIZE)
        try:
            self.memory = memoryview(mmap.mmap(self.fd, os.fstat(self.fd).st_size))
        except BaseException:
            os.close(self.fd)
            self.fd = -1
            raise

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class CounterBlock:
    """The memory that a loop writes and anybody may read: eight lines of eight 64-bit words.

    The first line holds the state and of which flows ``dropped`` is a lower bound, the next the words of `Flow` for
    in to out, out to in and mon. Then, behind a free one, come those that `zmqtopo.broker.peers` writes for in, out and
    mon: peers now, or -1 where nobody notes them, connections, and failures by reason. A block for another process lies
    in a `Segment`; it can be pickled while a process is being spawned.
    """

    def __init__(self, segment: Segment | None = None, index: int = 0) -> None:
        """Make a block of this process, or take the one of that index in a segment."""
        self.segment = segment
        self.index = index
        self.memory = (
            memoryview(bytearray(_SIZE)) if segment is None
            else segment.memory[index * _SIZE : (index + 1) * _SIZE]
        )

    @property
    def state(self) -> LoopState | None:
        """What the loop is doing; None before it runs."""
        return STATES.get(self.memory.cast("q")[0])  # type: ignore[return-value]

    def read(self) -> Counters:
        """A snapshot; it never disturbs the loop."""
        words = self.memory.cast("q").tolist()
        return Counters(*(_flow(words[i * LINE_WORDS : (i + 1) * LINE_WORDS], words[i]) for i in range(1, 4)))

    def peer_words(self, role: str) -> memoryview:
        """The words for the peers of a socket, to be written by who notes them."""
        line = _PEERS + _ROLES.index(role) * LINE_WORDS * 8
        return self.memory[line : line + LINE_WORDS * 8].cast("q")

    def peers(self) -> dict[str, PeerCounts] | None:
        """The connections of each socket by role; None where nobody notes them."""
        told = {role: self.peer_words(role).tolist() for role in _ROLES}
        if any(words[0] < 0 for words in told.values()):
            return None
        return {role: PeerCounts(now, connections, dict(zip(REASONS, failures, strict=True)))
                for role, (now, connections, *failures) in told.items()}

    def mark_of_peers(self) -> int:
        """A number that is another one when a connection has come or gone, or a handshake failed."""
        return hash(bytes(self.memory[_PEERS:]))

    def figures(self) -> list[int]:
        """Of each flow ``messages, bytes, dropped, blocked``, ``blocked_time`` and ``last`` in ns, ``waiting``.

        It is what a scrape of many devices needs, at a tenth of the cost of `read`.
        """
        words = self.memory.cast("q").tolist()
        found: list[int] = []
        for at in (LINE_WORDS, 2 * LINE_WORDS, 3 * LINE_WORDS):
            messages, size, dropped, blocked, blocked_time, since, last = words[at : at + 7]
            if since:
                blocked_time += time.clock_gettime_ns(time.CLOCK_MONOTONIC) - since
            found += messages, size, dropped, blocked, blocked_time, last, 1 if since else 0
        return found

    def add_dropped(self, *, in_to_out: int, out_to_in: int) -> None:
        """Count messages that were lost when the loop had ended; while it runs these words are its own."""
        words = self.memory.cast("q")
        words[LINE_WORDS + DROPPED] += in_to_out
        words[2 * LINE_WORDS + DROPPED] += out_to_in

    def copy(self) -> CounterBlock:
        """A block of this process with the same numbers."""
        copy = CounterBlock()
        copy.memory[:] = self.memory
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        assert self.segment is not None
        return _attach, (DupFd(self.segment.fd), self.index)


def _flow(words: list[int], inexact: int) -> Flow:
    messages, size, dropped, blocked, blocked_time, since, last, in_hand = words
    if since:
        blocked_time += time.clock_gettime_ns(time.CLOCK_MONOTONIC) - since
    return Flow(
        messages, size, dropped, blocked, blocked_time / 1e9, bool(since), last / 1e9 if last else None, in_hand,
        not inexact,
    )


def _attach(fd: Any, index: int) -> CounterBlock:
    return CounterBlock(Segment(fd=fd.detach()), index)


def anonymous_file(size: int) -> int:
    """A file without a name, of so many bytes; raises OSError."""
    # Only Linux has memory files; elsewhere a file without a name does the same through the page cache.
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("zmqtopo-counters", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
