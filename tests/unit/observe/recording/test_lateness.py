from __future__ import annotations

import pytest

from zmqtopo.observe.recording.lateness import Lateness


def test_quantiles_are_near() -> None:
    late = Lateness()
    for delay in range(1, 100_001):
        late.add(delay * 100)
    assert late.quantile(0.5) == pytest.approx(5_000_000, rel=1 / 60)
    assert late.quantile(0.99) == pytest.approx(9_900_000, rel=1 / 60)
    assert late.most == 10_000_000


def test_what_is_in_time_is_not_late() -> None:
    late = Lateness()
    assert late.quantile(0.99) == 0
    late.add(-5)
    late.add(0)
    assert (late.quantile(0.99), late.most) == (0, 0)
