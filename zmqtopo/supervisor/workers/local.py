"""A worker that is the supervisor's own process."""

from __future__ import annotations

import errno
import os
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import zmq

from zmqtopo.config.model import ContextSettings
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED, StandardError
from zmqtopo.supervisor.workers.inbox import Inbox, Message, WorkerEnded
from zmqtopo.worker.host import Host
from zmqtopo.worker.protocol import End, Order


class LocalWorker:
    """The supervisor's own process, for thread devices."""

    connection: Connection[Any, Any] | None = None
    errors: StandardError | None = None
    behind = False

    def __init__(
        self, name: str, settings: ContextSettings, sockets: int, inbox: Inbox, context: zmq.Context[Any] | None
    ) -> None:
        self.name = name
        self._inbox = inbox
        self._abandoned = False
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self.host = Host(settings, sockets, inbox.post, context)
        try:
            threading.Thread(target=self._work, name="zmqtopo worker", daemon=True).start()
        except RuntimeError as error:
            self.host.end()
            raise OSError(errno.EAGAIN, str(error)) from None

    @property
    def pid(self) -> int:
        """That of this process."""
        return os.getpid()

    def order(self, order: Order) -> None:
        """Have the thread of this worker carry out an order: to bind may take a while, and to end the LINGER."""
        self._orders.put(order)

    def send_on(self) -> None:
        """Its orders are taken at once."""

    def receive(self) -> Message | None:
        """Events of this process go through the inbox."""
        raise NotImplementedError

    def kill(self, why: str = NOT_STOPPED) -> bool:
        """A thread cannot be killed; the process may end without it."""
        self._abandoned = True
        return False

    def abandon(self) -> None:
        """Tell the devices to end at once, and their context too."""
        self._abandoned = True
        self.host.stop_all()
        self._orders.put(End())

    def _work(self) -> None:
        order: Order | None = None
        while not isinstance(order, End):
            order = self._orders.get()
            self.host.execute(order)
        if not self._abandoned:     # else there may be another one by now
            self._inbox.post(WorkerEnded(self.name, "end"))
