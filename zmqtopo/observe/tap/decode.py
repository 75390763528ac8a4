"""What a frame says, for people and for programs. It may hold anything, and nothing of it reaches a terminal raw."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from zmqtopo.config.wording import printable
from zmqtopo.observe.tap.msgpack import Extension, is_container, unpack
from zmqtopo.observe.tap.reader import Tapped

Decoding = Literal["auto", "utf8", "hex", "json", "msgpack", "size"]

DECODINGS: Final[tuple[Decoding, ...]] = get_args(Decoding)

LARGEST: Final = 1 << 20
"""Bytes of a frame that is read as JSON or MessagePack, which takes up to a second; a larger one is text or hex."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a frame: the kind (``text``, ``hex``, ``json``, ``msgpack`` or ``size``) and the value.

    ``cut`` says that ``value`` is only its beginning.
    """

    size: int
    kind: Literal["text", "hex", "json", "msgpack", "size"]
    value: Any = None
    text: str = ""
    cut: bool = False

    def as_text(self) -> str:
        """On one line, harmless to a terminal."""
        if self.kind == "size":
            return f"{self.size:,} B"
        return f"{self.text}… ({self.size:,} B)" if self.cut else self.text

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: always whole and valid, whatever is in the frame."""
        told: dict[str, Any] = {"size": self.size}
        if self.kind != "size":
            told[self.kind] = self.value
        return told | {"cut": True} if self.cut else told


def decode(frame: bytes, decoding: Decoding = "auto", head: int | None = None) -> Shown:
    """Decode a frame, of which ``head`` bytes at most are shown (None: all).

    What is not as ``decoding`` says is shown as ``auto`` does: as JSON if it is an object or array, as MessagePack if
    it is a map or array, as text if all of that can be printed, else in hexadecimal.
    """
    match decoding:
        case "size":
            return Shown(len(frame), "size")
        case "hex":
            return _hex(frame, head)
        case "utf8":
            return _utf8(frame, head, strict=False) or _hex(frame, head)
        case "json":
            return _json(frame, head, any_value=True) or _auto(frame, head)
        case "msgpack":
            return _msgpack(frame, head, any_value=True) or _auto(frame, head)
        case _:
            return _auto(frame, head)


def _auto(frame: bytes, head: int | None) -> Shown:
    return (_json(frame, head) or _utf8(frame, head, strict=True) or _msgpack(frame, head) or _hex(frame, head))


def _hex(frame: bytes, head: int | None) -> Shown:
    text, cut = _cut(frame, head)
    return Shown(len(frame), "hex", text.hex(), f"0x{text.hex()}", cut)


def _cut(frame: bytes, head: int | None) -> tuple[bytes, bool]:
    return (frame, False) if head is None or len(frame) <= head else (frame[:head], True)


def _utf8(frame: bytes, head: int | None, *, strict: bool) -> Shown | None:
    """As text; ``strict`` takes only what can be printed, on one or several lines."""
    data, cut = _cut(frame, head)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if not (cut and error.end == len(data) and len(data) - error.start < 4):
            return None
        text = data[:error.start].decode()      # cut in the middle of a character
    if strict and not (text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()):
        return None
    return Shown(len(frame), "text", text, printable(text), cut)


def _json(frame: bytes, head: int | None, *, any_value: bool = False) -> Shown | None:
    if len(frame) > LARGEST or not (any_value or frame.lstrip()[:1] in (b"{", b"[")):
        return None
    try:
        text = frame.decode()
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, allow_nan=False)      # 1e999 is infinite
    except (ValueError, RecursionError):
        return None
    return _valued(frame, "json", value, " ".join(text.split()) if "\n" in text else text, head)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _msgpack(frame: bytes, head: int | None, *, any_value: bool = False) -> Shown | None:
    if len(frame) > LARGEST or not (any_value or is_container(frame)):
        return None
    try:
        value = plain(unpack(frame))
    except ValueError:
        return None
    return _valued(frame, "msgpack", value, json.dumps(value, ensure_ascii=False), head)


def _valued(frame: bytes, kind: Literal["json", "msgpack"], value: Any, text: str, head: int | None) -> Shown:
    """A value; cut it is a text, since no part of it is a value."""
    if head is None or len(text) <= head:
        return Shown(len(frame), kind, value, printable(text))
    return Shown(len(frame), kind, text[:head], printable(text[:head]), cut=True)


def plain(value: Any) -> Any:
    """A value of MessagePack as JSON has it."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case Extension(kind, data):
            return {"extension": kind, "hex": data.hex()}
        case datetime():
            return value.isoformat()
        case list():
            return [plain(item) for item in value]
        case dict():
            return {_key(key): plain(item) for key, item in value.items()}
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return key.hex() if isinstance(key, bytes) else json.dumps(key)


Decode = Callable[[Sequence[bytes]], list[Shown]]
"""Decodes the frames of a message."""


def decoder(decodings: Sequence[Decoding], head: int | None) -> Decode:
    """What decodes messages; the last of ``decodings`` is for all frames behind."""
    def decode_all(frames: Sequence[bytes]) -> list[Shown]:
        last = len(decodings) - 1
        return [decode(frame, decodings[min(i, last)], head) for i, frame in enumerate(frames)]

    return decode_all


def message(tapped: Tapped, decode_all: Decode) -> dict[str, Any]:
    """A message as JSON has it."""
    seconds, nanoseconds = divmod(tapped.time, 1_000_000_000)
    return {
        "device": tapped.device, "flow": tapped.flow, "number": tapped.number,
        "time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z",
        "frames": [frame.as_dict() for frame in decode_all(tapped.frames)],
    }
