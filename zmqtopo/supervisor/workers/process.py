"""A worker that is a process of its own."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections import deque
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from zmqtopo.config.model import ContextSettings
from zmqtopo.supervisor.forkserver import ForkserverThread
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED, StandardError, how_it_ended, oom_kills
from zmqtopo.supervisor.workers.inbox import Inbox, Message, WorkerEnded
from zmqtopo.worker import fd_passing
from zmqtopo.worker.protocol import Bind, Order


class ProcessWorker:
    """A process of its own."""

    def __init__(
        self, name: str, settings: ContextSettings, sockets: int, inbox: Inbox, forkserver: ForkserverThread
    ) -> None:
        """``name`` is shown in process lists; that of the thread devices is empty. Raises OSError."""
        self.name = name
        self.pid: int | None = None
        self._inbox = inbox
        self._forkserver = forkserver
        self._killed = ""
        self._memory: int | None = None
        self._oom_kills = oom_kills()
        self.errors = StandardError()
        ours, theirs = fd_passing.pair()
        try:
            forkserver.fork(name or "threads", (theirs.fileno(), self.errors.worker), partial(self._on_forked, theirs))
        except OSError:
            for end in (ours, theirs):
                end.close()
            self.errors.disown()
            self.errors.close()
            raise
        self.connection: Connection[Any, Any] | None = Connection(ours.detach())
        self._orders: deque[Order] = deque()
        self._send((settings, sockets))     # it finds there what is sent until it runs

    def _on_forked(self, theirs: socket.socket, answer: int | OSError) -> None:
        theirs.close()
        self.errors.disown()
        if isinstance(answer, OSError):
            self._close()
            self._inbox.post(WorkerEnded(self.name, f"cannot start: {answer.strerror}"))
            return
        self.pid = answer
        if self._killed:
            self._kill()

    @property
    def behind(self) -> bool:
        """Whether it has not taken all its orders yet."""
        return bool(self._orders)

    def order(self, order: Order) -> None:
        """Send an order as soon as it takes one; a worker that is gone gets none, and its end is on its way here.

        The supervisor does not wait for it: one that has been stopped by SIGSTOP takes as many as the kernel has room
        for, and no more.
        """
        self._orders.append(order)
        self.send_on()

    def send_on(self) -> None:
        """Send the orders that are left as far as it takes them now."""
        while self._orders and self.connection is not None and _has_room(self.connection):
            order = self._orders.popleft()
            if isinstance(order, Bind):
                self._memory = max(order.device.limits.memory or 0, self._memory or 0) or None
            if isinstance(order, Bind) and order.block is not None:
                assert order.block.segment is not None
                self._send(replace(order, block=None, index=order.block.index), order.block.segment.fd)
            else:
                self._send(order)

    def receive(self) -> Message | None:
        """The next event; None when it has ended."""
        assert self.connection is not None
        try:
            event: Message = self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()
            self.connection = None
            self._orders.clear()
            assert self.pid is not None
            self._forkserver.wait(self.pid, self._on_ended)
            return None
        return event

    def _on_ended(self, code: int | None) -> None:
        if self._killed and code in (-signal.SIGKILL, None):
            how = f" {self._killed}"
        else:
            how = f" ended{how_it_ended(code, self.errors.cause(code), self._oom_kills, self._memory)}"
        self.errors.close()
        self._inbox.post(WorkerEnded(self.name, f"process {self.pid}{how}"))

    def kill(self, why: str = NOT_STOPPED) -> bool:
        """SIGKILL, for one that has been told to stop and has not, or that does not answer."""
        if self.connection is not None:
            self._killed = self._killed or why
            self._kill()
        return True

    def _kill(self) -> None:
        # Its process id is its own until it has been waited for, which is when it has no connection any more.
        if self.connection is not None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """SIGKILL; one that does not run yet finds nobody."""
        self._kill()
        self._close()

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.errors.close()

    def _send(self, what: Any, descriptor: int | None = None) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.send(what)
                if descriptor is not None:
                    fd_passing.send(self.connection, descriptor)


def _has_room(connection: Connection[Any, Any]) -> bool:
    """Whether an order can be sent without waiting.

    Linux calls such a socket writable while three quarters of its buffer, of 208 KiB, are free; an order has a few
    hundred bytes. One whose other end is gone is writable too.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLOUT)
    return bool(poll.poll(0))
