"""What is to be done from time to time, though no event comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that is short, and done in the thread of a loop that sleeps until the earliest is due."""

    due: Callable[[], float | None]
    """When to do it next, on the monotonic clock; None while there is nothing to do."""
    do: Callable[[], object]


def every(seconds: float, do: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> Chore:
    """A chore that is done again and again; how late it was once does not count for the next time."""
    due = clock() + seconds

    def act() -> None:
        nonlocal due
        due = clock() + seconds
        do()

    return Chore(lambda: due, act)


def deadlines(chores: Iterable[Chore]) -> list[float]:
    """When they are due."""
    return [due for chore in chores if (due := chore.due()) is not None]


def do_due(chores: Iterable[Chore], now: float) -> None:
    """Do those that are due."""
    for chore in chores:
        due = chore.due()
        if due is not None and due <= now:
            chore.do()
