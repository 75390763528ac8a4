"""The parts, where no worker is needed to see what they do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import zmq

from zmqtopo.bench import actors
from zmqtopo.bench.actors import (
    Clients,
    Sink,
    Source,
    StalledError,
    Workers,
    _ends,
    mark,
    rank,
    time_of,
    time_rank,
    topic,
)


@pytest.fixture
def opened(context: zmq.Context[Any]) -> Any:
    """Opens parts, which are closed after the test."""
    there: list[actors.Part] = []

    def open_(part: actors.Part, *addresses: str) -> tuple[str, ...]:
        there.append(part)
        bound = part.open(context)
        if addresses:
            part.connect(addresses)
        return bound

    yield open_
    for part in there:
        part.close()


def test_subscribers_share_the_topics(opened: Any) -> None:
    source, sink = Source("PUB", 1000, 16, 7, ("inproc://a",), 3), Sink("SUB", 1000, 3, 7)
    opened(source)
    opened(sink, "inproc://a")
    source.mark(0)
    sink.meet()
    assert source.send(14, 0)[0] == 14
    received = []
    for socket in sink.sockets:
        assert len(socket.recv()) == _ends.MARK_SIZE
        received.append([])
        while socket.poll(0):
            received[-1].append(socket.recv())
    assert received == [[topic(n).ljust(16, b"x") for n in (*own, *own)] for own in ((0, 3, 6), (1, 4), (2, 5))]


def test_the_way_is_open_when_the_last_topic_of_each_subscriber_is(opened: Any) -> None:
    """A mark alone could overtake topics that a device has yet to pass on; there may be more than a high-water mark."""
    source, sink = Source("PUB", 1, 16, 3001, ("inproc://a",), 2), Sink("SUB", 1, 2, 3001)
    opened(source)
    opened(sink, "inproc://a")
    for number in range(2):
        source.mark(number)
    sink.meet()
    assert [socket.recv() for socket in sink.sockets] == [b"003000.!", b"002999.!"]
    assert [socket.recv() for socket in sink.sockets] == [mark(1)] * 2


def test_a_publisher_waits_for_room(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors, "_IDLE", 50)
    source, sink = Source("PUB", 5, 16, 0, ("inproc://a",)), Sink("SUB", 5, 1)
    opened(source)
    opened(sink, "inproc://a")
    source.mark(0)
    sink.meet()
    with pytest.raises(StalledError):
        source.send(100, 0)
    source.mark(1)      # no room either, and no error


def test_a_rate_and_what_it_says_of_the_way(opened: Any) -> None:
    source, sink = Source("PUSH", 0, 16, 0, ("inproc://a",)), Sink("PULL", 0, 1)
    opened(source)
    opened(sink, "inproc://a")
    assert source.send(20, 0, 10_000)[0] == 20
    source.mark(1)
    messages, _, times = sink.receive(1, timed=True)
    assert messages == 20
    assert 0 < times[0] <= times[1] <= times[2]
    source.mark(2)
    assert sink.receive(2, timed=True)[::2] == (0, [])


def test_classes_of_times() -> None:
    starts = [time_of(number) for number in range(_ends.TIME_CLASSES)]
    assert starts == sorted(set(starts))
    assert starts[:65] == list(range(65))
    assert all(after - before <= before / 32 for before, after in itertools.pairwise(starts[64:]))
    assert starts[-1] < 1 << 63 <= starts[-1] + starts[-1] // 32
    counts = [0] * _ends.TIME_CLASSES
    counts[10], counts[100] = 99, 1
    assert [time_rank(counts, per_mille) for per_mille in (500, 990, 999)] == [10, 10, time_of(100)]


def test_a_sink_gives_up(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors, "IDLE_TIMEOUT", 0.05)
    sink = Sink("PULL", 1000, 2)
    opened(sink, *opened(Source("PUSH", 1000, 16, 0, ("inproc://a",))))
    with pytest.raises(StalledError, match=r"no message came through for 0\.05 s"):
        sink.meet()


@pytest.mark.parametrize(
    ("count", "ranks"), [(1, (1, 1, 1)), (2, (1, 2, 2)), (100, (50, 99, 100)), (1000, (500, 990, 999)),
                         (1001, (501, 991, 1000))]
)
def test_ranks(count: int, ranks: tuple[int, ...]) -> None:
    assert tuple(rank(range(1, count + 1), per_mille) for per_mille in (500, 990, 999)) == ranks


def test_clients_have_one_worker_each_and_know_when_they_are_answered(opened: Any) -> None:
    workers, clients = Workers("REP", 1000, 2, ("inproc://a", "inproc://b")), Clients("DEALER", 1000, 16, [b""] * 4)
    opened(clients, *opened(workers))
    assert clients.mark(0) is False
    for worker in workers.sockets:
        for _ in range(2):
            assert worker.recv() == mark(0)
            worker.send(mark(0))
    assert clients.mark(0) is True      # which asks once more
    workers.meet()
