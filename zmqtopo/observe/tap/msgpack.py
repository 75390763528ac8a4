"""Reading MessagePack, of which a frame may hold anything at all: what it costs is bounded by its length.

The formats are those of the specification (github.com/msgpack/msgpack, spec.md of 2017). Nothing here needs a package.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

DEEPEST: Final = 64
"""Arrays and maps in each other; each takes two frames of Python's stack, of which there are a thousand."""

_NUMBERS: Final[dict[int, str]] = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS: Final = (">B", ">H", ">I")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Extension(NamedTuple):
    """A value of a type that an application has defined."""

    type: int
    data: bytes


def unpack(data: bytes) -> Any:
    """The value that all of ``data`` is: None, bool, int, float, str, bytes, list, dict, datetime or `Extension`.

    A map is a dict, or a list of pairs where a key is no str, int, bool, None or bytes. Text that is no UTF-8 is bytes.
    Raises ValueError for anything else, and for what is nested deeper than `DEEPEST`.
    """
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except struct.error:
        raise ValueError("it ends in the middle") from None
    if reader.at != len(data):
        raise ValueError("there is more behind it")
    return value


def is_container(data: bytes) -> bool:
    """Whether it begins as an array or a map does: a number or a text by itself could be anything."""
    return bool(data) and (0x80 <= data[0] <= 0x9F or data[0] in (0xDC, 0xDD, 0xDE, 0xDF))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Any:
        kind = self._number(">B")
        if kind < 0x80:
            return kind
        if kind >= 0xE0:
            return kind - 0x100
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        for first, last, read in self._formats(depth):
            if first <= kind <= last:
                return read(kind)
        raise ValueError(f"0x{kind:02x} begins no value")

    def _formats(self, depth: int) -> Iterator[tuple[int, int, Callable[[int], Any]]]:
        yield 0x80, 0x8F, lambda kind: self._map(kind & 0x0F, depth)
        yield 0x90, 0x9F, lambda kind: self._array(kind & 0x0F, depth)
        yield 0xA0, 0xBF, lambda kind: self._text(kind & 0x1F)
        yield 0xC4, 0xC6, lambda kind: self._bytes(self._length(kind - 0xC4))
        yield 0xC7, 0xC9, lambda kind: self._extension(self._length(kind - 0xC7))
        yield 0xD4, 0xD8, lambda kind: self._extension(1 << kind - 0xD4)
        yield 0xD9, 0xDB, lambda kind: self._text(self._length(kind - 0xD9))
        yield 0xDC, 0xDD, lambda kind: self._array(self._length(kind - 0xDC + 1), depth)
        yield 0xDE, 0xDF, lambda kind: self._map(self._length(kind - 0xDE + 1), depth)

    def _number(self, form: str) -> Any:
        number, = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return number

    def _length(self, size: int) -> int:
        return int(self._number(_LENGTHS[size]))

    def _bytes(self, length: int) -> bytes:
        if length > len(self._data) - self.at:
            raise ValueError("it ends in the middle")
        self.at += length
        return self._data[self.at - length:self.at]

    def _text(self, length: int) -> str | bytes:
        data = self._bytes(length)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def _inner(self, count: int, depth: int) -> int:
        # Each value has a byte at least, so a length that lies costs nothing.
        if count > len(self._data) - self.at:
            raise ValueError("it ends in the middle")
        if depth == DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        return depth + 1

    def _array(self, count: int, depth: int) -> list[Any]:
        depth = self._inner(count, depth)
        return [self.value(depth) for _ in range(count)]

    def _map(self, count: int, depth: int) -> dict[Any, Any] | list[list[Any]]:
        depth = self._inner(2 * count, depth)
        pairs = [[self.value(depth), self.value(depth)] for _ in range(count)]
        if all(isinstance(key, str | int | bytes | None) for key, _ in pairs):
            return dict(map(tuple, pairs))
        return pairs

    def _extension(self, length: int) -> Extension | datetime:
        kind = int(self._number(">b"))
        data = self._bytes(length)
        return _time(data) if kind == -1 and length in (4, 8, 12) else Extension(kind, data)


def _time(data: bytes) -> Extension | datetime:
    """The one extension type that the specification has."""
    if len(data) == 12:
        nanoseconds, seconds = struct.unpack(">Iq", data)
    else:
        number = int.from_bytes(data)
        nanoseconds, seconds = (number >> 34, number & (1 << 34) - 1) if len(data) == 8 else (0, number)
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError:
        return Extension(-1, data)
