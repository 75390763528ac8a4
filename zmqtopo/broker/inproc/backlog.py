"""What a closed socket has passed on over inproc, and its peers have yet to read."""

from __future__ import annotations

import os
from collections.abc import Set
from dataclasses import dataclass
from itertools import count
from typing import Final

import zmq

from zmqtopo.broker.sockets import AnySocket

_ORDERED: Final = (zmq.PUSH, zmq.DEALER, zmq.ROUTER, zmq.PAIR)
"""Types whose messages wait for a peer to be there. A PUB or XPUB would drop what it sends without a connection."""

_numbers: Final = count()


@dataclass(frozen=True, eq=False)
class Backlog:
    """What one socket of a device may have left, until all its peers have read theirs.

    libzmq destroys a closed socket only then, and a socket's monitor is told of that.
    """

    device: str
    bound: Set[str]
    """The inproc addresses at which others were connected to it."""
    connected: Set[str]
    """Those to which it was connected."""
    _end: AnySocket
    """The other end of its monitor."""

    @classmethod
    def of(cls, socket: AnySocket, device: str, bound: Set[str], connected: Set[str]) -> Backlog | None:
        """That of a socket that is about to be closed; None if there can be none, or its order does not matter.

        Raises zmq.ZMQError.
        """
        if not (bound or connected) or socket.closed or socket.type not in _ORDERED:
            return None
        end = socket.context.socket(zmq.PAIR)
        try:
            address = f"inproc://zmqtopo.backlog.{os.getpid()}.{next(_numbers)}"
            socket.monitor(address, zmq.EVENT_MONITOR_STOPPED)
            end.connect(address)
        except BaseException:
            end.close(0)
            raise
        return cls(device, bound, connected, end)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        try:
            return bool(self._end.poll(0))
        except zmq.ZMQError:        # its context ends
            return True

    def close(self) -> None:
        """Watch it no longer."""
        self._end.close(0)


def is_read(socket: AnySocket) -> bool:
    """Whether a socket has nothing to read; in the thread that may use it."""
    try:
        return not int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN
    except zmq.ZMQError:            # its context ends
        return True
