"""A client of ZMTP by hand, which can do what libzmq's sockets never do."""

from __future__ import annotations

import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

PATIENCE = 5.0
"""Seconds after which a device that neither reads nor answers keeps a stranger no longer."""

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16 + 32)
"""Of ZMTP 3.1 without security: signature, version, mechanism, not a server; RFC 37."""

MORE, LONG, COMMAND = 1, 2, 4


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame as it goes over the wire."""
    if len(body) > 255:
        return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def command(name: bytes, body: bytes = b"") -> bytes:
    """A command of the protocol."""
    return frame(bytes([len(name)]) + name + body, COMMAND)


def ready(type_: str, routing_id: bytes = b"") -> bytes:
    """The command that ends the greeting."""
    properties = {b"Socket-Type": type_.encode(), b"Identity": routing_id}
    return command(b"READY", b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value for name, value in properties.items()
    ))


def subscribe(topic: bytes) -> bytes:
    """A subscription as ZMTP 3.0 has it, which 3.1 takes as well."""
    return frame(b"\1" + topic)


def unsubscribe(topic: bytes) -> bytes:
    """The end of a subscription."""
    return frame(b"\0" + topic)


class Stranger:
    """A connection from somebody who may say anything. That they are cut off, or not heard, is no error."""

    def __init__(self, address: str) -> None:
        transport, _, rest = address.partition("://")
        if transport == "ipc":
            self._socket = socket.socket(socket.AF_UNIX)
            target: str | tuple[str, int] = rest
        else:
            host, _, port = rest.rpartition(":")
            self._socket = socket.socket()
            target = host, int(port)
        self._socket.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            self._socket.connect(target)

    def say(self, data: bytes) -> bool:
        """Send it all; False when the other end does not take it any more."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def hear(self, count: int) -> bytes:
        """Bytes that come, as many as asked for unless the other end closes or is silent for long."""
        heard = b""
        with contextlib.suppress(OSError):
            while len(heard) < count and (data := self._socket.recv(count - len(heard))):
                heard += data
        return heard

    def join(self, type_: str, routing_id: bytes = b"") -> bool:
        """Become a peer as a socket of this type; whether the other end has agreed."""
        self.say(GREETING + ready(type_, routing_id))
        if len(self.hear(len(GREETING))) < len(GREETING):
            return False
        header = self.hear(2)
        return len(header) == 2 and b"READY" in self.hear(header[1])

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self.close()
