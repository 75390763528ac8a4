"""What is to be done from time to time, though no event comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that is short, and done in the thread of a loop that sleeps until the earliest is due."""

    due: Callable[[], float | None]
    """When to do it next, on the monotonic clock; None while there is nothing to do."""
    do: Callable[[], object]


def every(seconds: float, do: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> Timer:
    """A timer that fires again and again; how late it was once does not count for the next time."""
    due = clock() + seconds

    def act() -> None:
        nonlocal due
        due = clock() + seconds
        do()

    return Timer(lambda: due, act)


def deadlines(timers: Iterable[Timer]) -> list[float]:
    """When they are due."""
    return [due for timer in timers if (due := timer.due()) is not None]


def run_due(timers: Iterable[Timer], now: float) -> None:
    """Do those that are due."""
    for timer in timers:
        due = timer.due()
        if due is not None and due <= now:
            timer.do()
