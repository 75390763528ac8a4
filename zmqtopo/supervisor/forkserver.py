"""Where worker processes come from."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from zmqtopo.supervisor.requests import Callback
from zmqtopo.supervisor.spawn import start
from zmqtopo.worker import fd_passing

BEGIN_TIMEOUT = 10.0
"""Seconds for the first answer, with which it has imported what workers need. That takes 0.2 s on an idle machine."""

FORK_TIMEOUT = 3.0
"""Seconds for each further answer, which takes milliseconds, and a second on a machine that has too much else to do.
One that does not answer in time, such as one that has been stopped by SIGSTOP, is replaced."""

TITLE_SIZE = 256
"""Bytes for the name of a worker in process lists; see `zmqtopo.worker.main`."""


class Forkserver:
    """A process that has imported what workers need and forks them, started when it is first needed.

    A fresh interpreter for each worker would spend a tenth of a second of CPU on imports; this one forks in 2 ms, since
    it has neither threads nor a context, and its workers share its memory. This process has threads and cannot fork,
    and multiprocessing's fork server imports the program's main module again, which a script that calls `zmqtopo.up`
    is not made for.

    On Linux its workers end with it, whatever has ended it and even if they have been stopped: they would keep their
    ports with nobody left to end them. One that does not answer is replaced, and lives on as long as its workers may.
    """

    def __init__(self, topology: str) -> None:
        """``topology`` is shown in process lists."""
        self._topology = topology
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._timeout = BEGIN_TIMEOUT
        self._silent: list[tuple[subprocess.Popen[bytes], Connection[Any, Any]]] = []
        """Those that did not answer."""
        self._mine: set[int] = set()
        """The workers of the one that answers."""
        self._replacing = threading.Lock()
        self._interrupted = False

    def fork(self, name: str, *given: int) -> int:
        """Start a worker with these descriptors and return its process id.

        They are its end of a connection and, if there is a second one, its standard error. Raises OSError when the
        system has no room for it.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        pid: int = self._ask((name, len(given)), *given)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        self._mine.add(pid)
        return pid

    def wait(self, pid: int) -> int | None:
        """Wait for the end of a worker; its exit code, or minus the number of the signal that ended it.

        Until then its process id belongs to nobody else. None when that cannot be known any more.
        """
        if pid not in self._mine:
            return None
        self._mine.discard(pid)
        try:
            code: int | None = self._ask(pid)
        except OSError:
            return None
        return code

    def interrupt(self) -> None:
        """Let no request wait any more, and take none; from another thread."""
        with self._replacing:
            self._interrupted = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End it, and all workers that are left."""
        self._forget()
        for process, connection in self._silent:
            connection.close()
            process.kill()
            process.wait()
        self._silent.clear()

    def _forget(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._process = self._connection = None
        self._mine.clear()

    def _start(self) -> None:
        self._forget()
        with self._replacing:
            if self._interrupted:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            self._process, self._connection = start("zmqtopo.worker.main", self._topology, " " * TITLE_SIZE)
        self._timeout = BEGIN_TIMEOUT

    def _ask(self, request: tuple[str, int] | int, *given: int) -> Any:
        if self._process is None or self._connection is None:
            raise OSError(errno.ECHILD, "the process that starts workers has ended")
        try:
            self._connection.send(request)
            for descriptor in given:
                fd_passing.send(self._connection, descriptor)
            if self._connection.poll(self._timeout):
                response = self._connection.recv()
                self._timeout = FORK_TIMEOUT
                return response
        except (EOFError, OSError):
            self._forget()
            raise OSError(errno.ECHILD, "the process that starts workers has ended") from None
        # Its end would be that of its workers, which do not need it. Should it go on, what it forks finds nobody.
        with contextlib.suppress(OSError):
            self._process.send_signal(signal.SIGCONT)
        self._silent.append((self._process, self._connection))
        self._process = self._connection = None
        self._mine.clear()
        raise OSError(errno.ETIMEDOUT, "the process that starts workers does not answer; another one takes its place")


class ForkserverThread:
    """Has a thread ask a `Forkserver`, so that the supervisor waits for none of its answers.

    The answers come back as callbacks among the supervisor's events, and in the order of the requests.
    """

    def __init__(self, topology: str, post: Callable[[Callback], None]) -> None:
        """``post`` takes the callbacks, in that thread."""
        self._forkserver = Forkserver(topology)
        self._post = post
        self._requests: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def fork(self, name: str, given: tuple[int, ...], done: Callable[[int | OSError], object]) -> None:
        """Start a worker with these descriptors, which stay open until ``done`` is called with its process id.

        That is called with an OSError when there is none. Raises OSError when the system has no room for a thread.
        """
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="zmqtopo forkserver", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, str(error)) from None
            self._thread = thread
        self._requests.put(partial(self._fork, name, given, done))

    def wait(self, pid: int, done: Callable[[int | None], object]) -> None:
        """Have ``done`` called with what `Forkserver.wait` returns, when a worker has ended."""
        self._requests.put(partial(self._wait, pid, done))

    def close(self) -> None:
        """End the forkserver, and all workers that are left."""
        self._requests.put(None)
        self._forkserver.interrupt()
        if self._thread is not None:
            self._thread.join()
        self._forkserver.close()

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            request()

    def _fork(self, name: str, given: tuple[int, ...], done: Callable[[int | OSError], object]) -> None:
        answer: int | OSError
        try:
            answer = self._forkserver.fork(name, *given)
        except OSError as error:
            answer = error
        self._post(Callback(partial(done, answer)))

    def _wait(self, pid: int, done: Callable[[int | None], object]) -> None:
        self._post(Callback(partial(done, self._forkserver.wait(pid))))
