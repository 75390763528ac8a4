"""Binding addresses, also those that a device had before it was restarted."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import zmq

from zmqtopo.broker.ipc import PREFIX, Access, IpcFile
from zmqtopo.broker.sockets import AnySocket, bind

PATIENCE = 0.5
"""Seconds that libzmq's I/O thread may take to close what has been closed; it takes less than a millisecond."""


def rebind(
    socket: AnySocket, role: str, address: str, files: list[IpcFile], closed: float | None, access: Access | None
) -> str:
    """As `zmqtopo.broker.sockets.bind`, of an address that another socket may have had.

    ``closed`` is when, on the monotonic clock, one of this process was closed: zmq_close(3) leaves the closing to the
    I/O thread, so the address may be in use for a moment. An error names the process that has it, where the system
    tells.
    """
    deadline = closed + PATIENCE if closed is not None else 0
    while True:
        try:
            return bind(socket, role, address, files, access)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            if time.monotonic() > deadline:
                raise zmq.ZMQError(error.errno, f"{error.strerror}{_holder(address)}") from None
        time.sleep(0.001)


def remake_folder(address: str, access: Access | None) -> None:
    """Make the folder of the path that was chosen for ``ipc://*``; it was removed with the socket."""
    if address.startswith(PREFIX):
        with contextlib.suppress(OSError):      # that it cannot be bound says more
            folder = Path(address.removeprefix(PREFIX)).parent
            folder.mkdir(mode=0o700)
            if access is not None:
                access.open_folder(folder)


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
