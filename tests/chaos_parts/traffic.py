"""All senders and receivers, moved by one thread."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import zmq

from chaos_parts.ledger import Ledger
from chaos_parts.paths import ForeignMessageError, Path

BURST = 10
"""Messages of one sender, or to one receiver, in one turn."""

MARKER_INTERVAL = 0.02
"""Seconds between two markers of one sender, until they have come by every route."""

Result = TypeVar("Result")


class Traffic:
    """Sends and receives on every path, unless told to hold back."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.sending = False
        self.receiving = True
        self.silent: list[Path] = []
        """Those on which nothing is sent meanwhile."""
        self.foreign: list[str] = []
        """Messages that none of our senders has sent."""
        self.quiet = threading.Event()
        self._epoch = 0
        self._marked_at = 0.0
        self._tasks: deque[Callable[[], None]] = deque()
        self._random = random.Random(0)
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._thread.start()

    # -- from another thread -------------------------------------------------------------------------------------

    def call(self, do: Callable[[], Result]) -> Result:
        """Have something done by the thread that owns the sockets."""
        future: Future[Result] = Future()

        def task() -> None:
            try:
                future.set_result(do())
            except BaseException as error:
                future.set_exception(error)

        self._tasks.append(task)
        return future.result(30)

    def begin_quiet(self) -> None:
        """Send nothing but markers, until `quiet` is set."""
        def begin() -> None:
            self.sending = False
            self.receiving = True
            self.silent = []
            self._epoch += 1
            self.quiet.clear()
            for ledger in self.ledgers:
                ledger.marked.clear()
        self.call(begin)

    def until(self, condition: Callable[[], Any], seconds: float) -> bool:
        """Ask the thread again and again; False when it did not become true in time."""
        deadline = time.monotonic() + seconds
        while not self.call(condition):
            if time.monotonic() > deadline:
                return False
        return True

    def end(self) -> None:
        """Close everything."""
        self._ended = True
        self._thread.join()
        for path in self.paths:
            path.close()

    @property
    def ledgers(self) -> Iterator[Ledger]:
        for path in self.paths:
            yield from path.all_ledgers

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            while self._tasks:
                self._tasks.popleft()()
            moved = self._send()
            if self.receiving:
                moved += self._receive(0 if moved else 2)
            elif not moved:
                threading.Event().wait(0.002)
            if not self.sending and not self.quiet.is_set() and all(ledger.is_quiet for ledger in self.ledgers):
                self.quiet.set()

    def _send(self) -> int:
        moved = 0
        marking = not self.sending and not self.quiet.is_set() and self._epoch > 0
        marking = marking and time.monotonic() > self._marked_at + MARKER_INTERVAL
        if marking:
            self._marked_at = time.monotonic()
        for path in self.paths:
            path.flush()
            for sender in path.senders.values():
                if self.sending and path not in self.silent:
                    moved += sender.send(BURST, self._epoch)
                elif marking and not all(ledger.is_quiet for ledger in sender.ledgers):
                    # As many from each would go round in a ring: those of one sender always to the same receiver.
                    for _ in range(self._random.randint(1, 3)):
                        sender.mark(self._epoch)
        return moved

    def _receive(self, timeout: int) -> int:
        poller = zmq.Poller()
        owners = {socket: path for path in self.paths for socket in path.sockets}
        for socket in owners:
            poller.register(socket, zmq.POLLIN)
        moved = 0
        for socket, _ in poller.poll(timeout):
            for _ in range(BURST):
                try:
                    owners[socket].receive(socket, self._epoch)
                except zmq.Again:
                    break
                except ForeignMessageError as message:
                    self.foreign.append(str(message))
                moved += 1
        return moved
