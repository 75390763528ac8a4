"""What a worker process holds: parts of measurements, each with a thread in which its calls run in turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq

MAX_SOCKETS = 4096
"""Enough for many subscribers and all that serves them in one process."""


@dataclass(frozen=True, slots=True)
class Place:
    """Have a part here, under a name, and open it; its answer is what it has bound.

    The first part makes the context, with so many ``io_threads``.
    """

    part: str
    what: Any
    io_threads: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """Call a method of a part."""

    part: str
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """Close all parts and end the context; answered under the part's name ``""``."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a call has given, or ``error`` in words."""

    part: str
    value: Any = None
    error: str = ""


class _Thread:
    """A part and the thread in which its calls run."""

    def __init__(self, part: Any, answer: Callable[[Any, str], None]) -> None:
        self._part = part
        self._answer = answer
        self._calls: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def call(self, method: str, *arguments: Any) -> None:
        self._calls.put((method, arguments))

    def close(self) -> None:
        self._calls.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            method, arguments = call
            try:
                value, error = getattr(self._part, method)(*arguments), ""
            except Exception as failure:    # whatever it is, it belongs to who has called
                value, error = None, _words(failure)
            self._answer(value, error)
        self._part.close()


def _words(failure: Exception) -> str:
    text = str(failure) or type(failure).__name__
    if isinstance(failure, zmq.ZMQError | RuntimeError | OSError):
        return text
    return f"{type(failure).__name__}: {text}"


class Host:
    """The parts of this process."""

    def __init__(self, post: Callable[[Response], None]) -> None:
        self._post = post
        self._context: zmq.Context[Any] | None = None
        self._threads: dict[str, _Thread] = {}

    def execute(self, order: Place | Call | Clear) -> None:
        """Carry out an order; its answer is posted, from another thread unless it is `Clear`."""
        match order:
            case Place(part, what, io_threads):
                if self._context is None:
                    self._context = zmq.Context(io_threads)
                    self._context.max_sockets = MAX_SOCKETS
                self._threads[part] = _Thread(what, lambda value, error: self._post(Response(part, value, error)))
                self._threads[part].call("open", self._context)
            case Call(part, method, arguments):
                self._threads[part].call(method, *arguments)
            case Clear():
                self._clear()
                self._post(Response(""))

    def _clear(self) -> None:
        for thread in self._threads.values():
            thread.close()
        if self._context is not None:
            self._context.term()        # ends what still waits, and waits for all to be closed
            self._context = None
        for thread in self._threads.values():
            thread.join()
        self._threads.clear()
