"""What a worker process prints on its standard error: passed on, and kept for the cause of its end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections import deque
from pathlib import Path
from typing import Final

from zmqtopo.config.wording import printable
from zmqtopo.supervisor.log_writer import Sink

NOT_STOPPED: Final = "did not stop in time and was killed"

KEPT_LINES: Final = 20
"""Lines that are kept: what libzmq, the C++ library or Python says before it aborts is among the last."""

LONGEST_LINE: Final = 1000
"""Characters of a line that are kept and passed on; longer ones go on in the next line."""

READ_SIZE: Final = 1 << 16
"""Bytes that are read at a time, as many as a pipe holds: one that prints without end takes no more of each turn."""

# zmq_assert, errno_assert and the others of libzmq's err.hpp end with a place; then the C++ library and Python.
_CAUSE: Final = re.compile(
    r"Assertion failed: .*|.* \(\S+\.[ch]pp:\d+\)|terminate called .*|Fatal Python error: .*|.*: (?:double )?free\(\).*"
    r"|corrupted .*|malloc.*"
)


# pthread_create(3) says EAGAIN when there is no memory for the stack of a thread.
_NO_MEMORY: Final = re.compile("bad_alloc|MemoryError|OUT OF MEMORY|Cannot allocate memory|"
                               r"Resource temporarily unavailable \([^)]*thread\.cpp|can't start new thread")


class StandardError:
    """The supervisor's end of a worker's standard error, a pipe that blocks neither of them."""

    def __init__(self) -> None:
        """Raises OSError when there are no descriptors left."""
        # The worker's end does not block either: what nobody reads in time is lost, and the devices go on.
        self.fd, self.worker = os.pipe()
        for end in (self.fd, self.worker):
            os.set_blocking(end, False)
        self._sink = Sink(2)
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._rest = b""

    def fileno(self) -> int:
        """For a selector; -1 when it has ended."""
        return self.fd

    def disown(self) -> None:
        """Close the worker's end, which the worker has."""
        if self.worker >= 0:
            os.close(self.worker)
            self.worker = -1

    def read(self) -> None:
        """Take what is there, and pass on whole lines."""
        if self.fd < 0:
            return
        try:
            said = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return
        if not said:
            self.close()
            return
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > LONGEST_LINE:
            self._say(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Pass on what is left, and let go."""
        if self.fd >= 0:
            if self._rest:
                self._say(self._rest)
                self._rest = b""
            os.close(self.fd)
            self.fd = -1
        self.disown()

    def cause(self, code: int | None) -> str:
        """What was said about an end with this exit code, minus the number of a signal; empty when that is nothing."""
        self.read()     # the last words: its end may be heard of before them
        lines = list(self._lines)
        for number in reversed(range(len(lines))):
            if _CAUSE.fullmatch(lines[number]):
                more = lines[number + 1].strip() if lines[number + 1:] else ""
                return f"{lines[number]}{f' {more}' if more.startswith('what():') else ''}"
        return lines[-1] if lines and code is not None and code > 0 else ""

    def _say(self, line: bytes) -> None:
        text = printable(line.decode(errors="backslashreplace").replace("\t", "    "))
        for start in range(0, max(len(text), 1), LONGEST_LINE):
            part = text[start : start + LONGEST_LINE]
            if part.strip():
                self._lines.append(part)
            self._sink.write(f"{part}\n".encode(errors="backslashreplace"))

    def __del__(self) -> None:
        if hasattr(self, "worker"):
            with contextlib.suppress(OSError):
                self.close()


def how_it_ended(code: int | None, said: str, oom_kills_before: int, memory: int | None) -> str:
    """How a worker has ended, in words that follow "ended", and why as far as that can be known.

    ``code`` is its exit code or minus the number of a signal; ``memory`` is its ``limits.memory`` in bytes.
    """
    if code is None:
        how = ""
    elif code < 0:
        how = f" by {signal.Signals(-code).name}"
    else:
        how = f" with exit code {code}"
    if code == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return f"{how}, probably by the kernel for lack of memory: it has killed a process for that meanwhile"
    if said and code != 0:
        how += f": {said}"
    # libzmq aborts when it gets no memory, and Python or the loop ends with 1.
    if memory is not None and code in (-signal.SIGABRT, -signal.SIGSEGV, 1) and (not said or _NO_MEMORY.search(said)):
        how += f"; it may have needed more than limits.memory, {memory / (1 << 20):.0f} MiB"
    return how


def oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory, of the machine or of a cgroup; Linux tells."""
    with contextlib.suppress(OSError, ValueError):
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
