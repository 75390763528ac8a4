"""What an address that could not be read was meant to be: the user's own, corrected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from zmqtopo.config.endpoint import TRANSPORTS
from zmqtopo.config.wording import closest

_PORT = r"(?:\d{1,5}|\*)"
_TRANSPORT = re.compile(r"(tcp|ipc|inproc|udp|ws|wss|unix|file)(?::/{0,3}|/{1,3})(?=[^/]|/)", re.IGNORECASE)
_FOREIGN = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_SUBSTITUTED = re.compile(r"\$\{\w+\}")


def corrected(text: str, is_address: Callable[[str], bool]) -> str:
    """Return the address nearest to ``text`` that is one by ``is_address``; empty when there is none."""
    if len(text) > 200 or not text.isprintable():
        return ""
    return next((guess for guess in _guesses(text.strip())
                 if guess != text and is_address(_SUBSTITUTED.sub("1", guess))), "")


def _guesses(text: str) -> Iterator[str]:
    """What may have been meant, the likeliest first."""
    yield text
    if _VARIABLE.search(text):
        yield _VARIABLE.sub(r"${\1}", text)
    if re.fullmatch(r"(~|\.{0,2})/.+|[\w./-]+\.(sock|socket|ipc)", text):
        yield "ipc://" + re.sub(r"^~(?=/)", "${HOME}", text)
    if text.startswith("ipc://~/"):
        yield text.replace("ipc://~/", "ipc://${HOME}/", 1)
    head = _TRANSPORT.match(text)
    if head is not None:
        transport = head[1].lower()
        rest = text[head.end():]
        if not rest.strip("/"):
            return
        if transport in ("ipc", "unix", "file"):
            slash = "/" if text[head.end(1):head.end()].endswith("/") and not rest.startswith(("/", "@", ".")) else ""
            yield f"ipc://{slash}{rest}"
        elif transport == "inproc":
            yield f"inproc://{rest.lstrip('/')}"
        else:
            yield from _host_and_port(transport, rest)
        return
    foreign = _FOREIGN.match(text)
    if foreign is None:
        yield from _host_and_port("tcp", text)
    else:
        yield from _host_and_port(closest(foreign[0][:-3].lower(), TRANSPORTS) or "tcp", text[foreign.end():])


def _host_and_port(transport: str, rest: str) -> Iterator[str]:
    rest = rest.lstrip("/").replace(" ", "")
    if ":" not in rest:
        rest = re.sub(r"[,;](?=\d+$)", ":", rest)
    host, colon, after = rest.rpartition(":")
    port = re.match(_PORT, after)
    if colon and port is not None:
        yield f"{transport}://{_bracketed(host) or '*'}:{port[0]}"
    if re.fullmatch(r"\d{1,5}", rest):
        yield f"{transport}://*:{rest}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
