"""What is answered at which path."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Final

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from zmqtopo.checks.graph import Graph
from zmqtopo.config.dump import plain
from zmqtopo.config.wording import printable, quote
from zmqtopo.control.errors import ControlError
from zmqtopo.draw.dot import live_dot
from zmqtopo.draw.picture import picture
from zmqtopo.observe.log import MOST_LINES, Log
from zmqtopo.observe.metrics import Exposition
from zmqtopo.observe.processes import with_usage
from zmqtopo.observe.web.events import PIECE, Events, EventStream
from zmqtopo.observe.web.guard import Guard
from zmqtopo.observe.web.link import Link
from zmqtopo.observe.web.page import render
from zmqtopo.observe.web.source import BusyError, Source
from zmqtopo.observe.web.taps import Taps, TapStream
from zmqtopo.report.figures import last_error

HEALTH_TIMEOUT: Final = 2.0
"""Seconds in which the supervisor answers if it is well; it takes milliseconds."""

USUAL_LINES: Final = 100

SAMPLE: Final = 1.0
"""Seconds that the rates of a page without JavaScript are over, at least."""

VERBS: Final = frozenset({"pause", "resume", "restart"})
_TYPES: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "png": "image/png",
                 "wasm": "application/wasm", "txt": "text/plain; charset=utf-8", "json": "application/json",
                 "woff2": "font/woff2", "ico": "image/x-icon"}

Handler = Callable[[Request], Awaitable[Response]]


def make_app(link: Link) -> Guard:
    """The application of a process that a supervisor has started."""
    site = Site(link)
    routes = {
        "/": site.page, "/static/{name}": static, "/metrics": site.metrics,
        "/livez": site.live, "/health": site.live, "/readyz": site.ready, "/ready": site.ready,
        "/api/status": site.status, "/api/graph": site.graph, "/api/log": site.log, "/api/events": site.events,
        "/api/tap": site.tap,
    }
    app = Starlette(exception_handlers={404: nothing_there, 405: wrong_method}, routes=[
        *(Route(path, answered(handler), methods=["GET"]) for path, handler in routes.items()),
        Route("/api/devices/{name}/{verb}", answered(site.command), methods=["POST"]),
    ])
    app.router.redirect_slashes = False     # to a Host that the client has chosen
    return Guard(app, lambda: link.http, link.topology.name, link.say)


def answered(handler: Handler) -> Handler:
    """A handler whose topology may not answer."""
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ControlError as error:
            return PlainTextResponse(f"{printable(str(error))}\n", 503)

    return handle


def nothing_at(request: Request) -> Response:
    """The answer to a path at which there is nothing."""
    return PlainTextResponse(f"there is nothing at {quote(request.url.path)}; / is the page\n", 404)


async def nothing_there(request: Request, _: Exception) -> Response:
    """What is answered where no route fits."""
    return nothing_at(request)


async def wrong_method(request: Request, error: Exception) -> Response:
    """What is answered where a route has other methods."""
    headers = dict(getattr(error, "headers", None) or {})
    return PlainTextResponse(f"{quote(request.url.path)} is not for {request.method}, but for "
                             f"{headers.get('Allow', 'another method')}\n", 405, headers)


class Site:
    """What a topology shows."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._source = Source(link.topology.name, link.supervisor)
        self._drawn: tuple[int, str, bytes] = (0, "", b"")
        self._drawing = asyncio.Lock()
        self._exposition = Exposition()
        self._writing = asyncio.Lock()
        self._log = Log(link.topology.name)
        self._events = Events(self._source.ps, lambda: self._config, Log(link.topology.name))
        self._taps = Taps(self._source.connect)
        self._hashed: tuple[object, str] = (None, "")
        self._seen: tuple[list[dict[str, Any]], float] = ([], 0.0)
        """What the page was made of before, and when."""

    @property
    def _config(self) -> str:
        """A hash of what runs, which changes when the drawing does."""
        if self._hashed[0] is not self._link.topology:
            told = json.dumps(plain(self._link.topology), sort_keys=True, default=repr)
            self._hashed = self._link.topology, hashlib.sha256(told.encode()).hexdigest()[:16]
        return self._hashed[1]

    async def page(self, request: Request) -> Response:
        """The page, with the rates since somebody asked for it before: without JavaScript it is asked for again."""
        http = self._link.http
        status, now = await self._source.ps(), time.monotonic()
        status = {**status, "devices": await asyncio.to_thread(with_usage, status["devices"])}
        before, seen = self._seen
        if now - seen >= SAMPLE:
            self._seen = status["devices"], now
        log = await asyncio.to_thread(self._log.last, USUAL_LINES)
        html = await asyncio.to_thread(
            render, status, before=before, seconds=now - seen, log=log, control=http.control, tap=http.tap)
        return HTMLResponse(html)

    async def status(self, request: Request) -> Response:
        """What ``ps --format json`` says of this topology: a list with it alone."""
        told = {key: value for key, value in (await self._source.ps()).items() if key != "ok"}
        return Whole(json.dumps([told]).encode(), "application/json")

    async def metrics(self, request: Request) -> Response:
        """The metrics, in the format that the client asks for."""
        kind = choose_encoder(request.headers.get("accept", ""))[1]
        async with self._writing:
            answer, counters = await self._source.scrape()
            text = await asyncio.to_thread(self._exposition.text, answer, counters,
                                           openmetrics=kind.startswith("application/openmetrics-text"))
        return Whole(text, kind)

    async def live(self, request: Request) -> Response:
        """Whether the supervisor answers."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                await self._source.ps()
        except TimeoutError:
            return PlainTextResponse(f"the supervisor has not answered within {HEALTH_TIMEOUT:g} s\n", 503)
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """Whether every device runs, and which one does not, and why."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                devices = (await self._source.ps())["devices"]
        except TimeoutError:
            return PlainTextResponse(f"the supervisor has not answered within {HEALTH_TIMEOUT:g} s\n", 503)
        lines = [f"{device['name']}: {device['state']}{_because(device)}" for device in devices
                 if device["state"] != "running"]
        if lines:
            return PlainTextResponse("".join(f"{printable(line)}\n" for line in lines), 503)
        return PlainTextResponse("ok\n")

    async def graph(self, request: Request) -> Response:
        """The drawing in DOT, which stays the same until another configuration runs."""
        async with self._drawing:
            topology = self._link.topology
            if self._drawn[1] != self._config:
                drawn = await asyncio.to_thread(lambda: live_dot(picture(Graph(topology))))
                self._drawn = 1, self._config, drawn.encode()
        return Whole(self._drawn[2], "text/vnd.graphviz; charset=utf-8", {"etag": f'"{self._drawn[1]}"'})

    async def log(self, request: Request) -> Response:
        """The last lines of the log."""
        text = request.query_params.get("lines", str(USUAL_LINES))
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            return PlainTextResponse(f"lines is a number from 0 to {MOST_LINES}\n", 400)
        entries = await asyncio.to_thread(self._log.last, min(int(text), MOST_LINES))
        return Whole(json.dumps(entries).encode(), "application/json")

    async def events(self, request: Request) -> Response:
        """What happens, once a second."""
        if request.method == "HEAD":
            return Response(media_type=EventStream.media_type)
        if self._events.is_full:
            return PlainTextResponse("too many watch already; try again\n", 503, {"retry-after": "10"})
        return EventStream(self._events)

    async def tap(self, request: Request) -> Response:
        """Messages of a device, as they pass."""
        if not self._link.http.tap:
            return PlainTextResponse("messages are not shown here; http: {tap: true} allows it\n", 403)
        device, flow = request.query_params.get("device", ""), request.query_params.get("flow") or None
        if flow not in (None, "in_to_out", "out_to_in"):
            return PlainTextResponse("flow is in_to_out or out_to_in; both without it\n", 400)
        if device not in self._link.topology.devices:
            return PlainTextResponse("there is no such device\n", 404)
        if self._taps.is_full:
            return PlainTextResponse("too many look at messages already; try again\n", 503, {"retry-after": "10"})
        if request.method == "HEAD":
            return Response(media_type=TapStream.media_type)
        return TapStream(self._taps, device, flow)

    async def command(self, request: Request) -> Response:
        """Pause, resume or restart a device."""
        name, verb = request.path_params["name"], request.path_params["verb"]
        if verb not in VERBS:
            return PlainTextResponse(
                f"no action of a device is {quote(verb)}; there are {', '.join(sorted(VERBS))}\n", 404)
        try:
            answer = await self._source.command(verb, name)
        except BusyError:
            return PlainTextResponse("other commands are being carried out; try again\n", 503, {"retry-after": "1"})
        code = 200 if answer.get("ok") else 404 if answer.get("reason") == "unknown-device" else 409
        return JSONResponse(answer, code)


async def static(request: Request) -> Response:
    """A file of the page; there are no folders below."""
    name = request.path_params["name"]
    kind = _TYPES.get(name.rpartition(".")[2])
    found = files("zmqtopo.observe.web").joinpath("static", name)
    if kind is None or not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or not found.is_file():
        return nothing_at(request)
    content = await asyncio.to_thread(found.read_bytes)
    # It changes with the program alone, whose next release the browser must not miss: it asks each time.
    headers = {"cache-control": "no-cache", "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Whole(content, kind, headers)


class Whole(Response):
    """An answer that may be large, handed on in pieces, so that a slow client costs no copy of it."""

    def __init__(self, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(None, media_type=None, headers={
            **(headers or {}), "content-type": kind, "content-length": str(len(content))})
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self._content), PIECE):
            await send({"type": "http.response.body", "body": self._content[start : start + PIECE], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _because(device: dict[str, Any]) -> str:
    """The last error of a device, without its name, which stands before it."""
    return f": {last_error(device)}" if device.get("error") else ""
