from __future__ import annotations

import pytest

from zmqtopo.observe.rates import rates

from .top.looks import device


def test_rates_are_those_of_the_time_between_the_looks() -> None:
    before = device("a", in_to_out={"messages": 100, "bytes": 1000, "blocked_time": 1.0},
                    out_to_in={"messages": 7, "bytes": 70}, mon={"messages": 107})
    now = device("a", in_to_out={"messages": 300, "bytes": 5000, "blocked_time": 1.5},
                 out_to_in={"messages": 8, "bytes": 170}, mon={"messages": 308})
    found = rates(before, now, 2.0)
    assert found._asdict() == {"in_to_out": 100, "out_to_in": 0.5, "mon": 100.5, "bytes": 2050, "blocked": 0.25}


@pytest.mark.parametrize("flow", ["in_to_out", "out_to_in", "mon"])
def test_counters_that_began_again_give_no_negative_rates(flow: str) -> None:
    before = device("a", **{flow: {"messages": 1_000_000, "bytes": 10_000_000, "blocked_time": 50.0}})
    found = rates(before, device("a", **{flow: {"messages": 30, "bytes": 300, "blocked_time": 0.1}}), 1.0)
    assert getattr(found, flow) == 30
    assert found.blocked == 0.1
    assert min(found) >= 0


def test_a_device_is_never_blocked_for_longer_than_the_time_that_passed() -> None:
    found = rates(device("a"), device("a", mon={"blocked_time": 1.05}), 1.0)
    assert found.blocked == 1.0


def test_the_flow_that_waits_longest_counts() -> None:
    now = device("a", in_to_out={"blocked_time": 0.2}, out_to_in={"blocked_time": 0.7}, mon={"blocked_time": 0.1})
    assert rates(device("a"), now, 1.0).blocked == 0.7
