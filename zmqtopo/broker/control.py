"""How a running loop is told to pause, resume and stop."""

from __future__ import annotations

import socket
import time


class Control:
    """Both ends of the stream that a loop obeys: single bytes, each answered with itself when it is carried out.

    A socket pair of the system rather than a pair of ZeroMQ sockets: it works between processes as between threads,
    needs no context, and its end tells the worker that its owner is gone, even by SIGKILL.
    """

    deadline: float | None = None
    """When a stop must be over, on the monotonic clock. Only the process that has called `stop` knows it."""

    is_stopping = False
    """Whether `stop` has been called, in this process."""

    def __init__(self) -> None:
        self.owner, self.worker = socket.socketpair()
        self.worker.setblocking(False)

    def send(self, command: bytes) -> None:
        """Give a command without waiting; nothing happens when the loop has ended."""
        try:
            self.owner.sendall(command)
        except OSError:
            return

    def stop(self, timeout: float | None, *, fed: bool = False) -> None:
        """Have the loop pass on what has been received and end; without waiting.

        Its sockets are closed for good within ``timeout`` seconds (None: when they have sent everything). With 0 it
        ends at once. ``fed`` lets it wait longer for what another device that has just ended has sent.
        """
        if timeout is not None:
            self.deadline = time.monotonic() + timeout
        self.is_stopping = True
        self.send(b"n" if timeout is not None and timeout <= 0 else b"f" if fed else b"s")

    def ask(self, command: bytes, timeout: float) -> bool:
        """Give a command and wait for its answer; False when the loop has ended. Raises TimeoutError."""
        self.send(command)
        deadline = time.monotonic() + timeout
        while True:
            remaining = deadline - time.monotonic()
            try:
                self.owner.settimeout(max(remaining, 0.001))
                answer = self.owner.recv(1)
            except TimeoutError:
                raise TimeoutError(f"the device did not answer within {timeout:g} s") from None
            except OSError:
                return False
            # Answers to commands that nobody waited for may come first.
            if not answer or answer == command:
                return bool(answer)

    def disown(self) -> None:
        """In a worker process: let go of the owner's end, so that only the owner's own life holds it open."""
        self.owner.close()

    def __getstate__(self) -> dict[str, socket.socket]:
        """For a process that is being spawned: the worker's end alone."""
        return {"worker": self.worker}

    def __setstate__(self, state: dict[str, socket.socket]) -> None:
        self.worker = state["worker"]
        self.owner = socket.socket()    # nobody's

    def __del__(self) -> None:
        if hasattr(self, "worker"):     # else there were no descriptors left to make it
            self.close()

    def close(self) -> None:
        """Close both ends; a loop that still runs ends at once."""
        self.owner.close()
        self.worker.close()
