"""The socket at which others see copies of what passes a device; what goes over it says loop/tap.pxi."""

from __future__ import annotations

import contextlib
import os
import socket as system
import sys
import time
from pathlib import Path
from typing import Any, Final

import zmq

from zmqtopo.broker.ipc import PREFIX, IpcFile, listen
from zmqtopo.loop import Overflow

HWM: Final = 1000
"""Copies that wait for each reader, beside what the kernel holds."""

LINGER: Final = {"drop": 0.1, "block": 1.0}
"""Seconds that readers have to take the last copies when the device has ended."""


class Tap:
    """An XPUB in the thread of a loop, bound in a folder that only its owner may enter."""

    def __init__(self, context: zmq.Context[Any], overflow: Overflow) -> None:
        """Raises zmq.ZMQError."""
        self._overflow = overflow
        self._files: list[IpcFile] = []
        self._socket: zmq.Socket[Any] = context.socket(zmq.XPUB)
        self._socket.set(zmq.SNDHWM, HWM)
        self._socket.set(zmq.LINGER, 0)
        # All readers are told of, so that the loop can count them.
        self._socket.set(zmq.XPUB_VERBOSER, 1)
        self._socket.set(zmq.XPUB_NODROP, 1)

    @property
    def underlying(self) -> int:
        """The socket for the loop."""
        return int(self._socket.underlying)

    def bind(self, folder: str, file: str) -> None:
        """Let readers connect to a file in a folder; nothing happens where they can. Raises zmq.ZMQError and OSError.

        The path of the folder may be longer than what an address takes, so on Linux it is bound by its descriptor.
        """
        path = Path(folder, file)
        if any(bound == IpcFile.of(f"{PREFIX}{path}") for bound in self._files):
            return
        held = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            has_proc = sys.platform == "linux" and Path("/proc/self/fd").exists()
            self._bind(f"{PREFIX}/proc/self/fd/{held}/{file}" if has_proc else f"{PREFIX}{path}")
        finally:
            os.close(held)
        bound = IpcFile.of(f"{PREFIX}{path}")
        if bound is not None:
            self._files.append(bound)

    def _bind(self, address: str) -> None:
        listener: system.socket | None = listen(address, int(self._socket.get(zmq.BACKLOG)))
        assert listener is not None
        try:
            self._socket.set(zmq.USE_FD, listener.fileno())
            self._socket.bind(address)
            listener.detach()       # libzmq closes it
            listener = None
        finally:
            self._socket.set(zmq.USE_FD, -1)
            if listener is not None:
                listener.close()

    def close(self, deadline: float | None) -> None:
        """Close it; readers may take their copies until ``deadline``, on the monotonic clock. With 0 they may not."""
        while self._files:
            self._files.pop().remove()
        linger = LINGER[self._overflow]
        if deadline is not None:
            linger = min(max(deadline - time.monotonic(), 0.0), linger)
        with contextlib.suppress(zmq.ContextTerminated):
            self._socket.set(zmq.LINGER, int(linger * 1000))
        self._socket.close()
