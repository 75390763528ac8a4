"""The frames of a message as one MessagePack array of binaries, which every reader of MessagePack understands."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_ARRAY_16: Final = struct.Struct(">BH")
_ARRAY_32: Final = struct.Struct(">BI")
_BIN_16: Final = _ARRAY_16
_BIN_32: Final = _ARRAY_32


def pack(frames: Sequence[bytes]) -> bytes:
    """Return the frames as an array of bins (the MessagePack specification, formats bin and array)."""
    number = len(frames)
    parts = [
        bytes((0x90 | number,)) if number < 16
        else _ARRAY_16.pack(0xDC, number) if number < 1 << 16 else _ARRAY_32.pack(0xDD, number)
    ]
    for frame in frames:
        size = len(frame)
        parts.append(
            bytes((0xC4, size)) if size < 1 << 8
            else _BIN_16.pack(0xC5, size) if size < 1 << 16 else _BIN_32.pack(0xC6, size)
        )
        parts.append(frame)
    return b"".join(parts)


def unpack(data: bytes) -> list[bytes]:
    """Return the frames in what `pack` has made; raises ValueError for anything else."""
    try:
        number, at = _array(data)
        frames = []
        for _ in range(number):
            kind = data[at]
            if kind == 0xC4:
                start = at + 2
                end = start + data[at + 1]
            elif kind == 0xC5:
                start = at + 3
                end = start + _BIN_16.unpack_from(data, at)[1]
            elif kind == 0xC6:
                start = at + 5
                end = start + _BIN_32.unpack_from(data, at)[1]
            else:
                raise ValueError("it is not an array of binaries")
            frames.append(data[start:end])
            at = end
    except (IndexError, struct.error):
        raise ValueError("it ends in the middle") from None
    if at != len(data) or not frames:
        raise ValueError("it is not an array of binaries")
    return frames


def _array(data: bytes) -> tuple[int, int]:
    """How many elements the array has, and where the first is."""
    kind = data[0]
    if kind & 0xF0 == 0x90:
        return kind & 0x0F, 1
    if kind == 0xDC:
        return _ARRAY_16.unpack_from(data)[1], 3
    if kind == 0xDD:
        number = _ARRAY_32.unpack_from(data)[1]
        if number > len(data):      # each element takes two bytes or more
            raise ValueError("it ends in the middle")
        return number, 5
    raise ValueError("it is not an array of binaries")
