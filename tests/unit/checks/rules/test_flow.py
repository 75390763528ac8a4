"""What circles, and what only looks like it."""

from __future__ import annotations

import pytest

from ..conftest import devices, found, problems


def chain(*links: tuple[str, str], type_: str = "streamer") -> str:
    """Devices whose ins bind, and whose outs connect as ``links`` say."""
    names = sorted({name for link in links for name in link})
    entries = []
    for number, name in enumerate(names):
        outs = [f"{to}.in" for source, to in links if source == name]
        out = f"{{connect: [{', '.join(outs)}]}}" if outs else f"{{bind: tcp://*:{8000 + number}}}"
        entries.append(f"  {name}:\n    type: {type_}\n    in: {{bind: tcp://*:{7000 + number}}}\n    out: {out}\n")
    return devices(*entries)


@pytest.mark.parametrize("type_", ["streamer", "queue", "forwarder"])
@pytest.mark.parametrize(("links", "loops"), [
    ([("a", "a")], 1),
    ([("a", "b"), ("b", "a")], 1),
    ([("a", "b"), ("b", "c"), ("c", "a")], 1),
    ([("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")], 2),
    ([("a", "b"), ("b", "c")], 0),
    ([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], 0),
])
def test_loops_and_what_only_looks_like_one(type_: str, links: list[tuple[str, str]], loops: int) -> None:
    assert [p.rule for p in problems(chain(*links, type_=type_))] == ["forwarding-loop"] * loops


def test_a_ring_of_dealers_is_one_finding_though_it_turns_both_ways() -> None:
    yaml = chain(("a", "b"), ("b", "a"), type_="queue").replace("in: {", "in: {type: DEALER, ")
    assert [p.rule for p in problems(yaml)] == ["forwarding-loop"]


def test_a_monitor_that_feeds_its_own_device() -> None:
    yaml = devices("  d:\n    type: monitored_queue\n    in: {type: XSUB, bind: tcp://*:5000, connect: d.mon}\n"
                   "    out: {type: XPUB, bind: tcp://*:5001}\n    mon: {bind: tcp://*:5002}\n")
    assert found(yaml) == [("forwarding-loop", "d.mon")]


def test_request_and_reply_through_two_queues_is_no_loop() -> None:
    yaml = chain(("a", "b"), type_="queue") + (
        "peers:\n  c: {type: REQ, connect: a.in}\n  s: {type: REP, connect: b.out}\n")
    assert found(yaml) == []
