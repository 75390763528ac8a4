from __future__ import annotations

import pytest

from zmqtopo.observe.recording.player import Ended, Player, Refused

SECOND = 1_000_000_000


class World:
    """A clock, a sender that takes its time, and a signal."""

    def __init__(self) -> None:
        self.now = 0
        self.sent: list[tuple[int, bytes]] = []
        self.slow: dict[bytes, int] = {}
        self.end_at: int | None = None

    def clock(self) -> int:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += round(seconds * SECOND)
        return self.end_at is not None and self.now >= self.end_at

    def send(self, frames: list[bytes]) -> None:
        if frames[0] == b"refused":
            raise Refused("nobody wants it")
        self.sent.append((self.now, frames[0]))
        self.now += self.slow.get(frames[0], 0)

    def player(self, speed: float | None) -> Player:
        return Player(self, speed, wait=self.wait, clock=self.clock)


def stream(*messages: tuple[float, bytes]) -> list[tuple[int, list[bytes]]]:
    return [(round((1000 + at) * SECOND), [name]) for at, name in messages]


def test_messages_go_at_their_times() -> None:
    world = World()
    player = world.player(1)
    player.play(stream((0, b"a"), (1.5, b"b"), (1.5, b"c"), (4, b"d")))
    assert world.sent == [(0, b"a"), (1.5 * SECOND, b"b"), (1.5 * SECOND, b"c"), (4 * SECOND, b"d")]
    assert (player.played.sent, player.played.size, player.played.lateness.most) == (4, 4, 0)


def test_speed() -> None:
    world = World()
    world.player(2).play(stream((0, b"a"), (3, b"b")))
    assert world.sent == [(0, b"a"), (1.5 * SECOND, b"b")]
    world = World()
    player = world.player(None)
    player.play(stream((0, b"a"), (3, b"b")))
    assert world.sent == [(0, b"a"), (0, b"b")]
    assert player.played.lateness.quantile(0.99) == 0


def test_a_delay_is_not_handed_on() -> None:
    world = World()
    world.slow = {b"a": 2 * SECOND}
    player = world.player(1)
    player.play(stream((0, b"a"), (1, b"b"), (3, b"c")))
    assert world.sent == [(0, b"a"), (2 * SECOND, b"b"), (3 * SECOND, b"c")]
    assert player.played.lateness.most == SECOND


def test_a_time_that_goes_back_waits_for_nothing() -> None:
    world = World()
    world.player(1).play(stream((0, b"a"), (2, b"b"), (1, b"c"), (3, b"d")))
    assert [at for at, _ in world.sent] == [0, 2 * SECOND, 2 * SECOND, 3 * SECOND]


def test_the_next_round_begins_where_the_last_one_was_to_end() -> None:
    world = World()
    world.slow = {b"b": SECOND // 2}
    player = world.player(1)
    for _ in range(2):
        player.play(stream((0, b"a"), (1, b"b")))
    assert [at for at, _ in world.sent] == [0, SECOND, 1.5 * SECOND, 2 * SECOND]
    assert player.played.sent == 4


def test_what_is_refused_is_counted() -> None:
    world = World()
    player = world.player(1)
    player.play(stream((0, b"a"), (0, b"refused"), (0, b"b"), (0, b"refused")))
    assert (player.played.sent, player.played.refused) == (2, {"nobody wants it": 2})


@pytest.mark.parametrize("speed", [1, None])
def test_a_signal_ends_it_between_messages(speed: float | None) -> None:
    world = World()
    world.end_at = 0 if speed is None else SECOND
    player = world.player(speed)
    with pytest.raises(Ended):
        player.play(stream((0, b"a"), (2, b"b")))
    assert player.played.sent == (0 if speed is None else 1)


def test_steps() -> None:
    world = World()
    answers = iter([True, True, False])
    player = Player(world, 1, wait=world.wait, ask=lambda frames: next(answers), clock=world.clock)
    with pytest.raises(Ended):
        player.play(stream((0, b"a"), (50, b"b"), (99, b"c")))
    assert world.sent == [(0, b"a"), (0, b"b")]
