"""The line to the supervisor: what runs comes in, signs of life and words for the log go out."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket

from zmqtopo.config.model import Http, Topology

MOST_SOCKETS = 16
"""Sockets that listen: one for each address of a host."""


class Link:
    """What the supervisor has told, and how it is told something."""

    def __init__(self, fd: int, supervisor: int) -> None:
        """Wait for the first message: what runs, and the sockets to listen at."""
        self.supervisor = supervisor
        """Its process."""
        self.socket = socket.socket(fileno=fd)
        self.topology: Topology
        self.listeners = [socket.socket(fileno=one) for one in self._receive()]
        self.socket.setblocking(False)

    @property
    def http(self) -> Http:
        """What the file says of HTTP."""
        return self.topology.http or Http()

    def receive(self) -> None:
        """Take what has come; ends the process when the supervisor is gone."""
        with contextlib.suppress(BlockingIOError):
            self._receive()

    def _receive(self) -> list[int]:
        try:
            data, given, _, _ = socket.recv_fds(self.socket, 1, 1 + MOST_SOCKETS)
        except ConnectionError:
            os._exit(0)
        if not data:
            os._exit(0)
        if not given:       # this process has no descriptors left
            return []
        fd, *rest = given
        with os.fdopen(fd, "rb") as file:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            self.topology = pickle.load(file)   # noqa: S301 - of the process that has started this one
        return rest

    def beat(self) -> None:
        """Give a sign of life."""
        self._send(b"\n")

    def say(self, text: str) -> None:
        """Have a line said in the log of the topology."""
        self._send(text.replace("\n", " ").encode(errors="backslashreplace") + b"\n")

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(OSError):      # a full buffer: it has not looked for a long time
            self.socket.send(line)
