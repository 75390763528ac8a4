"""The message path does not grow: instructions and calls of libzmq for each message, against stored figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .instructions import Cost, per_message

STORED = {
    "streamer": Cost(140, 4.5),
    "streamer, tapped by nobody": Cost(140, 4.5),
    "streamer, tapped by one without room": Cost(148, 5.5),
    "streamer, 3 frames": Cost(219, 11.3),
    "queue": Cost(179, 8.2),
    "monitored, nobody reads": Cost(148, 4.5),
    "monitored, one reads": Cost(253, 9.5),
}
"""As compiled by gcc 12 with -O3 on x86-64; a change that makes the path shorter lowers them. The calls that
make room for a burst, once in the life of a loop, are in them."""

GROWTH = 1.1
"""How much more is a regression."""


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind counts the instructions, and is not installed")
def test_a_message_costs_no_more_than_it_did(tmp_path: Path) -> None:
    costs = per_message(tmp_path)
    assert set(costs) == set(STORED)
    for case, stored in STORED.items():
        cost = costs[case]
        assert stored.instructions / 2 < cost.instructions, f"{case}: what was counted is not the whole path"
        assert cost.instructions <= stored.instructions * GROWTH, case
        assert cost.calls <= stored.calls * GROWTH, case
