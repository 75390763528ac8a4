"""The address of the HTTP server, as the key ``http`` and ``up --http`` say it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

from zmqtopo.config.endpoint import Endpoint, EndpointError, parse
from zmqtopo.config.wording import quote

DEFAULT: Final = "127.0.0.1:9464"
"""Where it listens unless the file says otherwise."""

LONGEST_UNIX_PATH: Final = 103
"""Bytes that every system takes for the path of a socket: sun_path has 104 on macOS and 108 on Linux, with the zero."""

_SUCH_AS: Final = f"write it as {DEFAULT}, [::1]:9464, *:9464 or unix:///run/zmqtopo/http.sock"


@dataclass(frozen=True, slots=True)
class Listen:
    """An address of the HTTP server: an ``endpoint`` of tcp, or of ipc for a Unix socket."""

    endpoint: Endpoint

    @property
    def path(self) -> str:
        """The path of a Unix socket; empty for tcp."""
        return self.endpoint.path

    @property
    def is_loopback(self) -> bool:
        """Whether no other machine reaches it."""
        return bool(self.path) or (self.endpoint.is_local and not self.endpoint.is_wildcard_host)

    def url(self, port: int | None = None) -> str:
        """The address for a browser on this machine; ``port`` is the one that the system has chosen."""
        if self.path:
            return f"unix://{self.path}"
        to = self.endpoint.reachable()
        host = f"[{to.host}]" if ":" in to.host else to.host
        return f"http://{host}:{port or to.port}/"


def parse_listen(text: str) -> Listen:
    """Return the address that ``text`` spells. Raises EndpointError, which has a hint."""
    if text.startswith("unix:"):
        return Listen(Endpoint("ipc", path=_unix_path(text)))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        rest = text.partition("://")[2].rstrip("/")
        raise EndpointError(f"{quote(text)} is not an address to listen at: it has no transport",
                            f"write {rest}" if _is_plain(rest) else _SUCH_AS)
    if re.fullmatch("[0-9]+", text):
        raise EndpointError(f"{quote(text)} has no host", f"write 127.0.0.1:{text}" if len(text) < 6 else _SUCH_AS)
    if text.startswith(":"):
        raise EndpointError(f"{quote(text)} has no host", f"write *{text} to listen at every interface"
                            if len(text) < 8 else _SUCH_AS)
    if ";" in text or not text or text != text.strip() or not text.isprintable() or text.count(":") == 0:
        raise EndpointError(f"{quote(text)} is not a valid address to listen at", _SUCH_AS)
    try:
        return Listen(parse(f"tcp://{text}"))
    except EndpointError as error:
        # The transport, which the messages of endpoints name, is not written here.
        raise EndpointError(str(error).replace("tcp://", "", 1),
                            error.hint.replace("tcp://", "").replace("127.0.0.1:5555", DEFAULT)) from None


def _is_plain(text: str) -> bool:
    return bool(re.fullmatch(r"[\w.*-]+:[0-9*]+|\[[0-9A-Fa-f:.]+\]:[0-9*]+", text)) and len(text) < 60


def _unix_path(text: str) -> str:
    path = text.removeprefix("unix:").removeprefix("//")
    if not path.startswith("/") or path.endswith("/") or "\0" in path or not path.isprintable():
        raise EndpointError(f"{quote(text)} is not a valid address: a Unix socket needs an absolute path",
                            "write unix:///run/zmqtopo/http.sock")
    if len(path.encode(errors="surrogateescape")) > LONGEST_UNIX_PATH:
        raise EndpointError(f"the path of {quote(text)} is longer than {LONGEST_UNIX_PATH} bytes",
                            "use a shorter path, such as unix:///run/zmqtopo/http.sock")
    normal = posixpath.normpath(path)
    return normal[1:] if normal.startswith("//") else normal
