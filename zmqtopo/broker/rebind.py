"""Binding addresses, also those that another socket has just had."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import zmq

from zmqtopo.broker.ipc import Access, IpcFile
from zmqtopo.broker.sockets import AnySocket, bind

BIND_RETRY: Final = 0.5
"""Seconds that libzmq's I/O thread may take to close what has been closed; it takes less than a millisecond."""

_RETRY_INTERVAL: Final = 0.001
"""Seconds between two attempts."""

CLOSED_RETENTION = 10.0
"""Seconds after which what was closed has long been closed for good, a thousand times as many as libzmq's I/O thread
takes, and nobody asks for it any more."""


class RecentTimes:
    """Times on the monotonic clock by name, the last one last, until they are of no interest any more.

    For several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, float] = {}

    def note(self, name: str, at: float) -> None:
        """Put a time at the end, and forget the old ones."""
        long_ago = time.monotonic() - CLOSED_RETENTION
        with self._lock:
            self._times.pop(name, None)
            self._times[name] = at
            for other in list(itertools.takewhile(lambda other: self._times[other] < long_ago, self._times)):
                del self._times[other]

    def get(self, name: str) -> float | None:
        """The time of a name, if there is one."""
        return self._times.get(name)

    def items(self) -> list[tuple[str, float]]:
        """All names and their times."""
        with self._lock:
            return list(self._times.items())

    def forget(self) -> None:
        """In a process that was just forked: begin anew, whatever other threads were about to do."""
        self._lock = threading.Lock()
        self._times.clear()


_closed: Final = RecentTimes()
"""Addresses that sockets of this process had bound until lately, and when those were closed."""

os.register_at_fork(after_in_child=_closed.forget)


def note_closed(addresses: Iterable[str]) -> None:
    """Sockets that had bound these have just been closed."""
    for address in addresses:
        _closed.note(address, time.monotonic())


def may_be_closing(address: str) -> bool:
    """Whether `rebind` may have to wait for this address."""
    closed = _closed.get(address)
    return closed is not None and time.monotonic() <= closed + BIND_RETRY


def rebind(
    socket: AnySocket, role: str, address: str, files: list[IpcFile], access: Access | None, *,
    patient: bool = False, is_stopping: Callable[[], bool] = lambda: False,
) -> str:
    """As `zmqtopo.broker.sockets.bind`, of an address that another socket may have had.

    zmq_close(3) leaves the closing to the I/O thread, so an address that this process has closed may be in use for a
    moment, as may any one when ``patient``. The wait ends early when ``is_stopping``. An error names the process that
    has the address, where the system tells.
    """
    closed = time.monotonic() if patient else _closed.get(address)
    deadline = closed + BIND_RETRY if closed is not None else 0
    while True:
        try:
            return bind(socket, role, address, files, access)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            if time.monotonic() > deadline or is_stopping():
                raise zmq.ZMQError(error.errno, f"{error.strerror}{_holder(address)}") from None
        time.sleep(_RETRY_INTERVAL)


def _holder(address: str) -> str:
    from zmqtopo.broker.holders import holder_of_path, holder_of_port
    from zmqtopo.config.endpoint import EndpointError, parse

    with contextlib.suppress(EndpointError):
        endpoint = parse(address)
        if endpoint.port is not None:
            return holder_of_port(endpoint.port)
        if endpoint.transport == "ipc":
            return holder_of_path(endpoint.path)
    return ""
