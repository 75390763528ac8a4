"""How far a bench is, on one line of a terminal that is written again and again."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from typing import Final, TextIO

from zmqtopo.bench.series import Step

BAR: Final = 24
"""Characters of the bar."""

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Writes to ``stream`` if that is a terminal, and else nothing but complaints."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._clock = clock
        self._start = clock()

    def show(self, step: Step) -> None:
        """Say what is measured now and how long the rest will take."""
        if not self._is_terminal:
            return
        done = BAR * step.at // step.of
        line = f"[{'#' * done}{'.' * (BAR - done)}] {step.at}/{step.of}{self._left(step)}  "
        line += f"round {step.round + 1}: {step.case.title}: {step.contestant}"
        self._write(_CLEAR + line[: shutil.get_terminal_size().columns - 1])

    def complain(self, step: Step, reason: str) -> None:
        """Say what could not be measured, on a line that stays."""
        self.close()
        self._write(f"zmqtopo: error: {step.case.title}: {step.contestant}: {reason}\n")

    def close(self) -> None:
        """Leave the line empty."""
        if self._is_terminal:
            self._write(_CLEAR)

    def _left(self, step: Step) -> str:
        if not step.at:
            return ""
        seconds = round((self._clock() - self._start) / step.at * (step.of - step.at))
        return f", {seconds // 60}:{seconds % 60:02} left"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):      # a terminal that is gone; SIGHUP says what to do then
            self._stream.write(text)
            self._stream.flush()
