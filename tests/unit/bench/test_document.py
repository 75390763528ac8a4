from __future__ import annotations

import json

from zmqtopo.bench.document import document
from zmqtopo.bench.results import CaseResults


def test_the_shape(streamer: CaseResults, latency: CaseResults, machine: dict[str, str | int]) -> None:
    whole = json.loads(document([streamer, latency], machine, complete=False))
    assert list(whole) == ["zmqtopo", "machine", "complete", "cases"]
    assert (whole["zmqtopo"], whole["complete"], whole["machine"]) == ("0.1", False, machine)
    first, second = whole["cases"]
    assert {key: value for key, value in first.items() if key != "results"} == {
        "pattern": "streamer", "title": "streamer, 16 B, tcp", "transport": "tcp", "size": 16,
        "device": {"name": "bench", "type": "streamer", "in": "PULL", "out": "PUSH"},
        "load": {"sinks": 1, "topics": 0, "readers": 0, "rate": 0},
    }
    assert first["results"][1] == {
        "contestant": "zmqtopo.thread", "rounds": 3,
        "messages_per_second": {"median": 4e6, "min": 4e6, "max": 4e6},
        "cpu_us_per_message": {"median": 0.2, "min": 0.1, "max": 0.3},
        "of_zmq_proxy": {"median": 2, "min": 1.6, "max": 4},
        "latency_us": None, "loss": {"median": 0, "min": 0, "max": 0}, "copies": None, "error": None,
    }
    assert first["results"][3] == dict.fromkeys(first["results"][3]) | {
        "contestant": "zmq.monitored_queue", "rounds": 0, "error": "it <never> was & is not",
    }
    assert second["results"][0]["of_zmq_proxy"] is None
    assert second["results"][0]["latency_us"]["p50"] == {"median": 100, "min": 90, "max": 110}


def test_every_result_has_the_same_keys(
    streamer: CaseResults, latency: CaseResults, forwarder: CaseResults, machine: dict[str, str | int]
) -> None:
    whole = json.loads(document([streamer, latency, forwarder], machine, complete=True))
    assert len({tuple(result) for case in whole["cases"] for result in case["results"]}) == 1
