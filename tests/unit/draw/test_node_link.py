from __future__ import annotations

import inspect
import json
from typing import Any

import networkx as nx
import pytest

from zmqtopo.draw.node_link import node_link


def loaded(text: str) -> nx.MultiDiGraph:
    data = json.loads(text)
    name = "edges" if "edges" in inspect.signature(nx.node_link_graph).parameters else "link"
    return nx.node_link_graph(data, **{name: "edges"})


@pytest.fixture(scope="module")
def net(draw) -> Any:
    return loaded(node_link(draw("all", with_problems=False)))


def test_networkx_reads_it(net) -> None:
    assert isinstance(net, nx.MultiDiGraph)
    assert net.graph == {"name": "all"}
    assert len(net.nodes) == 4 + 5 + 3
    # Request and reply are an edge each.
    assert len(net.edges) == 9 + 2


@pytest.mark.parametrize(("source", "target", "about"), [
    ("peer:feed", "device:ingest", ("tcp://*:5561", "pub/sub", False, None, "in")),
    ("device:ingest", "device:store", ("tcp://127.0.0.1:*", "pub/sub", False, "out", "in")),
    ("device:ingest", "peer:viewer", ("ipc:///run/feed/mon", "pub/sub", True, "mon", None)),
    ("peer:clients", "device:requests", ("tcp://*:5559", "request/reply", False, None, "in")),
    ("device:requests", "peer:clients", ("tcp://*:5559", "request/reply", False, "in", None)),
    ("device:mirror", "peer:listener", ("tcp://*:5580", "pub/sub", False, "in", None)),
    ("endpoint:tcp://far:5581", "device:mirror", ("tcp://far:5581", "pub/sub", False, None, "out")),
])
def test_edges(net, source: str, target: str, about: tuple[object, ...]) -> None:
    (edge,) = net[source][target].values()
    keys = ("endpoint", "pattern", "monitor", "source_socket", "target_socket")
    assert edge == dict(zip(keys, about, strict=True))


def test_nodes(net) -> None:
    assert net.nodes["device:ingest"] == {
        "kind": "device", "name": "ingest", "type": "monitored_queue", "run": "thread",
        "sockets": {
            "in": {"type": "XSUB", "bind": ["ipc:///run/feed/in", "tcp://*:5561"], "connect": []},
            "out": {"type": "XPUB", "bind": ["tcp://127.0.0.1:*"], "connect": []},
            "mon": {"type": "PUB", "bind": ["ipc:///run/feed/mon"], "connect": []},
        },
        "description": 'says "hi" \\n & <b>', "color": "steelblue", "group": "market",
    }
    assert net.nodes["peer:viewer"] == {
        "kind": "peer", "name": "viewer", "type": "SUB", "bind": [], "connect": ["ingest.mon"]}
    assert net.nodes["endpoint:tcp://*:5571"] == {"kind": "endpoint", "name": "tcp://*:5571"}


def test_messages_can_be_followed(net) -> None:
    assert nx.descendants(net, "peer:feed") == {
        "device:ingest", "device:store", "peer:viewer", "endpoint:tcp://*:5571"}


def test_two_connections_between_the_same_two_have_two_keys(draw) -> None:
    net = loaded(node_link(draw("""
        devices:
          a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: [tcp://*:5002, inproc://a]}}
          b: {type: streamer, in: {connect: [tcp://localhost:5002, inproc://a]}, out: {bind: tcp://*:5003}}
        """)))
    assert {key: edge["endpoint"] for key, edge in net["device:a"]["device:b"].items()} == {
        0: "inproc://a", 1: "tcp://*:5002"}


def test_problems_name_their_rules(draw) -> None:
    data = json.loads(node_link(draw("bad")))
    wrong = {item["id"]: [role for role, socket in item["sockets"].items() if socket.get("problems") == ["socket-pair"]]
             for item in data["nodes"] if item["kind"] == "device"}
    assert wrong == {"device:a": [], "device:b": ["in", "out"], "device:c": []}
    assert [edge["problems"] for edge in data["edges"] if "problems" in edge] == [["bind-conflict"]] * 2
    assert "problems" not in node_link(draw("bad", with_problems=False))


def test_any_name_is_good_json(draw) -> None:
    picture = draw("nasty")
    names = {node["name"] for node in json.loads(node_link(picture))["nodes"]}
    assert names >= {owner.name for owner in (*picture.devices, *picture.peers)}
