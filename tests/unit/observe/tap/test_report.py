"""What most of the messages are."""

from __future__ import annotations

import pytest

from zmqtopo.observe.tap import report
from zmqtopo.observe.tap.reader import Tapped
from zmqtopo.observe.tap.report import Report


def tapped(*frames: bytes, device: str = "jobs", flow: str = "in_to_out") -> Tapped:
    return Tapped(device, flow, 1, 0, list(frames))


def test_the_most_frequent_comes_first() -> None:
    counted = Report()
    for frames in ([b"a", b"12345"], [b"b"], [b"a", b"1"], [b"c", b"1234"]):
        counted.add(tapped(*frames))
    counted.add(tapped(b"a", flow="out_to_in"))
    assert list(counted.rows(2, 100)) == [
        ["MESSAGES", "SHARE", "BYTES", "EACH", "DEVICE", "FLOW", "FRAME"],
        ["2", "40.0%", "8", "4", "jobs", "in_to_out", "a"],
        ["1", "20.0%", "5", "5", "jobs", "in_to_out", "c"],
        ["2", "40.0%", "2", "1", "", "", "others"],
    ]
    assert counted.as_dict(1) == {"messages": 5, "top": [
        {"device": "jobs", "flow": "in_to_out", "messages": 2, "bytes": 8, "frame": {"size": 1, "text": "a"}}]}


def test_another_frame_and_messages_without_it() -> None:
    counted = Report(-2)
    for frames in ([b"\0id", b"topic", b"x"], [b"x"]):
        counted.add(tapped(*frames))
    assert [row[-1] for row in counted.rows(5, 100)] == ["FRAME", "topic", "-"]


def test_topics_without_end_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_GROUPS", 3)
    counted = Report()
    for i in range(10):
        counted.add(tapped(b"%d" % i))
    assert (counted.groups, counted.others.messages, counted.messages) == (3, 7, 10)
    assert [row[0] for row in counted.rows(20, 10)] == ["MESSAGES", "1", "1", "1", "7"]


def test_nothing_at_all() -> None:
    assert len(list(Report().rows(20, 10))) == 1
    assert Report().as_dict(20) == {"messages": 0, "top": []}
