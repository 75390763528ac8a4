"""uvicorn as this process needs it: on sockets that it is given, quiet, and with bounds for what strangers may cost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from zmqtopo.observe.web.app import make_app
from zmqtopo.observe.web.guard import LONGEST_HEAD
from zmqtopo.observe.web.link import Link

MOST_CONNECTIONS: Final = 256
"""One more takes the place of the one that has been idle for the longest time."""

REQUEST_TIMEOUT: Final = 10.0
"""Seconds that a client has for the whole of a request, from its connection or from the last answer."""

WRITE_TIMEOUT: Final = 10.0
"""Seconds in which a client must have taken what waits for it, which is 64 KiB and one piece of an answer at most."""

KEEP_ALIVE: Final = 5
"""Seconds that a connection stays without a request; Prometheus opens another one."""

BEAT_INTERVAL: Final = 1.0
"""Seconds between two signs of life."""


class Protocol(H11Protocol):
    """A connection, with a time for each thing that its client may take time for."""

    _idle: dict[Protocol, None] = {}    # noqa: RUF012 - all connections share it; those idle for longest come first
    _request_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Make room for it, or refuse it when every other one is busy."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            oldest = next(iter(self._idle), None)
            (oldest or self).transport.abort()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._disarm()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what may be the end of a request."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._disarm()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may be there already."""
        before = self.cycle
        if not self.transport.is_closing():
            self._arm()
        super().on_response_complete()
        if self.cycle is not before:
            self._disarm()

    def pause_writing(self) -> None:
        """The client is slower than what it is sent."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken what waited."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _arm(self) -> None:
        self._disarm()
        self._idle[self] = None
        self._request_timer = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)

    def _disarm(self) -> None:
        self._idle.pop(self, None)
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None


class Server(uvicorn.Server):
    """A server that leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change no handler."""
        yield


def serve(link: Link) -> None:
    """Serve what the supervisor has told, until it is gone."""
    # It warns of each malformed request, and anybody may send those.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    asyncio.run(_serve(link))


async def _serve(link: Link) -> None:
    config = uvicorn.Config(
        make_app(link), http=Protocol, ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    asyncio.get_running_loop().add_reader(link.socket, link.receive)
    beat = asyncio.create_task(_beat(link))
    await Server(config).serve(link.listeners)
    beat.cancel()


async def _beat(link: Link) -> None:
    while True:
        link.beat()
        await asyncio.sleep(BEAT_INTERVAL)
