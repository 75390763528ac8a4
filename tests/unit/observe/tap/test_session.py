"""How much is shown, and that the rest is counted; the reader and the time are the test's own."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from zmqtopo.observe.tap import session
from zmqtopo.observe.tap.reader import Tapped
from zmqtopo.observe.tap.session import TICK, Choice, Session


class World:
    """A clock, and a reader to which so many messages a second come."""

    def __init__(self, rate: int, frames: list[bytes] | None = None, total: int = 1 << 30) -> None:
        self.now = 0.0
        self.rate = rate
        self.total = total
        self.taken = 0
        self.passed = 0
        self.ended = ""
        self.frames = frames or [b"x"]
        self.said: list[str] = ["jobs: paused"]

    def receive(self, timeout: float) -> list[Tapped]:
        if self._come() <= self.taken:
            self.now += timeout
        came, self.passed = range(self.taken + 1, self._come() + 1), self._come()
        self.taken = self.passed
        return [Tapped("jobs", "in_to_out", i, int((i - 1) / self.rate * 1e9), self.frames) for i in came]

    def _come(self) -> int:
        return min(int(self.now * self.rate), self.total)

    def settle(self) -> None:
        self.passed = self._come()

    def notes(self) -> list[str]:
        said, self.said = self.said, []
        return said

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        return False


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(world: World, choice: Choice) -> tuple[list[int], list[tuple[int, int]], Session]:
        shown: list[int] = []
        gaps: list[tuple[int, int]] = []
        monkeypatch.setattr(session.time, "monotonic", lambda: world.now)
        monkeypatch.setattr(session.time, "time_ns", lambda: int(world.now * 1e9))
        it = Session(
            world, choice, lambda tapped: shown.append(tapped.number),      # type: ignore[arg-type]
            lambda tapped, missing: gaps.append((tapped.number, missing)), lambda note: None, world.pause,
        )
        it.run()
        assert it.shown == len(shown)
        assert it.shown + it.left_out == world.passed
        return shown, gaps, it

    return run


def test_what_a_person_can_read_is_shown_whole(run: Any) -> None:
    shown, gaps, _ = run(World(50), Choice(rate=100.0, seconds=10.0))
    assert shown == list(range(1, len(shown) + 1))
    assert len(shown) >= 50 * (10 - TICK)
    assert not gaps


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_no_more_than_a_person_can_read_is_shown_and_the_gaps_are_told(run: Any, rate: float) -> None:
    shown, gaps, _ = run(World(10_000), Choice(rate=rate, seconds=10.0))
    assert 0.8 * rate * 10 <= len(shown) <= rate * 11
    assert shown == sorted(set(shown))
    told = dict(gaps)
    assert told == {after: after - before - 1 for before, after in itertools.pairwise(shown) if after - before > 1}


def test_what_is_shown_is_not_old(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(10_000)
    late = []
    monkeypatch.setattr(Session, "_has_room", _noting(Session._has_room, world, late))
    run(world, Choice(rate=100.0, seconds=10.0))
    assert max(late[200:]) < 2 * TICK


def _noting(has_room: Any, world: World, late: list[float]) -> Any:
    def noting(self: Session) -> bool:
        late.append(world.now - world.taken / world.rate)
        return bool(has_room(self))

    return noting


def test_so_many_are_enough(run: Any) -> None:
    shown, _, it = run(World(1000), Choice(count=3, rate=100.0))
    assert shown == [1, 2, 3]
    assert it.is_enough


def test_one_of_so_many(run: Any) -> None:
    shown, gaps, _ = run(World(100), Choice(sample=10, seconds=1.0))
    assert shown[:2] == [10, 20]
    assert not gaps


@pytest.mark.parametrize(("frame", "match", "takes"), [
    (0, b"id", True), (1, b"topic", True), (-1, b"bod", True), (2, b"", True), (2, b"topic", False), (3, b"b", False),
    (-4, b"i", False),
])
def test_the_frame_that_is_looked_at(frame: int, match: bytes, takes: bool) -> None:
    choice = Choice(match=match, frame=frame)
    assert choice.takes(Tapped("jobs", "in_to_out", 1, 0, [b"id", b"topic", b"body"])) == takes
    assert choice.prefix == (match if frame == 0 else b"")


def test_the_end_of_the_topology_is_the_end(run: Any) -> None:
    world = World(10, total=5)
    receive = world.receive

    def ends(timeout: float) -> list[Tapped]:
        world.ended = "it has ended" if world.now > 3 else ""
        return receive(timeout)

    world.receive = ends        # type: ignore[method-assign]
    shown, _, _ = run(world, Choice())
    assert shown == [1, 2, 3, 4, 5]
