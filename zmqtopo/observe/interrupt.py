"""SIGINT, SIGTERM and SIGHUP as something to look at: what is at work ends by itself, between two messages."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """Catches the signals while it is entered, in the main thread; a second one acts as if nobody caught it."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first that came."""

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:       # as nohup has it
            numbers.append(signal.SIGHUP)
        self._before: dict[int, Any] = {number: signal.signal(number, self._come) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        os.write(self._write, b"\0")

    def fileno(self) -> int:
        """A descriptor that can be read once a signal has come."""
        return self._read

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a signal has come; whether one has."""
        if self.signal is None and seconds > 0:
            select.select([self._read], [], [], seconds)
        return self.signal is not None
