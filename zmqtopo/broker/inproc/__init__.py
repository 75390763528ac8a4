"""Which binding of an inproc name a socket is connected to, so that it is connected to each exactly once, and when.

The supervisor hears of the end of a device later than it happens: a device that connects in between may have met the
socket that is closing, or wait for the next one. Here it is known exactly, since a context is in one process.

A socket reads from all its connections in turn. One that has yet to read what a device has left to it before a restart
would read what comes by the next connection in between; so that one is made when nothing is left.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import zmq

from zmqtopo.broker.inproc.backlog import Backlog, is_read
from zmqtopo.broker.sockets import AnySocket, connect

PREFIX = "inproc://"

INTERVAL: Final = 0.01
"""Seconds between two looks at whether a backlog has been read. libzmq does not tell when it has been."""

Connections = dict[tuple[str, str], int]
"""Of one device, by role and address: the number of the binding that it is connected to."""


class Joined(Protocol):
    """What is known here of a broker."""

    name: str

    @property
    def sockets(self) -> Mapping[str, AnySocket]:
        """By role."""

    @property
    def connections(self) -> Connections:
        """What it is connected to."""

    def call(self, commands: bytes, action: Callable[[], object]) -> None:
        """See `zmqtopo.broker.broker.Broker.call`."""


@dataclass(eq=False)
class _Waiting:
    """A connection that is yet to be made."""

    broker: Joined
    role: str
    address: str
    asked: Joined | None = None
    """The reader that has been asked, and has not answered yet."""
    is_due: bool = False


class InprocNames:
    """The inproc names of one context; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._bindings: Counter[str] = Counter()
        self._bound: dict[str, tuple[Joined, str]] = {}
        self._backlogs: list[Backlog] = []
        self._waiting: list[_Waiting] = []
        self._watcher: threading.Thread | None = None
        self._closed = False

    def note_bound(self, broker: Joined, role: str, address: str) -> None:
        """A socket has bound it. Who has connected before waits for that, or was counted as waiting for it."""
        with self._lock:
            self._bindings[address] += 1
            self._bound[address] = (broker, role)

    def unbind(self, socket: AnySocket, address: str) -> None:
        """Give it up; who connects from now on waits for who binds it next."""
        with self._lock:
            with contextlib.suppress(zmq.ZMQError):
                socket.unbind(address)
            self._bound.pop(address, None)

    def connect(self, broker: Joined, role: str, address: str) -> None:
        """Connect, but over inproc not twice to one binding, and not before the backlog of the one before is read.

        Raises as `zmqtopo.broker.sockets.connect`.
        """
        if not address.startswith(PREFIX):
            connect(broker.sockets[role], role, address)
            return
        with self._lock:
            # A name that no device binds is bound by the program around us, of which nothing is known.
            if self._bindings[address] and broker.connections.get((role, address)) == self._binding(address):
                return
            waiting = _Waiting(broker, role, address)
            if not self._must_wait(waiting):
                self._connect(waiting)
            elif all((w.broker, w.role, w.address) != (broker, role, address) for w in self._waiting):
                self._waiting.append(waiting)
                if self._watcher is None:
                    self._watcher = threading.Thread(target=self._watch, name="zmqtopo inproc", daemon=True)
                    self._watcher.start()

    def leave(self, broker: Joined, bound: Iterable[tuple[AnySocket, str]]) -> None:
        """A broker is about to close its sockets, ``bound`` to these names; in the thread that uses them."""
        with self._lock:
            self._waiting = [waiting for waiting in self._waiting if waiting.broker is not broker]
            self._forget_read()
            for socket in dict.fromkeys(broker.sockets.values()):
                mine = {address for one, address in bound if one is socket}
                theirs = {address for role, address in broker.connections if broker.sockets[role] is socket}
                with contextlib.suppress(zmq.ZMQError):
                    if not self._closed and (backlog := Backlog.of(socket, broker.name, mine, theirs)):
                        self._backlogs.append(backlog)

    def close(self) -> None:
        """Close what watches backlogs, before the context ends. May be called again."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            while self._backlogs:
                self._backlogs.pop().close()
            self._lock.notify_all()
            watcher = self._watcher
        if watcher is not None:
            watcher.join()

    # -- all that follows needs the lock -----------------------------------------------------------------------------

    def _binding(self, address: str) -> int:
        return self._bindings[address] + (address not in self._bound)

    def _connect(self, waiting: _Waiting) -> None:
        broker, role, address = waiting.broker, waiting.role, waiting.address
        connect(broker.sockets[role], role, address)
        broker.connections[role, address] = self._binding(address)

    def _forget_read(self) -> None:
        for backlog in [backlog for backlog in self._backlogs if backlog.is_over]:
            backlog.close()
            self._backlogs.remove(backlog)

    def _must_wait(self, waiting: _Waiting) -> bool:
        """Whether something is left of an earlier connection; in the thread that may use the socket."""
        if not self._backlogs:
            return False
        self._forget_read()
        reader = self._reader(waiting)
        if reader is not None and reader[0] is waiting.broker:
            return not is_read(waiting.broker.sockets[waiting.role])
        return reader is not None

    def _reader(self, waiting: _Waiting) -> tuple[Joined, str] | None:
        """Who may have a backlog to read before this connection can be made."""
        for backlog in self._backlogs:
            if waiting.address in backlog.bound:
                return waiting.broker, waiting.role
            if waiting.address in backlog.connected and backlog.device == waiting.broker.name:
                return self._bound.get(waiting.address)
        return None

    # -- the thread that watches -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        with self._lock:
            while self._waiting and not self._closed:
                self._forget_read()
                for waiting in list(self._waiting):
                    self._advance(waiting)
                self._lock.wait(INTERVAL)
            self._watcher = None

    def _advance(self, waiting: _Waiting) -> None:
        reader = self._reader(waiting)
        if waiting.is_due or reader is None:
            self._waiting.remove(waiting)
            waiting.broker.call(b"c", partial(self._connect_late, waiting))
        elif waiting.asked is not reader[0]:
            waiting.asked, role = reader
            waiting.asked.call(b"c", partial(self._look, waiting, waiting.asked.sockets[role]))

    def _look(self, waiting: _Waiting, socket: AnySocket) -> None:
        """Called by the loop of the reader."""
        with self._lock:
            waiting.asked = None
            waiting.is_due = is_read(socket)

    def _connect_late(self, waiting: _Waiting) -> None:
        """Called by the loop that connects."""
        with self._lock:
            key = waiting.role, waiting.address
            if waiting.broker.connections.get(key) != self._binding(waiting.address):
                self._connect(waiting)
