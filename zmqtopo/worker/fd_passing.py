"""Giving a file descriptor to another process, over a connection on which messages go too.

multiprocessing's send_handle and recv_handle need one descriptor more at each end. Where that is not to be had, they
leave the connection in the middle of a message.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

_BYTE: Final = b"\1"        # a descriptor does not travel alone


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that block, for connections: the sockets of gevent and eventlet do not. Raises OSError."""
    ends = socket.socketpair()
    for end in ends:
        os.set_blocking(end.fileno(), True)
    return ends


def send(connection: Connection[Any, Any], descriptor: int) -> None:
    """Send one after a message that says so. Raises OSError."""
    with _socket(connection) as end:
        socket.send_fds(end, [_BYTE], [descriptor])


def receive(connection: Connection[Any, Any]) -> int:
    """Receive one.

    Raises OSError when this process may have no more, and then all that follows can still be received; EOFError when
    the other end is gone.
    """
    with _socket(connection) as end:
        byte, descriptors, _, _ = socket.recv_fds(end, 1, 1)
    if descriptors:
        return descriptors[0]
    if not byte:
        raise EOFError
    if byte != _BYTE:
        raise RuntimeError("a message where a descriptor should be")
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))      # the system has thrown it away


@contextmanager
def _socket(connection: Connection[Any, Any]) -> Iterator[socket.socket]:
    end = socket.socket(fileno=connection.fileno())
    try:
        yield end
    finally:
        os.set_blocking(end.detach(), True)     # a socket of gevent has taken that away, from the connection too
