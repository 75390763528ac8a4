"""Records what a tap shows, into one file or several, until it is told to end or has no more room."""

from __future__ import annotations

import errno
import glob
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from zmqtopo import __version__
from zmqtopo.config.wording import count
from zmqtopo.observe.recording.errors import WriteError
from zmqtopo.observe.recording.frames import pack
from zmqtopo.observe.recording.output import Output, numbered
from zmqtopo.observe.recording.writer import Writer

FLUSH_INTERVAL: Final = 1.0
"""Seconds after which messages are in the file: what a kill may cost."""
LOOK_INTERVAL: Final = 0.25
"""Seconds between two looks for a signal, when no message comes."""


class Message(Protocol):
    """A message as a tap shows it."""

    @property
    def device(self) -> str:
        """The name of the device that it passes."""
    @property
    def flow(self) -> str:
        """``in_to_out`` or ``out_to_in``."""
    @property
    def number(self) -> int:
        """Which of the flow it is, from 1 on."""
    @property
    def time(self) -> int:
        """When it was copied, in ns since 1970."""
    @property
    def frames(self) -> list[bytes]:
        """What it has in it."""


class Source(Protocol):
    """Where messages come from."""

    def receive(self, timeout: float) -> Sequence[Message]:
        """What has come, or comes within so many seconds. Raises SourceEnded when nothing will any more."""

    def rest(self) -> Sequence[Message]:
        """What was still on its way at the end."""


class SourceEnded(Exception):  # noqa: N818 - it is how it goes
    """There will be no more messages; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What is to be recorded, and where to."""

    path: str
    replace: bool = False
    compression: str = "zstd"
    rotate_size: int | None = None
    """Bytes after which the next file begins; with `rotate_time` files are numbered."""
    rotate_time: float | None = None
    """Seconds after which the next file begins."""
    free: int = 0
    """Bytes that the file system is to keep."""
    seconds: float | None = None
    count: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def rotates(self) -> bool:
        """Whether there are several files."""
        return self.rotate_size is not None or self.rotate_time is not None


class Recorder:
    """Writes messages to files."""

    def __init__(
        self, plan: Plan, describe: Callable[[str], Mapping[str, str]], *, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the first file; ``describe`` tells what is worth knowing of a device. Raises WriteError."""
        self._plan = plan
        self._describe = describe
        self._clock = clock
        self.files: list[str] = []
        self.reason = ""
        """Why the recording has ended."""
        self.failed = False
        """Whether that was something wrong."""
        self._before = 0
        self._taken = 0
        self._flush_at = 0.0
        if plan.rotates and not plan.replace:
            self._keep_what_is_there()
        self._open()

    @property
    def recorded(self) -> int:
        """Messages in all files."""
        return self._before + self._writer.written

    # -- files -------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        plan = self._plan
        path = numbered(plan.path, len(self.files) + 1) if plan.rotates else plan.path
        output = Output(path, replace=plan.replace)
        try:
            self._writer = Writer(output, f"zmqtopo {__version__}", plan.compression)
            self._writer.metadata("zmqtopo", plan.metadata)
            for name, data in plan.attachments.items():
                self._writer.attachment(name, "application/yaml", data, time.time_ns())
        except OSError as error:
            output.close()
            raise WriteError(f"cannot write {path}: {error.strerror}") from None
        self._output = output
        self._channels: dict[tuple[str, str], int] = {}
        self._opened = self._clock()
        self.files.append(path)

    def _keep_what_is_there(self) -> None:
        """Raise WriteError now rather than when it would be the turn of a file that is there already."""
        there = Path(self._plan.path)
        found = sorted(there.parent.glob(f"{glob.escape(there.stem)}-{'[0-9]' * 5}{glob.escape(there.suffix)}"))
        if found:
            raise WriteError(f"{found[0]} already exists; --force replaces it")

    def _next(self) -> None:
        self._finish({"recorded": str(self._writer.written), "continued": "yes"})
        self._before += self._writer.written
        written, self._writer.written = self._writer.written, 0
        try:
            self._open()
        except WriteError:
            self._before -= written
            self._writer.written = written
            raise

    def _finish(self, said: Mapping[str, str]) -> None:
        try:
            self._writer.metadata("zmqtopo", said)
            self._writer.finish()
        finally:
            self._output.close()

    # -- messages ----------------------------------------------------------------------------------------------------

    def run(self, source: Source, is_over: Callable[[], bool]) -> None:
        """Record until the plan, ``is_over``, the source or the disk ends it; `close` is still to come."""
        deadline = None if self._plan.seconds is None else self._clock() + self._plan.seconds
        self._flush_at = self._clock() + FLUSH_INTERVAL
        try:
            while not self.reason:
                left = LOOK_INTERVAL if deadline is None else min(LOOK_INTERVAL, deadline - self._clock())
                if left <= 0:
                    self.reason = "time is up"
                elif is_over():
                    self.reason = "interrupted"
                else:
                    self._take(source.receive(left))
            if self._taken != self._plan.count:
                self._take(source.rest())
        except SourceEnded as error:
            self.reason = str(error)
        except OSError as error:
            self._fail(error)
        except WriteError as error:
            self.failed, self.reason = True, str(error)

    def _take(self, messages: Sequence[Message]) -> None:
        limit = self._plan.count
        for message in messages:
            flow = message.device, message.flow
            channel = self._channels.get(flow)
            if channel is None:
                channel = self._channels[flow] = self._writer.channel(
                    f"{message.device}.{message.flow}",
                    {"device": message.device, "flow": message.flow, **self._describe(message.device)})
            self._writer.add(channel, message.number, message.time, pack(message.frames))
            self._taken += 1
            if self._taken == limit:
                self.reason = f"{count(limit, 'message')} recorded"
                break
            if self._plan.rotate_size is not None and self._output.size >= self._plan.rotate_size:
                self._writer.flush()
                self._next()
        if self._clock() >= self._flush_at:
            self._every_second()

    def _every_second(self) -> None:
        self._flush_at = self._clock() + FLUSH_INTERVAL
        self._writer.flush()
        if self._plan.free and (free := self._output.free) is not None and free < self._plan.free:
            self.failed = True
            self.reason = f"only {free:,} bytes are free where {self.files[-1]} is"
        elif self._plan.rotate_time is not None and self._clock() - self._opened >= self._plan.rotate_time:
            self._next()

    def _fail(self, error: OSError) -> None:
        self.failed = True
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"{error.strerror}"
        self.reason = f"cannot write {self.files[-1]}: {what}"
        if error.errno == errno.EPIPE:
            self.reason = "the reader closed the pipe"

    def close(self, said: Callable[[], Mapping[str, str]]) -> None:
        """End the last file; ``said`` are the totals, asked for when all is written that can be."""
        try:
            if not self.failed:
                self._writer.flush()
        except OSError as error:
            self._fail(error)
        try:
            # A full disk has room for this: the chunk that did not fit has been taken back.
            self._finish({**said(), "reason": self.reason})
        except OSError as error:
            if not self.failed:
                self._fail(error)
