"""How a worker tells its owner what became of it: ready, failed or stopped."""

from __future__ import annotations

import pickle
import queue
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Report:
    """``ready`` comes with the endpoints, once every socket is bound and connected; ``failed`` with the error."""

    kind: Literal["ready", "failed", "stopped"]
    endpoints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    error: BaseException | None = None


class ThreadReports:
    """Reports from a thread of the same process."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Report] = queue.SimpleQueue()

    def put(self, report: Report) -> None:
        """Send a report."""
        self._queue.put(report)

    def get(self, timeout: float | None) -> Report | None:
        """Wait up to ``timeout`` seconds, None for no limit; None when nothing came."""
        try:
            return self._queue.get(timeout=timeout) if timeout != 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def worker_started(self) -> None:
        """Nothing to do: both ends stay in this process."""


class ProcessReports:
    """Reports from another process. They can be pickled while it is being spawned, and only then."""

    def __init__(self) -> None:
        self._receiver: Connection[Any, Any] | None
        self._receiver, self._sender = Pipe(duplex=False)

    def put(self, report: Report) -> None:
        """Send a report; its error goes as its text too, for an owner that cannot have the original."""
        text = f"{type(report.error).__name__}: {report.error}"
        try:
            error = pickle.dumps(report.error)
        except (pickle.PicklingError, TypeError, AttributeError):
            error = b""
        try:
            self._sender.send((report.kind, report.endpoints, error, text))
        except OSError:
            return      # the owner has gone

    def get(self, timeout: float | None) -> Report | None:
        """Wait up to ``timeout`` seconds, None for no limit; None when nothing came. Raises EOFError if nothing can."""
        assert self._receiver is not None
        if not self._receiver.poll(timeout):
            return None
        kind, endpoints, pickled, text = self._receiver.recv()
        try:
            error = pickle.loads(pickled)   # noqa: S301 - from our own worker
        except Exception:   # reading runs code of the error's class, which may raise anything
            error = RuntimeError(text)
        return Report(kind, endpoints, error)

    def worker_started(self) -> None:
        """Close the owner's copy of the sending end, so that the worker's death ends the stream."""
        self._sender.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"_sender": self._sender, "_receiver": None}
