"""Messages of one device as they pass, as server-sent events: no more than a person can read."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zmqtopo.control.client import Client
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.web.events import body, disconnected

MOST_TAPS: Final = 4
"""Taps at a time; one more is refused."""

RATE: Final = 20.0
"""Messages a second that are shown of a device."""

HEAD: Final = 256
"""Bytes of a frame that are shown."""

MOST_FRAMES: Final = 20
"""Frames of a message that are shown."""

MOST_WAITING: Final = 100
"""Events that wait for a slow client; then nothing more is read for it, and the device leaves it out."""


class Taps:
    """Shows messages of devices, each tap in a thread of its own that ends with it."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        """``connect`` makes a connection to the topology. Raises ControlError."""
        self._connect = connect
        self._threads = ThreadPoolExecutor(MOST_TAPS, "tap")
        self._open = 0

    @property
    def is_full(self) -> bool:
        """Whether as many look on as may."""
        return self._open >= MOST_TAPS

    async def run(self, device: str, flow: str | None, stop: threading.Event, put: Callable[[str, Any], None]) -> None:
        """Call ``put`` with the kind and the content of events until ``stop`` is set or the topology ends."""
        self._open += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._run, device, flow, stop, put)
        # Also when who waits for it has gone.
        future.add_done_callback(lambda done: self._closed())
        await asyncio.shield(future)

    def _closed(self) -> None:
        self._open -= 1

    def _run(self, device: str, flow: str | None, stop: threading.Event, put: Callable[[str, Any], None]) -> None:
        # pyzmq is needed here alone.
        from zmqtopo.observe.tap.decode import decoder, message
        from zmqtopo.observe.tap.reader import Tapped, TapReader
        from zmqtopo.observe.tap.session import Choice, Session

        decode = decoder(("auto",), HEAD)

        def show(tapped: Tapped) -> None:
            told = message(tapped._replace(frames=tapped.frames[:MOST_FRAMES]), decode)
            put("message", {**told, "more_frames": max(0, len(tapped.frames) - MOST_FRAMES)})

        try:
            with TapReader(self._connect(), [device], flow=flow) as reader:
                put("begin", {"device": device})
                session = Session(
                    reader, Choice(rate=RATE), show, lambda tapped, missing: put("gap", {"missing": missing}),
                    lambda note: put("note", {"text": note}), stop.wait)
                session.run()
                put("end", {"text": reader.ended, "shown": session.shown, "left_out": session.left_out})
        except ControlError as error:
            put("end", {"text": str(error)})


class TapStream(Response):
    """The answer that goes on until the client has gone or there is nothing more to see."""

    media_type = "text/event-stream"

    def __init__(self, taps: Taps, device: str, flow: str | None) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._taps = taps
        self._device = device
        self._flow = flow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        loop, stop = asyncio.get_running_loop(), threading.Event()
        events: asyncio.Queue[bytes] = asyncio.Queue()

        def put(kind: str, content: Any) -> None:
            """Called in the thread of the tap, which waits where the client is slow."""
            while events.qsize() >= MOST_WAITING and not stop.wait(0.05):
                continue
            text = json.dumps(content, separators=(",", ":"))
            loop.call_soon_threadsafe(events.put_nowait, f"event: {kind}\ndata: {text}\n\n".encode())

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(disconnected(receive))
        run = asyncio.create_task(self._taps.run(self._device, self._flow, stop, put))
        try:
            while not gone.done():
                event = asyncio.create_task(events.get())
                await asyncio.wait((event, gone, run), return_when=asyncio.FIRST_COMPLETED)
                if not event.done():
                    event.cancel()
                    if run.done() and events.empty():
                        break
                else:
                    await send(body(event.result()))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            stop.set()
            gone.cancel()
            run.cancel()
