"""Messages on standard output: as a line of text, as a line of JSON, or as their bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, Protocol

from zmqtopo.config.wording import count
from zmqtopo.observe.tap.decode import Decode, message
from zmqtopo.observe.tap.reader import Tapped

MOST_FRAMES: Final = 100
"""Frames of a message that a line of text has."""

Emit = Callable[[str | bytes], None]


class Printer(Protocol):
    """Prints messages."""

    def message(self, tapped: Tapped) -> None:
        """Print one."""

    def gap(self, tapped: Tapped, missing: int) -> None:
        """Say that so many before this one are not shown."""


class TextPrinter:
    """Prints a line for each: time, device, flow, number and frames."""

    def __init__(self, emit: Emit, decode: Decode) -> None:
        self._emit = emit
        self._decode = decode

    def message(self, tapped: Tapped) -> None:
        """Print one."""
        frames = [frame.as_text() for frame in self._decode(tapped.frames[:MOST_FRAMES])]
        if len(tapped.frames) > MOST_FRAMES:
            frames.append(f"… {count(len(tapped.frames) - MOST_FRAMES, 'more frame')}")
        at = time.strftime("%H:%M:%S", time.localtime(tapped.time // 1_000_000_000))
        self._emit(f"{at}.{tapped.time // 1000 % 1_000_000:06} {tapped.device} {tapped.flow} #{tapped.number}  "
                   f"{' | '.join(frames)}\n")

    def gap(self, tapped: Tapped, missing: int) -> None:
        """Say that so many before this one are not shown."""
        self._emit(f"… {missing:,} not shown\n")


class JsonPrinter:
    """Prints an object a line; a gap is in the numbers."""

    def __init__(self, emit: Emit, decode: Decode) -> None:
        self._emit = emit
        self._decode = decode

    def message(self, tapped: Tapped) -> None:
        """Print one."""
        self._emit(json.dumps(message(tapped, self._decode)) + "\n")

    def gap(self, tapped: Tapped, missing: int) -> None:
        """The numbers say it."""


class RawPrinter:
    """Prints the bytes of each frame and a line break behind it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def message(self, tapped: Tapped) -> None:
        """Print one."""
        self._emit(b"".join(frame + b"\n" for frame in tapped.frames))

    def gap(self, tapped: Tapped, missing: int) -> None:
        """There is no place for it."""
