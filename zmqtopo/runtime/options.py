"""Socket options of the model as the numbers and values that pyzmq takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import zmq

from zmqtopo.config.model import File, OptionValue, Socket


def socket_options(socket: Socket) -> Iterator[tuple[int, int | bytes]]:
    """The options of a socket in the order to set them. Raises OSError for a secret's file that cannot be read."""
    # ``hwm`` is both directions, and the one that is named for itself has the last word.
    for name, value in sorted(socket.options.items(), key=lambda item: item[0] != "hwm"):
        names = ("sndhwm", "rcvhwm") if name == "hwm" else (name,)
        for option in names:
            for single in value if isinstance(value, tuple) else (value,):
                yield zmq.SocketOption[option.upper()], _raw(single)


def _raw(value: OptionValue) -> int | bytes:
    match value:
        case File(path):
            return Path(path).read_bytes().rstrip(b"\r\n")
        case str():
            return value.encode()
        case bytes() | int():
            return int(value) if isinstance(value, bool) else value
        case _:
            raise TypeError(f"not an option value: {value!r}")
