"""Where the log goes: a descriptor that may be full, gone, or not read by anybody, without harm to who writes."""

from __future__ import annotations

import os
import select
import time

WRITE_TIMEOUT = 0.5
"""Seconds to wait for a reader that has stopped reading; afterwards it is not waited for until it reads again."""


class Sink:
    """Writes whole lines to a file descriptor and never raises.

    A plain ``print`` would do three wrong things here: block without limit on a pipe whose reader is stopped, keep
    what a full disk did not take and repeat it later, and raise.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._stalled = False
        self._torn = False
        self.lost = 0
        """Lines in a row that could not be written."""
        self.reason = ""
        """Why the last of them could not."""

    def write(self, line: bytes) -> bool:
        """Write a line, which ends with a line break; whether it is written whole."""
        # A disk that was full in the middle of a line has left half of it there.
        rest = memoryview(b"\n" + line if self._torn else line)
        whole = len(rest)
        deadline = time.monotonic() + WRITE_TIMEOUT
        try:
            while rest:
                self._wait(deadline)
                # A pipe that can take anything takes so much without blocking (pipe(7)). The descriptor itself is not
                # made non-blocking: that would hold for every program that writes to the same terminal.
                rest = rest[os.write(self._fd, rest[: select.PIPE_BUF]):]
        except OSError as error:
            self.lost += 1
            self.reason = error.strerror or str(error)
            self._torn = self._torn or len(rest) < whole
            return False
        self._torn = self._stalled = False
        self.lost = 0
        return True

    def _wait(self, deadline: float) -> None:
        left = 0.0 if self._stalled else max(deadline - time.monotonic(), 0)
        if not self._poll.poll(left * 1000):
            self._stalled = True
            raise BlockingIOError(0, "nobody read them")
