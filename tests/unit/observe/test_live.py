from __future__ import annotations

import json
from textwrap import dedent
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.graph import Graph
from zmqtopo.draw.dot import dot
from zmqtopo.draw.mermaid import mermaid
from zmqtopo.draw.node_link import node_link
from zmqtopo.draw.picture import INKS, Picture, picture
from zmqtopo.observe.live import with_rates

from .top.looks import device

TOPOLOGY = dedent("""
    devices:
      calls: {type: queue, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}
      events: {type: forwarder, in: {bind: tcp://*:5003}, out: {bind: tcp://*:5004}}
      store: {type: streamer, in: {type: SUB, connect: events.out}, out: {bind: tcp://*:5005}}
      left: {type: streamer, in: {connect: store.out}, out: {bind: tcp://*:5006}}
      right: {type: streamer, in: {connect: store.out}, out: {bind: tcp://*:5007}}
    peers:
      viewer: {type: SUB, connect: events.out}
      one: {type: PULL, connect: left.out}
      other: {type: PULL, connect: left.out}
    """)


def drawn(now: dict[str, dict[str, Any]], focus: str | None = None, seconds: float = 2.0) -> Picture:
    """The picture, ``now`` being what differs from devices that do nothing, two seconds after they all did nothing."""
    topology = examine_text(TOPOLOGY).topology
    assert topology is not None
    before = [device(name) for name in topology.devices]
    after = [device(name, **now.get(name, {})) for name in topology.devices if now.get(name) != {}]
    return with_rates(picture(Graph(topology), focus=focus), before, after, seconds)


def edges(of: Picture) -> dict[tuple[str, str], dict[str, Any]]:
    """As programs see them, by the names of their ends."""
    found = json.loads(node_link(of))["edges"]
    return {(edge["source"].partition(":")[2], edge["target"].partition(":")[2]): edge for edge in found}


def passed(of: Picture, source: str, target: str) -> tuple[float, bool]:
    edge = edges(of)[source, target]
    return edge["messages_per_second"], edge["at_most"]


def test_the_rates_of_both_ways() -> None:
    of = drawn({"calls": {"in_to_out": {"messages": 20}, "out_to_in": {"messages": 18}}})
    assert passed(of, "tcp://*:5001", "calls") == (10, False)
    assert passed(of, "calls", "tcp://*:5001") == (9, False)
    assert passed(of, "calls", "tcp://*:5002") == (10, False)
    assert passed(of, "tcp://*:5002", "calls") == (9, False)
    assert "request/reply<br/>→ 10/s<br/>← 9/s" in dot(of)
    assert "request/reply<br/>#8594;#32;10/s<br/>#8592;#32;9/s" in mermaid(of)


def test_a_reader_tells_what_it_got_of_what_was_published() -> None:
    of = drawn({"events": {"in_to_out": {"messages": 200}}, "store": {"in_to_out": {"messages": 50}}})
    assert passed(of, "events", "store") == (25, False)
    assert passed(of, "events", "viewer") == (100, True)
    assert "≤ 100/s" in dot(of)


def test_one_of_several_connections_is_not_known_by_itself() -> None:
    of = drawn({"store": {"in_to_out": {"messages": 100}}, "left": {"in_to_out": {"messages": 70}}})
    assert passed(of, "store", "left") == (35, False)       # left has one connection there
    assert passed(of, "store", "right") == (0, False)
    assert passed(of, "left", "one") == (35, True)
    assert passed(of, "left", "other") == (35, True)


def test_what_the_focus_hides_makes_nothing_exact() -> None:
    of = drawn({"store": {"in_to_out": {"messages": 100}}, "left": {"in_to_out": {"messages": 70}}}, focus="right")
    assert passed(of, "store", "right") == (0, False)


@pytest.mark.parametrize(("state", "severity"), [
    ("running", None), ("failed", "error"), ("backoff", "warning"), ("paused", "warning"), ("stopped", "warning"),
])
def test_states_are_words_and_colours(state: str, severity: Any) -> None:
    of = drawn({"left": {"state": state, "error": "left: broken"}})
    box = next(line for line in dot(of).splitlines() if line.startswith('  "device:left"'))
    assert f">{state}</font>" in box
    assert (INKS.get(severity, "#37474f")) in box
    node = next(node for node in json.loads(node_link(of))["nodes"] if node["id"] == "device:left")
    assert (node["state"], node["error"], node["full"]) == (state, "left: broken", [])


def test_what_is_blocked() -> None:
    of = drawn({"left": {"in_to_out": {"waiting": True, "blocked_time": 1.5, "dropped": 7}}})
    text = dot(of)
    box = next(line for line in text.splitlines() if line.startswith('  "device:left"'))
    for words in ("running, out full", "blocked 75%", "dropped 7"):
        assert words in box
    assert INKS["warning"] in box
    line = next(line for line in text.splitlines() if '"device:left":"out"' in line)
    assert "≤ 0/s, full" in line
    assert f'color="{INKS["warning"]}"' in line
    assert edges(of)["left", "one"]["full"] is True
    assert edges(of)["store", "left"]["full"] is False


def test_a_device_of_which_nothing_is_known_yet() -> None:
    of = drawn({"left": {}})
    assert "messages_per_second" not in edges(of)["left", "one"]
    assert "state" not in next(node for node in json.loads(node_link(of))["nodes"] if node["id"] == "device:left")


def test_a_picture_without_rates_is_as_before() -> None:
    topology = examine_text(TOPOLOGY).topology
    assert topology is not None
    plain = picture(Graph(topology))
    assert "0/s" not in dot(plain)
    assert "messages_per_second" not in node_link(plain)
