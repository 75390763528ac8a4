"""What the supervisor waits for: events of its workers, and requests of other threads."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import deque
from dataclasses import dataclass

from zmqtopo.supervisor.requests import Request
from zmqtopo.worker.protocol import Event


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker is gone, and its devices with it; ``how`` says by what, for people."""

    worker: str
    how: str


Message = Event | WorkerEnded | Request
"""What the supervisor takes from its inbox and its workers."""


class Inbox:
    """Messages for the supervisor from any thread, in the order in which they were posted."""

    def __init__(self) -> None:
        self._events: deque[Message] = deque()
        self.receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self.receiver.setblocking(False)
        self._wakeup_before: int | None = None

    def wake_on_signals(self) -> None:
        """Let every signal wake the supervisor, so that its Python handler runs; for the main thread only.

        EINTR alone would not do: a signal that comes just before the sleep does not interrupt it.
        """
        self._wakeup_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)

    def post(self, event: Message) -> None:
        """Add an event and wake the supervisor; also allowed in a signal handler, and when nobody takes any more."""
        self._events.append(event)
        # BlockingIOError: enough wakings wait already. Others: it has been closed, by another thread too.
        with contextlib.suppress(OSError):
            self._sender.send(b"!")

    def take(self) -> list[Message]:
        """All events there are."""
        with contextlib.suppress(BlockingIOError):
            self.receiver.recv(4096)
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def close(self) -> None:
        """Let go of the file descriptors."""
        if self._wakeup_before is not None:
            signal.set_wakeup_fd(self._wakeup_before, warn_on_full_buffer=False)
            self._wakeup_before = None
        self.receiver.close()
        self._sender.close()
