"""A process for parts of measurements: ``python -P -m zmqtopo.bench.worker FD NAME``.

Parts run in threads of their own; the main thread takes orders from the connection, so that the end of the
process that started this ends it at once, whatever its parts are doing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from zmqtopo.bench.host import Host, Response


def main(fd: int) -> None:
    """Serve the other end of ``fd`` until it is gone."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())      # see `WorkerPool`
    # Hundreds of subscribers need more files than a shell's usual 1,024.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    connection: Connection[Any, Any] = Connection(fd)
    lock = threading.Lock()

    def post(answer: Response) -> None:
        with lock, contextlib.suppress(OSError):
            connection.send(answer)

    host = Host(post)
    with contextlib.suppress(EOFError, OSError):
        while True:
            host.execute(connection.recv())
    # Threads may be deep in libzmq, and there is nothing to be saved.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
