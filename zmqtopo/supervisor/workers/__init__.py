"""The supervisor's end of a worker: its own process, or another one."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, Protocol

import zmq

from zmqtopo.config.model import ContextSettings, Topology
from zmqtopo.supervisor.forkserver import ForkserverThread
from zmqtopo.supervisor.requests import Request
from zmqtopo.supervisor.workers.exit_reason import StandardError, how_it_ended, oom_kills
from zmqtopo.worker import fd_passing
from zmqtopo.worker.host import Host
from zmqtopo.worker.protocol import Bind, End, Event, Order

NOT_STOPPED: Final = "did not stop in time and was killed"

LONGEST_WAIT: Final = 3600.0
"""Seconds. The system's calls take no more than 24 days, and a time in a file may be longer."""


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker is gone, and its devices with it; ``how`` says by what, for people."""

    worker: str
    how: str


Message = Event | WorkerEnded | Request
"""What the supervisor takes from its inbox and its workers."""


class Inbox:
    """Messages for the supervisor from any thread, in the order in which they were posted."""

    def __init__(self) -> None:
        self._events: deque[Message] = deque()
        self.receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self.receiver.setblocking(False)
        self._wakeup_before: int | None = None

    def wake_on_signals(self) -> None:
        """Let every signal wake the supervisor, so that its Python handler runs; for the main thread only.

        EINTR alone would not do: a signal that comes just before the sleep does not interrupt it.
        """
        self._wakeup_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)

    def post(self, event: Message) -> None:
        """Add an event and wake the supervisor; also allowed in a signal handler, and when nobody takes any more."""
        self._events.append(event)
        # BlockingIOError: enough wakings wait already. Others: it has been closed, by another thread too.
        with contextlib.suppress(OSError):
            self._sender.send(b"!")

    def take(self) -> list[Message]:
        """All events there are."""
        with contextlib.suppress(BlockingIOError):
            self.receiver.recv(4096)
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def close(self) -> None:
        """Let go of the file descriptors."""
        if self._wakeup_before is not None:
            signal.set_wakeup_fd(self._wakeup_before, warn_on_full_buffer=False)
            self._wakeup_before = None
        self.receiver.close()
        self._sender.close()


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
