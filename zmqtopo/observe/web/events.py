"""What happens, once a second, for all who watch: server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from zmqtopo.control.errors import ControlError
from zmqtopo.observe.log import Log
from zmqtopo.observe.processes import with_usage

INTERVAL: Final = 1.0
"""Seconds from one event to the next."""

RETRY: Final = 2000
"""Milliseconds after which a browser connects again."""

PIECE: Final = 64 << 10
"""Bytes of an answer that are handed on at a time; the next ones when the client has taken these."""

MOST_STREAMS: Final = 100
"""Streams at a time; one more is refused."""


class Events:
    """One look a second at the topology, as long as somebody watches, and the event that all of them get.

    Who is slow is sent the newest event when they have taken the one before, and misses what was between.
    """

    def __init__(self, ps: Callable[[], Awaitable[dict[str, Any]]], config: Callable[[], str], log: Log) -> None:
        """``config`` is the hash of the configuration."""
        self._ps = ps
        self._config = config
        self._log = log
        self._streams = 0
        self._number = 0
        self._event = b""
        self._first = b""
        """The same without the lines of the log, for who has just come."""
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether there are as many streams as may be."""
        return self._streams >= MOST_STREAMS

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """While somebody watches."""
        self._streams += 1
        try:
            if self._task is None or self._task.done():
                self._first = b""
                self._log.forget()
                self._task = asyncio.create_task(self._run())
            yield
        finally:
            self._streams -= 1

    async def next(self, seen: int | None) -> tuple[int, bytes]:
        """The number and the text of the first event after that number, or for None of the first one to be had."""
        if seen is None and self._first:
            return self._number, self._first
        seen = self._number if seen is None else seen
        async with self._changed:
            await self._changed.wait_for(lambda: self._number != seen)
            return self._number, self._event

    async def _run(self) -> None:
        due = asyncio.get_running_loop().time()
        while self._streams:
            event, first = await self._look()
            async with self._changed:
                self._event, self._first = event, first
                self._number += 1
                self._changed.notify_all()
            due = max(due + INTERVAL, asyncio.get_running_loop().time())
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    async def _look(self) -> tuple[bytes, bytes]:
        config = self._config()
        head: dict[str, Any] = {"time": round(time.time(), 3), "config": config}
        lines = await asyncio.to_thread(self._log.new)
        try:
            head["devices"] = await asyncio.to_thread(with_usage, (await self._ps())["devices"])
        except ControlError as error:
            text = json.dumps({**head, "error": str(error), "log": lines}, separators=(",", ":"))
            event = f"event: unreachable\nid: {config}\ndata: {text}\n\n".encode()
            return event, event
        devices = json.dumps(head, separators=(",", ":"))[:-1]

        def framed(entries: list[Any]) -> bytes:
            log = json.dumps(entries, separators=(",", ":"))
            return f'id: {config}\ndata: {devices},"log":{log}}}\n\n'.encode()

        return framed(lines), framed([])


class EventStream(Response):
    """The answer that goes on until the client has gone."""

    media_type = "text/event-stream"

    def __init__(self, events: Events) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        gone = asyncio.create_task(disconnected(receive))
        try:
            with self._events.watched():
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send(body(f"retry: {RETRY}\n\n".encode()))
                seen: int | None = None
                while not gone.done():
                    seen, event = await self._events.next(seen)
                    for start in range(0, len(event), PIECE):
                        await send(body(event[start : start + PIECE]))
        finally:
            gone.cancel()


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue


def body(text: bytes) -> Message:
    """A part of an answer that goes on."""
    return {"type": "http.response.body", "body": text, "more_body": True}
