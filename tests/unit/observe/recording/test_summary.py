from __future__ import annotations

from zmqtopo.observe.recording.reader import Flow, Recording
from zmqtopo.observe.recording.summary import FlowSummary, summarize

from .conftest import Make


def test_it_counts(make: Make) -> None:
    with Recording(str(make([[b"a", b"bc"]] * 5))) as recording:
        (flow,) = summarize(recording).values()
    assert (flow.messages, flow.size, flow.missing) == (5, 15, 0)
    assert flow.as_dict()["device"] == "jobs"


def missing(*numbers: int) -> int:
    flow = FlowSummary(Flow(1, "a.in_to_out", {}))
    for number in numbers:
        flow.add(number, 0, [b""])
    return flow.missing


def test_gaps_in_the_numbers() -> None:
    assert missing(7, 8, 9) == 0
    assert missing(1, 2, 5, 6, 10) == 5
    assert missing((1 << 32) - 1, 0, 3) == 2
    assert missing(500, 501, 1, 2) == 0     # a device that began anew
