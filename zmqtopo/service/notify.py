"""Words to the service manager, as sd_notify(3) describes them: datagrams of ``KEY=VALUE`` lines to $NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Notifier:
    """Tells the service manager what goes on. Without one, or when it does not listen, nothing happens.

    No method waits or raises: what a service manager does not hear is no reason to stop a broker.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Take the manager's address and its watchdog interval out of ``environ``, for this process alone.

        A worker that inherited them could declare the service ready, or dead.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        self.watchdog_interval = _watchdog_interval(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""))
        """Seconds from one `watchdog` to the next; None when the manager does not watch."""
        self._address: str | bytes = ""
        self._socket: socket.socket | None = None
        if not address.startswith(("/", "@")):      # others, such as vsock:, are for whole virtual machines
            return
        # Linux calls a name that begins with a zero byte abstract; in the environment that byte is written as @.
        self._address = b"\0" + os.fsencode(address[1:]) if address[0] == "@" else address
        with contextlib.suppress(OSError):          # no descriptors left
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Everything runs: after the start, and after each `reloading` whether or not it succeeded."""
        self._send("READY=1", f"STATUS={_line(status)}")

    def reloading(self, status: str) -> None:
        """A reload begins; `ready` says that it is over."""
        # systemd.service(5), Type=notify-reload: both in one datagram, microseconds of CLOCK_MONOTONIC.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}",
                   f"STATUS={_line(status)}")

    def stopping(self, status: str) -> None:
        """The end begins."""
        self._send("STOPPING=1", f"STATUS={_line(status)}")

    def watchdog(self) -> None:
        """Say that this process is alive; to be called every `watchdog_interval` by the loop that decides."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Let go of the file descriptor; whatever comes later goes nowhere."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *assignments: str) -> None:
        if self._socket is not None:
            # BlockingIOError: the manager has not read the last ones yet. Others: it is gone, for now or for good.
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(assignments).encode(errors="replace"), self._address)


def _line(text: str) -> str:
    """Keep text in its assignment: after a line break another one would begin."""
    return " ".join(text.split())


def _watchdog_interval(usec: str, pid: str) -> float | None:
    # sd_watchdog_enabled(3): without WATCHDOG_PID every process is meant; half of the time leaves room for one delay.
    if not usec.isdecimal() or not int(usec) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6
