"""What runs in a worker process: a host whose orders come through a connection from the supervisor."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from zmqtopo.config.model import ContextSettings
from zmqtopo.runtime.host import Host
from zmqtopo.runtime.orders import End, Event, Order


def main(fd: int) -> None:
    """Serve the supervisor at the other end of ``fd`` until it says End or is gone."""
    # The supervisor decides when its workers end; a signal to the whole process group is not meant for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection: Connection[Event, Any] = Connection(fd)
    lock = threading.Lock()

    def post(event: Event) -> None:
        # The supervisor may be gone while a device ends.
        with lock, contextlib.suppress(OSError):
            connection.send(event)

    settings: ContextSettings
    sockets: int
    settings, sockets = connection.recv()
    host = Host(settings, sockets, post)
    while True:
        try:
            order: Order = connection.recv()
        except (EOFError, OSError):
            # Without a supervisor nobody can stop these devices any more.
            host.abandon()
            return
        host.execute(order)
        if isinstance(order, End):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
