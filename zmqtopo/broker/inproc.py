"""Which binding of an inproc name a socket is connected to, so that it is connected to each exactly once.

The supervisor hears of the end of a device later than it happens: a device that connects in between may have met the
socket that is closing, or wait for the next one. Here it is known exactly, since a context is in one process.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter

import zmq

from zmqtopo.broker.sockets import AnySocket, connect

PREFIX = "inproc://"

Connections = dict[tuple[str, str], int]
"""Of one device, by role and address: the number of the binding that it is connected to."""


class InprocNames:
    """The inproc names of one context; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bindings: Counter[str] = Counter()
        self._bound: set[str] = set()

    def note_bound(self, address: str) -> None:
        """A socket has bound it. Who has connected before waits for that, or was counted as waiting for it."""
        with self._lock:
            self._bindings[address] += 1
            self._bound.add(address)

    def unbind(self, socket: AnySocket, address: str) -> None:
        """Give it up; who connects from now on waits for who binds it next."""
        with self._lock:
            with contextlib.suppress(zmq.ZMQError):
                socket.unbind(address)
            self._bound.discard(address)

    def connect(self, socket: AnySocket, role: str, address: str, connections: Connections) -> None:
        """Connect, but over inproc not twice to one binding. Raises as `zmqtopo.broker.sockets.connect`."""
        if not address.startswith(PREFIX):
            connect(socket, role, address)
            return
        with self._lock:
            binding = self._bindings[address] + (address not in self._bound)
            # A name that no device binds is bound by the program around us, of which nothing is known.
            if not self._bindings[address] or connections.get((role, address)) != binding:
                connect(socket, role, address)
                connections[role, address] = binding
