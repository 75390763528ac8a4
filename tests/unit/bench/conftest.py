"""Results as a bench would have them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zmqtopo.bench.cases import Selection, cases
from zmqtopo.bench.measurement import Sample
from zmqtopo.bench.results import CaseResults, summarize

MACHINE: dict[str, str | int] = {
    "cpu": "Fast & <Small>", "cores": 1, "system": "Linux 6", "python": "CPython 3.12", "pyzmq": "27", "libzmq": "4.3",
    "zmqtopo": "0.1",
}


@pytest.fixture
def machine() -> dict[str, str | int]:
    return MACHINE


@pytest.fixture
def streamer() -> CaseResults:
    """Three rounds for two contestants, one for a third that then failed, none for a fourth."""
    (case,) = cases(Selection(("streamer",)))
    sample = Sample(1_000_000, 1_000_000, 0.5, 0.4)
    proxy = [replace(sample, seconds=seconds) for seconds in (0.4, 0.5, 1.0)]
    ours = [replace(sample, seconds=0.25, cpu=cpu) for cpu in (0.2, 0.3, 0.1)]
    return CaseResults(case, (
        summarize(case, "zmq.proxy", proxy, measure=proxy),
        summarize(case, "zmqtopo.thread", ours, measure=proxy),
        summarize(case, "direct", [replace(sample, cpu=None)], "it is gone", proxy),
        summarize(case, "zmq.monitored_queue", [], "it <never> was & is not"),
    ))


@pytest.fixture
def latency() -> CaseResults:
    (case,) = cases(Selection(("latency",)))
    samples = [Sample(1000, 1000, 0.1, 0.05, (p50, 200.0, 300.0)) for p50 in (90.0, 110.0, 100.0)]
    return CaseResults(case, (summarize(case, "zmqtopo.process", samples),))


@pytest.fixture
def forwarder() -> CaseResults:
    (case,) = cases(Selection(("forwarder",)))
    samples = [Sample(900, 1000, 0.1, 0.05, copies=450)]
    return CaseResults(case, (summarize(case, "zmq.proxy", samples, measure=samples),))
