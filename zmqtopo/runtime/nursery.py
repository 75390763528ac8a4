"""Where worker processes come from."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import Any

from zmqtopo.runtime import descriptors
from zmqtopo.runtime.interpreter import start

PATIENCE = 10.0
"""Seconds after which an answer, which takes milliseconds, will not come any more."""

ROOM = 256
"""Bytes for the name of a worker in process lists; see `zmqtopo.runtime.process`."""


class Nursery:
    """A process that has imported what workers need and forks them, started when it is first needed.

    A fresh interpreter for each worker would spend a tenth of a second of CPU on imports; this one forks in 2 ms, since
    it has neither threads nor a context, and its workers share its memory. This process has threads and cannot fork,
    and multiprocessing's fork server imports the program's main module again, which a script that calls `zmqtopo.up`
    is not made for.
    """

    def __init__(self, topology: str) -> None:
        """``topology`` is shown in process lists."""
        self._topology = topology
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, name: str, connection: int) -> int:
        """Start a worker at the end ``connection`` of a socket pair and return its process id.

        Raises OSError when the system has no room for it.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        pid: int = self._ask(name, connection)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def wait(self, pid: int) -> int | None:
        """Wait for the end of a worker; its exit code, or minus the number of the signal that ended it.

        Until then its process id belongs to nobody else. None when that cannot be known any more.
        """
        try:
            code: int | None = self._ask(pid)
        except OSError:
            return None
        return code

    def close(self) -> None:
        """End it; workers that are left are not waited for."""
        if self._process is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self.close()
        self._process, self._connection = start("zmqtopo.runtime.process", self._topology, " " * ROOM)

    def _ask(self, question: str | int, descriptor: int | None = None) -> Any:
        if self._process is None:
            raise OSError(errno.ECHILD, "the process that starts workers has ended")
        try:
            self._connection.send(question)
            if descriptor is not None:
                descriptors.send(self._connection, descriptor)
            if self._connection.poll(PATIENCE):
                return self._connection.recv()
        except (EOFError, OSError):
            self.close()
            raise OSError(errno.ECHILD, "the process that starts workers has ended") from None
        self.close()
        raise OSError(errno.ETIMEDOUT, "the process that starts workers does not answer")
