"""The supervisor's end of a worker: its own process, or another one."""

from __future__ import annotations

import errno
import selectors
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol

import zmq

from zmqtopo.config.model import Topology
from zmqtopo.supervisor.forkserver import ForkserverThread
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED, StandardError
from zmqtopo.supervisor.workers.inbox import Inbox, Message
from zmqtopo.supervisor.workers.local import LocalWorker
from zmqtopo.supervisor.workers.process import ProcessWorker
from zmqtopo.worker.protocol import Order

LONGEST_WAIT: Final = 3600.0
"""Seconds. The system's calls take no more than 24 days, and a time in a file may be longer."""


class Worker(Protocol):
    """Where devices run."""

    name: str
    connection: Connection[Any, Any] | None
    """None when it posts its events itself, or has ended."""

    @property
    def errors(self) -> StandardError | None:
        """What it prints; None where that is this process."""

    @property
    def behind(self) -> bool:
        """Whether it has not taken all its orders yet."""

    @property
    def pid(self) -> int | None:
        """Its process id, None until that is known."""

    def order(self, order: Order) -> None:
        """Have an order carried out; what becomes of it arrives as events."""

    def send_on(self) -> None:
        """Send the orders that are left as far as it takes them now."""

    def receive(self) -> Message | None:
        """The next event of ``connection``, which is readable; None when it has none any more.

        Then `WorkerEnded` is posted as soon as it is known how.
        """

    def kill(self, why: str = NOT_STOPPED) -> bool:
        """End at once what can be ended; whether that is the worker, whose end is told with ``why``."""

    def abandon(self) -> None:
        """End at once what can be ended, and wait for nothing: nobody takes events any more."""


def patched_by() -> str:
    """What has replaced this program's threads, by name: then a thread that blocks is the whole program."""
    gevent, eventlet = (sys.modules.get(name) for name in ("gevent.monkey", "eventlet.patcher"))
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    return "eventlet" if eventlet is not None and eventlet.is_monkey_patched("thread") else ""


def make_worker(
    name: str, topology: Topology, inbox: Inbox, context: zmq.Context[Any] | None, forkserver: ForkserverThread, *,
    isolated: bool = False,
) -> Worker:
    """The worker of that name for the devices of ``topology`` that are its own; the thread devices' has no name.

    With ``isolated`` these have a process of their own too. Raises OSError, or zmq.ZMQError, when the system has no
    room for it.
    """
    devices = [device for device in topology.devices.values() if device.process == name]
    sockets = sum(len(list(device.sockets)) for device in devices)
    patched = patched_by()
    if not (name or isolated) and patched:
        raise OSError(errno.ENOTSUP, f"{patched} has replaced threads by greenlets, and a device would block them all; "
                      "use run: process, or isolated=True")
    if name or isolated:
        return ProcessWorker(name, topology.context, sockets, inbox, forkserver)
    return LocalWorker(name, topology.context, sockets, inbox, context)


def _all_of(worker: Worker) -> Iterator[Message]:
    """All events that are there: after a pause of the whole supervisor, one by one they would look late."""
    while (event := worker.receive()) is not None:
        yield event
        if worker.connection is None or not worker.connection.poll(0):
            return


def ready(workers: Iterable[Worker], inbox: Inbox, timeout: float | None) -> list[Message]:
    """Wait up to ``timeout`` seconds (None: without limit) for events from anywhere."""
    events: list[Message] = []
    with selectors.PollSelector() as selector:
        selector.register(inbox.receiver, selectors.EVENT_READ)
        for worker in workers:
            if worker.connection is not None and worker.pid is not None:    # else its first words can wait
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.behind else 0)
                selector.register(worker.connection, wanted, worker)
                if worker.errors is not None and worker.errors.fd >= 0:
                    selector.register(worker.errors, selectors.EVENT_READ, worker.errors)
        for key, what in selector.select(None if timeout is None else min(timeout, LONGEST_WAIT)):
            if key.data is None:
                events += inbox.take()
                continue
            if isinstance(key.data, StandardError):
                if key.data.fd >= 0:        # else its worker has ended in this turn
                    key.data.read()
                continue
            if what & selectors.EVENT_WRITE:
                key.data.send_on()
            if what & selectors.EVENT_READ:
                events += _all_of(key.data)
    return events
