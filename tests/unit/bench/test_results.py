from __future__ import annotations

import pytest

from zmqtopo.bench.measurement import Sample
from zmqtopo.bench.results import CaseResults, Spread, summarize


@pytest.mark.parametrize(
    ("values", "spread"),
    [([3.0], Spread(3, 3, 3)), ([5.0, 1.0, 2.0], Spread(2, 1, 5)), ([4.0, 1.0], Spread(2.5, 1, 4))],
)
def test_a_spread(values: list[float], spread: Spread) -> None:
    assert Spread.of(values) == spread


def test_messages_and_cpu_by_the_second_and_the_message(streamer: CaseResults) -> None:
    proxy, ours, direct, none = streamer.results
    assert proxy.rate == Spread(2_000_000, 1_000_000, 2_500_000)
    assert proxy.cpu == Spread(0.4, 0.4, 0.4)
    assert ours.cpu == Spread(0.2, 0.1, 0.3)
    assert proxy.loss == Spread(0, 0, 0)
    assert (direct.cpu, direct.rounds, direct.error) == (None, 1, "it is gone")
    assert (none.rate, none.rounds) == (None, 0)


def test_a_ratio_is_that_of_one_round(streamer: CaseResults) -> None:
    """The machine is at first fast, and then ever slower: each round is compared with itself."""
    case = streamer.case
    proxy = [Sample(rate, rate, 1.0, None) for rate in (400, 200, 100)]
    ours = [Sample(rate, rate, 1.0, None) for rate in (1200, 400, 300)]
    assert summarize(case, "zmqtopo.thread", ours, measure=proxy).ratio == Spread(3, 2, 3)
    assert summarize(case, "zmq.proxy", proxy, measure=proxy).ratio == Spread(1, 1, 1)
    assert summarize(case, "zmqtopo.thread", ours, measure=proxy[:1]).ratio == Spread(3, 3, 3)
    assert summarize(case, "zmqtopo.thread", ours).ratio is None


def test_the_title_says_that_there_was_but_one_round(streamer: CaseResults, forwarder: CaseResults) -> None:
    assert streamer.title == "streamer, 16 B, tcp"
    assert forwarder.title == "forwarder, 16 B, tcp, 10 subscribers, 1,000 topics (1 round)"


def test_latency_by_its_percentiles(latency: CaseResults) -> None:
    (result,) = latency.results
    assert result.latency == {"p50": Spread(100, 90, 110), "p99": Spread(200, 200, 200), "p99.9": Spread(300, 300, 300)}
    assert result.loss is None


def test_loss_and_copies_are_shares(forwarder: CaseResults) -> None:
    (result,) = forwarder.results
    assert result.loss is not None
    assert result.loss.median == pytest.approx(0.1)
    assert result.copies == Spread(0.5, 0.5, 0.5)
