"""The language of the control socket.

A stream of JSON objects in UTF-8, one a line, no line longer than `LONGEST_LINE` bytes towards the topology. It begins:

    {"zmqtopo": 1, "name": "pipeline", "pid": 4711, "release": "0.1.0"}

``zmqtopo`` is the version of this language, and a client that speaks another one goes no further. A client asks, one
thing after the other, and each request has one answer:

    {"zmqtopo": 1, "verb": "ps"}
    {"ok": true, "topology": "pipeline", ..., "devices": [{"name": "collect", "state": "running", ...}]}

    {"zmqtopo": 1, "verb": "pause", "devices": ["collect"]}
    {"ok": true, "devices": [{"name": "collect", "state": "paused"}]}

    {"zmqtopo": 1, "verb": "stop", "devices": ["colect"]}
    {"ok": false, "reason": "unknown-device", "errors": ["there is no device 'colect'; did you mean collect?"]}

The verbs: ``ps`` (all of ``zmqtopo ps --format json``, and of the topology its ``file``, ``pid``, ``release``,
``pyzmq``, ``libzmq``, the Unix time at which it ``started``, its last ``reload`` and where it serves ``http``);
``start``, ``stop``, ``restart``, ``pause`` and ``resume``, with ``devices`` or for all, answered when the devices are
there, and ``refused`` where a later request has sent them elsewhere before. ``stop`` and ``restart`` say of each what
its ``stop`` has ``passed_on``, ``dropped`` and, for each peer at most, ``possibly_lost_per_peer``; null if it did not
run. Where ``dropped_exact`` is false, here and in the counters, ``dropped`` is a lower bound. With ``"within": 2.5``
these two and ``down`` have so many seconds in place of the ``stop_timeout`` of each device.
``counters`` has a list for each device, in the order of ``ps``, with ``messages``, ``bytes``, ``dropped``, ``blocked``,
``blocked_time`` and ``last`` in nanoseconds, and ``waiting``, of in to out, out to in and mon. They are those of the
devices of an answer to ``ps`` that has the same ``change``.

``topology`` answers with what runs, as ``zmqtopo config --format json`` prints it, whatever the file says by now:

    {"zmqtopo": 1, "verb": "topology"}
    {"ok": true, "topology": "{ ... }"}

``down``, with ``"force": true`` at once, is answered
with what ``ps`` would say in the end, ``stop`` as there, ``forced`` for a stop out of time and ``unsent`` for one whose
LINGER was, just before all is gone. ``reload`` reads the file of the topology again, or ``"file"``, an absolute path,
and with ``"dry_run": true`` only says what that would take; answered when it is done:

    {"zmqtopo": 1, "verb": "reload", "file": "/etc/feed.yaml"}
    {"ok": true, "result": "done", "plan": {"topology": "feed", "changes": [], "devices": [...]}, "text": "..."}

``result`` is ``done``, ``unchanged`` or ``planned``, ``text`` the plan for people, ``report`` what there is to say of
the file; each of ``devices`` that was stopped for it, to end or to start again, has a ``stop`` as that of ``restart``;
and ``note`` stands there when nothing runs afterwards, which is not the end of the topology.

``tap`` lets a client see copies of what passes ``devices``, or all, as long as its connection lasts:

    {"zmqtopo": 1, "verb": "tap", "devices": ["collect"], "overflow": "drop"}
    {"ok": true, "taps": [{"device": "collect", "folder": "/run/user/1000/zmqtopo/pipeline", "file": "tap-1",
                           "state": "running", "error": null}]}

At that file is a socket of type XPUB, or will be when the device runs; ``loop/tap.pxi`` says what goes over it. With
``"overflow": "block"`` the device waits for those who look on. Asked again, it says where the sockets are now, and by
``error`` why one could not be opened.

``peers`` tells who is connected to ``devices``, or to all, who tries to be, and the last of each device that went or
could not get in; ``drop`` cuts off the one of an ``id`` that ``peers`` has told:

    {"zmqtopo": 1, "verb": "peers", "devices": ["collect"]}
    {"ok": true, "peers": [{"id": "4711.17", "device": "collect", "socket": "in", "side": "bind",
                            "endpoint": "tcp://0.0.0.0:5563", "peer": "tcp://10.0.0.7:40112", "state": "connected",
                            "since": 1795956128.2, "rtt": 0.00021, "bytes_in": 4096, ...}],
     "devices": [{"name": "collect", "state": "running", "noted": "yes", "connections": 12, "failures": 0}],
     "left_out": 0}

    {"zmqtopo": 1, "verb": "drop", "peer": "4711.17"}

``state`` is ``connected``, ``handshake``, ``connecting`` (this end tries, ``since`` when, to reach ``endpoint``),
``closed`` or ``failed``, with ``until`` when, a word for the ``reason`` and words for people as ``text``. ``side`` says
whether this end binds or connects; ``user`` is the name of the key or user that was let in; ``peer`` is the address of
the other end, over ipc ``pid``, ``uid`` and ``program``.
Times are Unix times, ``rtt`` is in seconds; ``send_queue`` are bytes that the kernel has and the peer has not; what the
system does not tell is null. ``noted`` is ``yes``, ``off`` where peers are not tracked, or ``no answer`` where the
process of the device said nothing in time; ``left_out`` counts peers beyond ten thousand a process.

The reasons of a refusal: ``bad-request``, ``version``, ``unknown-device``, ``unknown-peer``, ``refused``, ``busy`` from
one that has too many clients and may be asked again; of a reload ``bad-file``, and ``rolled-back`` when some device
could not start and all is as it was, but for the devices that ``restarted`` names. Keys that are not named here are to
be ignored, by both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Literal, TypedDict

VERSION: Final = 1

LONGEST_LINE: Final = 1 << 16
"""Bytes of a request, its line break included."""


LONGEST_STOP: Final = 10 * 365 * 86400.0
"""Seconds that a stop may be given; system calls do not take any number."""


class ProtocolError(Exception):
    """A line that is no message; says why."""

    def __init__(self, message: str, reason: str = "bad-request") -> None:
        super().__init__(message)
        self.reason = reason


class Request(TypedDict):
    """What a client asks, with everything filled in."""

    verb: str
    devices: tuple[str, ...]
    force: bool
    file: str | None
    dry_run: bool
    overflow: Literal["drop", "block"]
    peer: str | None
    client: int
    """The connection that it came by, which the server fills in."""
    within: float | None
    """Seconds that a stop may take, in place of ``stop_timeout``."""
    by: str
    """Who has asked, in words, which the server fills in; empty where the system does not tell."""


def encode(message: dict[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """A line as a message. Raises ProtocolError."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("expected a line with an object in JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("expected a line with an object in JSON")
    return message


def parse_request(line: bytes) -> Request:
    """A line from a client as a request. Raises ProtocolError."""
    message = decode(line)
    if "zmqtopo" not in message:
        raise ProtocolError(f'a request has the version of the control protocol: "zmqtopo": {VERSION}', "version")
    version = message["zmqtopo"]
    if version != VERSION or isinstance(version, bool):
        raise ProtocolError(
            f"this topology speaks version {VERSION} of the control protocol{_but_got(version)}", "version"
        )
    if "verb" not in message:
        raise ProtocolError('a request has a verb, such as "verb": "ps"')
    asked = {"devices": [], "force": False, "file": None, "dry_run": False, "overflow": "drop", "within": None,
             "peer": None, **message}
    for field, (wanted, is_right) in _FIELDS.items():
        if not is_right(asked[field]):
            raise ProtocolError(f'"{field}" is {wanted}{_but_got(asked[field])}')
    return Request(verb=asked["verb"], devices=tuple(asked["devices"]), force=asked["force"], file=asked["file"],
                   dry_run=asked["dry_run"], overflow=asked["overflow"], peer=asked["peer"], client=0,
                   within=asked["within"], by="")


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_time(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)
                             and 0 <= value <= LONGEST_STOP)


def _is_path(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.startswith("/") and "\0" not in value)


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "verb": ("text", lambda value: isinstance(value, str)),
    "devices": ("a list of names", _is_names),
    "force": ("true or false", _is_flag),
    "file": ("an absolute path or null", _is_path),
    "dry_run": ("true or false", _is_flag),
    "within": (f"a number of seconds from 0 to {LONGEST_STOP:.0f} or null", _is_time),
    "peer": ("the id of a peer or null", lambda value: value is None or isinstance(value, str)),
    "overflow": ("drop or block", lambda value: value in ("drop", "block")),
}
"""What a request may have, in words and as a check."""


def _but_got(value: Any) -> str:
    if isinstance(value, (list, dict)):     # who has nested them as deep as can be read may not be able to show them
        return ""
    text = json.dumps(value)
    return f", not {text if len(text) <= 40 else f'{text[:39]}…'}"


def refusal(reason: str, *errors: str) -> dict[str, Any]:
    """The answer that something was not done."""
    return {"ok": False, "reason": reason, "errors": list(errors)}
