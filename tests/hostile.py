"""A subscriber that speaks ZMTP by hand, so that it can say what no libzmq would."""

from __future__ import annotations

import socket
import struct
from typing import Self

DEADLINE = 10.0
"""Seconds that anything may take."""

_READY = b"\x05READY\x0bSocket-Type"
_COMMAND, _LARGE, _MORE = 4, 2, 1       # flags of a frame (ZMTP 3.1, section 3.2.4)


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame as it is on the wire."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | _LARGE]) + struct.pack(">Q", len(body)) + body


class Stranger:
    """A connection to ``address`` (tcp or ipc) in ZMTP 2.0, 3.0 or 3.1, or one that says nothing."""

    def __init__(self, address: str, version: str = "3.1", type_: bytes = b"SUB") -> None:
        if address.startswith("ipc://"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(DEADLINE)
            self._socket.connect(address.removeprefix("ipc://"))
        else:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            self._socket = socket.create_connection((host, int(port)), DEADLINE)
        self._version = version
        if not version:
            return
        signature = b"\xff" + b"\0" * 8 + b"\x7f"
        if version == "2.0":
            self._socket.sendall(signature + b"\x01\x02" + frame(b""))    # revision, type SUB, no routing id
            self._read(10 + 2 + 2)
            return
        self._socket.sendall(signature + bytes(int(n) for n in version.split(".")) + b"NULL".ljust(52, b"\0"))
        self._read(64)
        self._socket.sendall(frame(_READY + struct.pack(">I", len(type_)) + type_, _COMMAND))
        self._read(self._read(2)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def subscription(self, topic: bytes, *, cancels: bool = False) -> bytes:
        """A subscription, or what takes it back, as this version has it."""
        if self._version == "3.1":
            return frame((b"\x06CANCEL" if cancels else b"\x09SUBSCRIBE") + topic, _COMMAND)
        return frame((b"\0" if cancels else b"\1") + topic)

    def subscribe(self, topic: bytes) -> None:
        self.send(self.subscription(topic))

    def unsubscribe(self, topic: bytes) -> None:
        self.send(self.subscription(topic, cancels=True))

    def unsubscribe_behind(self, first: bytes, topic: bytes) -> None:
        """Hide an unsubscription in the second frame of a message."""
        self.send(frame(first, _MORE) + frame(b"\0" + topic))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """The body of the next frame, of less than 256 bytes."""
        return self._read(self._read(2)[1])

    def read_to_the_end(self) -> None:
        """Read until the other end closes the connection. Raises ConnectionError then."""
        while True:
            self._read(1)

    def flood(self, rounds: int = 1 << 62) -> None:
        """Subscribe to topics and take them back until the connection ends."""
        data = b"".join(
            self.subscription(b"%d" % number, cancels=cancels) for number in range(1000) for cancels in (False, True)
        )
        try:
            for _ in range(rounds):
                self.send(data)
        except OSError:
            return

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self._socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("the other end has closed the connection")
            data += chunk
        return data
