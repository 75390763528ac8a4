"""Socket options of the model as the numbers and values that pyzmq takes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Final

import zmq

from zmqtopo.config.model import File, OptionValue, Role, Socket
from zmqtopo.config.options import marks

MOST: Final = 1 << 20
"""Bytes of a file with the value of an option; certificates are the longest."""


def socket_options(socket: Socket) -> Iterator[tuple[int, int | bytes]]:
    """The options of a socket in the order to set them.

    Raises OSError for a secret's file that cannot be read and ValueError for an option that pyzmq does not have; both
    name the socket's role.
    """
    # The direction that is named for itself has the last word.
    for name, value in sorted(socket.options.items(), key=lambda item: item[0] != "hwm"):
        for option in marks(socket.type) if name == "hwm" else (name,):
            if option.upper() not in zmq.SocketOption.__members__:
                raise ValueError(f"{socket.role}: pyzmq {zmq.__version__} does not know the option {option}")
            for single in value if isinstance(value, tuple) else (value,):
                yield zmq.SocketOption[option.upper()], _raw(socket, name, single)


def settings(socket: Socket, wanted: Iterable[tuple[Role, str, OptionValue]]) -> Iterator[tuple[int, int | bytes]]:
    """Of options by role, name and single value, those of this socket. Raises as `socket_options`."""
    return ((zmq.SocketOption[name.upper()], _raw(socket, name, value)) for role, name, value in wanted
            if role == socket.role)


def read_option(path: str) -> bytes:
    """The value of an option from its file. Raises OSError, also for what would have to be waited for."""
    with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "a pipe or a device and not a file")
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise OSError(errno.EFBIG, f"more than {MOST >> 20} MiB")
    return content


def _raw(socket: Socket, name: str, value: OptionValue) -> int | bytes:
    match value:
        case File(path):
            try:
                return read_option(path).rstrip(b"\r\n")
            except OSError as error:
                raise OSError(f"{socket.role}: cannot read {name} from {path}: {error.strerror}") from None
        case str():
            return value.encode()
        case int() if value >= 1 << 63:
            return value - (1 << 64)    # libzmq wants 64 bits, which pyzmq takes as a signed number
        case bytes() | int():
            return int(value) if isinstance(value, bool) else value
        case _:
            raise TypeError(f"{socket.role}: not an option value: {value!r}")
