from __future__ import annotations

import pytest

from zmqtopo.observe.recording.moment import Moment, moment
from zmqtopo.observe.recording.reader import Recording
from zmqtopo.observe.recording.selection import Selection, without_identity

from .conftest import START, Make


def numbers(path: object, selection: Selection) -> list[int]:
    with Recording(str(path)) as recording:
        return [message.sequence for message in selection.of(recording)]


def test_by_time(make: Make) -> None:
    path = make([b"x"] for _ in range(10))
    assert numbers(path, Selection(since=moment("3ms"), until=moment("5ms"))) == [4, 5]
    assert numbers(path, Selection(since=Moment(START + 8_000_000, is_offset=False))) == [9, 10]
    assert numbers(path, Selection(until=Moment(START, is_offset=False))) == []


def test_by_device_flow_and_beginning(make: Make) -> None:
    path = make([[b"eu.a"], [b"us.b"], [b"eu.c"]])
    assert numbers(path, Selection()) == [1, 2, 3]
    assert numbers(path, Selection(match=b"eu.")) == [1, 3]
    assert numbers(path, Selection(devices=["jobs"], flow="in_to_out")) == [1, 2, 3]
    assert numbers(path, Selection(devices=["other"])) == []
    assert numbers(path, Selection(flow="out_to_in")) == []


@pytest.mark.parametrize(("types", "flow", "recorded", "sent"), [
    (("PULL", "PUSH"), "in_to_out", [b"a", b"b"], [b"a", b"b"]),
    (("ROUTER", "DEALER"), "in_to_out", [b"id", b"", b"b"], [b"", b"b"]),
    (("ROUTER", "DEALER"), "out_to_in", [b"id", b"", b"b"], [b"id", b"", b"b"]),
    (("DEALER", "ROUTER"), "out_to_in", [b"id", b"b"], [b"b"]),
    (("ROUTER", "ROUTER"), "in_to_out", [b"to", b"from", b"b"], [b"to", b"b"]),
])
def test_an_identity_that_a_router_has_added_is_not_sent_again(
    make: Make, types: tuple[str, str], flow: str, recorded: list[bytes], sent: list[bytes]
) -> None:
    with Recording(str(make([recorded], types=types, flow=flow))) as recording:
        assert without_identity(next(recording.messages())) == sent


def test_the_beginning_is_that_of_what_was_sent(make: Make) -> None:
    path = make([[b"id1", b"job"], [b"job", b"other"]], types=("ROUTER", "DEALER"))
    assert numbers(path, Selection(match=b"job")) == [1]
