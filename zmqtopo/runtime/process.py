"""What runs in a worker process: a host whose orders come through a connection from the supervisor."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from zmqtopo.runtime.host import Host
from zmqtopo.runtime.orders import End, Event

PATIENCE = 1.0
"""Seconds that a context may take to end when nobody is left to care for what it still has to send."""


def main(fd: int) -> None:
    """Serve the supervisor at the other end of ``fd`` until it says End or is gone."""
    # The supervisor decides when its workers end: what is sent to everybody, by a terminal or at the end of a service,
    # is not meant for them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(fd)
    lock = threading.Lock()

    def post(event: Event) -> None:
        # The supervisor may be gone while a device ends.
        with lock, contextlib.suppress(OSError):
            connection.send(event)

    orders = _received(connection)
    settings, sockets = next(orders, (None, 0))
    if settings is None:
        return
    host = Host(settings, sockets, post)
    for order in orders:
        host.execute(order)
        if isinstance(order, End):
            return
    # Without a supervisor nobody can stop these devices any more.
    host.abandon()
    # Only a context that ends removes the ipc files whose names libzmq has chosen.
    end = threading.Thread(target=host.end, daemon=True)
    end.start()
    end.join(PATIENCE)


def _received(connection: Connection[Any, Any]) -> Iterator[Any]:
    """The settings and number of sockets for a `Host`, then orders for it, until the supervisor is gone."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            yield connection.recv()


if __name__ == "__main__":
    main(int(sys.argv[1]))
