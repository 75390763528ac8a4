from __future__ import annotations

import pytest

from zmqtopo.bench.cases import (
    CONTESTANTS,
    HWM,
    PATTERNS,
    QUEUED_BYTES,
    TELLING,
    TRANSPORTS,
    Requests,
    Selection,
    Stream,
    cases,
    queue_length,
    show_size,
)


def test_every_pattern_transport_and_size_that_is_wished() -> None:
    found = cases(Selection(sizes=(16, 1024), transports=TRANSPORTS, subscribers=(1, 100)))
    # One load each, but two numbers of subscribers for a forwarder, and mon with and without a reader.
    assert len(found) == 2 * 3 * (1 + 2 + 1 + 1 + 2)
    assert {case.pattern for case in found} == set(PATTERNS)
    assert len({case.title for case in found}) == len(found)


def test_who_takes_part() -> None:
    for case in cases(Selection(transports=("tcp", "inproc"))):
        missing = set(CONTESTANTS) - set(case.contestants)
        assert ("zmqtopo.process" in missing) == (case.transport == "inproc")     # which is for one process
        assert ("zmqtopo.plain" in missing) == (case.device.mon is None)
        assert missing <= {"zmqtopo.process", "zmqtopo.plain"}
    assert [case.contestants for case in cases(Selection(("queue",)), ["direct"])] == [("direct",)]


def test_the_usual_cases_tell_each_pattern() -> None:
    assert {case.pattern for selection in TELLING for case in cases(selection)} == set(PATTERNS)


@pytest.mark.parametrize(
    ("selection", "load", "title"),
    [
        (Selection(("streamer",), (64 << 10,), ("ipc",)), Stream(), "streamer, 64 KiB, ipc"),
        (Selection(("forwarder",), subscribers=(1,), topics=1), Stream(1, 1),
         "forwarder, 16 B, tcp, 1 subscriber, 1 topic"),
        (Selection(("forwarder",), subscribers=(7,), topics=3), Stream(7, 7),     # nobody is left without
         "forwarder, 16 B, tcp, 7 subscribers, 7 topics"),
        (Selection(("streamer",), rate=200_000), Stream(rate=200_000), "streamer, 16 B, tcp, 200,000 a second"),
        (Selection(("queue",)), Requests(32, 16, 8), "queue, 16 B, tcp, 32 clients with 16 requests each, 8 workers"),
        (Selection(("queue",), (1 << 20,)), Requests(32, 1, 8),     # 32 MiB on the way
         "queue, 1 MiB, tcp, 32 clients with 1 request each, 8 workers"),
        (Selection(("queue",), (64 << 20,)), Requests(32, 1, 8),
         "queue, 64 MiB, tcp, 32 clients with 1 request each, 8 workers"),
        (Selection(("latency",)), Requests(), "latency, 16 B, tcp, one request at a time"),
        (Selection(("monitored_queue",), readers=(0,)), Stream(), "monitored_queue, 16 B, tcp, nobody on mon"),
        (Selection(("monitored_queue",), readers=(1,)), Stream(readers=1),
         "monitored_queue, 16 B, tcp, 1 reader on mon"),
    ],
)
def test_loads_and_titles(selection: Selection, load: Stream | Requests, title: str) -> None:
    (case,) = cases(selection)
    assert (case.load, case.title) == (load, title)


@pytest.mark.parametrize("size", [16, 1 << 10, 32 << 10, 64 << 10, 1 << 20, 64 << 20])
def test_queues_hold_what_memory_has_room_for(size: int) -> None:
    length = queue_length(size)
    assert 1 <= length <= HWM
    assert length == 1 or length * size <= QUEUED_BYTES
    (case,) = cases(Selection(("streamer",), (size,)))
    assert {socket.options["hwm"] for socket in case.device.sockets} == {length}


@pytest.mark.parametrize(
    ("size", "words"), [(16, "16 B"), (1000, "1000 B"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"), (64 << 20, "64 MiB")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert show_size(size) == words
