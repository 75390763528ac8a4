"""Timers by a clock that goes when it is told to."""

from __future__ import annotations

from zmqtopo.supervisor.timers import Timer, deadlines, every, run_due


def test_chores() -> None:
    now = 10.0
    done: list[str] = []
    once: list[float] = [12.5]
    timers = [
        every(2, lambda: done.append("every"), lambda: now),
        Timer(lambda: once[0] if once else None, lambda: done.append(f"once, at {once.pop()}")),
    ]
    assert deadlines(timers) == [12, 12.5]
    for now in (11.9, 12.0, 12.4, 15.0, 15.1, 16.9, 17.0):
        run_due(timers, now)
    assert done == ["every", "every", "once, at 12.5", "every"]
    assert deadlines(timers) == [19]
