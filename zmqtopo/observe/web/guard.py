"""Who may ask what: every request comes through here before anything else looks at it."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from itertools import chain
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zmqtopo.config.endpoint import EndpointError
from zmqtopo.config.http import parse_listen
from zmqtopo.config.model import Http
from zmqtopo.config.wording import printable, quote

OPEN_PATHS: Final = frozenset({"/metrics", "/livez", "/health", "/readyz", "/ready"})
"""What needs no token: it says nothing that a scraper or a probe must not know."""

OWN_HEADER: Final = "x-zmqtopo"
"""A header that no form can send, and no script of another origin without being asked for first (CORS)."""

LONGEST_HEAD: Final = 16 << 10
"""Bytes of a request's line and headers together."""

MOST_TOKEN_BYTES: Final = 4096

COMPLAINT_INTERVAL: Final = 60.0
"""Seconds after which an error of this process, or of the token's file, is said again."""

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An application before another one, which lets through what may pass, and puts its headers on every answer."""

    def __init__(self, app: ASGIApp, http: Callable[[], Http], name: str, say: Callable[[str], None]) -> None:
        """``say`` tells an operator what is wrong; it is not called with anything that a stranger has sent."""
        self._app = app
        self._http = http
        self._say = say
        self._said: dict[str, float] = {}
        self._cookie = f"zmqtopo-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        """Cookies know no port: the pages of several topologies on one host have different ones."""
        self._token = Token()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                there = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(
                    (name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in there)]
            await send(message)

        try:
            answer = self._refusal(scope, Headers(scope=scope))
            await (answer or self._app)(scope, receive, guarded)
        except Exception as error:
            self._complain(f"internal error: {type(error).__name__}: {error}")
            if started:
                raise
            await PlainTextResponse("internal error; the log says more\n", 500)(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        http = self._http()
        if len(scope["raw_path"]) + len(scope["query_string"]) + sum(map(len, chain(*headers.raw))) > LONGEST_HEAD:
            return _told(431, f"a request has at most {LONGEST_HEAD} bytes of headers")
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _is_allowed(hosts[0], http):
            return _told(400, "a request needs one header Host") if len(hosts) != 1 else _told(
                421, f"the host {quote(hosts[0])} is not served here; if it is meant, add its name to "
                "http: {hosts: [NAME]}")
        for origin in headers.getlist("origin"):
            if origin.partition("://")[2].lower() != hosts[0].lower() or "://" not in origin:
                return _told(403, "requests of pages of another origin are refused")
        if scope["path"] not in OPEN_PATHS and (refused := self._unknown(scope, headers, http)):
            return refused
        if scope["method"] == "POST":
            return self._unwanted_post(headers, http)
        return None

    def _unknown(self, scope: Scope, headers: Headers, http: Http) -> Response | None:
        """The answer to who has no token; None where none is wanted."""
        if http.token is None:
            if _is_loopback(http):
                return None
            return _told(403, "beyond loopback this needs http: {token: {file: PATH}}")
        token = self._token.read(http.token.path)
        if not token:
            self._complain(f"nobody gets in: {self._token.reason}")
            return _told(503, "the token cannot be read; the log says why")
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token):
            return None
        proof = hmac.new(token, self._cookie.encode(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(_cookies(headers).get(self._cookie, "").encode(), proof.encode()):
            return None
        return self._first_visit(scope, token, proof) or _told(
            401, "a token is wanted: as the header Authorization: Bearer TOKEN, or in a browser once as /?token=TOKEN",
            {"www-authenticate": "Bearer"})

    def _first_visit(self, scope: Scope, token: bytes, proof: str) -> Response | None:
        """Give a browser that has the token in its address a cookie, and an address without it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in query if key == "token"]
        if scope["method"] != "GET" or len(given) != 1 or not hmac.compare_digest(given[0].encode(), token):
            return None
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        # No path with two slashes at the beginning, which would be that of another host.
        path = "/" + scope["path"].lstrip("/\\")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        answer.set_cookie(self._cookie, proof, path="/", httponly=True, samesite="strict",
                          secure=scope["scheme"] == "https")
        return answer

    def _unwanted_post(self, headers: Headers, http: Http) -> Response | None:
        if not http.control:
            return _told(403, "devices are not controlled here; http: {control: true} allows it")
        if headers.get("origin") is None:
            return _told(403, "a request that changes something needs the header Origin")
        if headers.get(OWN_HEADER) != "1":
            return _told(403, "a request that changes something needs the header X-Zmqtopo: 1")
        return None

    def _complain(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said.get(text[:40], -COMPLAINT_INTERVAL) >= COMPLAINT_INTERVAL:
            if len(self._said) > 100:
                self._said.clear()
            self._said[text[:40]] = now
            self._say(text)


class Token:
    """A token in a file, read again when the file has changed."""

    def __init__(self) -> None:
        self._identity: tuple[object, ...] = ()
        self._value = b""
        self.reason = ""
        """Why there is none."""

    def read(self, path: str) -> bytes:
        """The token; empty when there is none, and then `reason` says why."""
        try:
            status = os.stat(path)      # noqa: PTH116 - a path of the file, which may be too long for Path
            identity = (path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if identity != self._identity:
                with open(path, "rb") as file:      # noqa: PTH123
                    self._value = file.read(MOST_TOKEN_BYTES).strip()
                self._identity = identity
            self.reason = "" if self._value else f"cannot read the token from {printable(path)} (the file is empty)"
        except (OSError, ValueError) as error:
            self._identity, self._value = (), b""
            self.reason = f"cannot read the token from {printable(path)} ({getattr(error, 'strerror', error)})"
        return self._value


def _is_allowed(host: str, http: Http) -> bool:
    """Whether a Host is an address, a name of loopback, or one that the file lists.

    A page that its owner's name server points to this machine has that owner's name as Host, and would else be of one
    origin with this one (DNS rebinding).
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port      # raises for what is not a number
    except ValueError:
        return False
    name = (parts.hostname or "").rstrip(".")
    if not name or parts.username is not None or parts.path or parts.query or parts.fragment:
        return False
    if name == "localhost" or name.endswith(".localhost"):      # which no name server answers for (RFC 6761)
        return True
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return name in {known.lower().rstrip(".") for known in http.hosts}
    return True


def _is_loopback(http: Http) -> bool:
    try:
        return parse_listen(http.listen).is_loopback
    except EndpointError:
        return False


def _cookies(headers: Headers) -> Mapping[str, str]:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in cookies.items()}


def _told(code: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", code, headers)
