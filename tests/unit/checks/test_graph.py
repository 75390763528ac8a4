from __future__ import annotations

from textwrap import dedent

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.graph import AddressNode, Graph

TOPOLOGY = """
    devices:
      ingest:
        type: monitored_queue
        in: {type: XSUB, bind: "tcp://*:5001"}
        out: {type: XPUB, bind: "tcp://127.0.0.1:*"}
        mon: {type: DEALER, overflow: drop, bind: tcp://*:5003}
      rpc:
        type: queue
        in: {bind: tcp://10.0.0.1:5004}
        out: {connect: tcp://far:5005}
    peers:
      feed: {type: PUB, connect: tcp://localhost:5001}
      reader: {type: SUB, connect: ingest.out}
      asker: {type: REQ, connect: "tcp://10.0.0.1:5004"}
    """


def graph(yaml: str) -> Graph:
    topology = examine_text(dedent(yaml), environ={}).topology
    assert topology is not None
    return Graph(topology)


@pytest.fixture(scope="module")
def pipeline() -> Graph:
    return graph(TOPOLOGY)


def test_every_address_is_one_meeting(pipeline: Graph) -> None:
    met = {m.text: ([b.end.name for b in m.binds], [c.end.name for c in m.connects]) for m in pipeline.nodes}
    assert met == {
        "tcp://*:5001": (["ingest.in"], ["peer feed"]),
        "tcp://127.0.0.1:*": (["ingest.out"], ["peer reader"]),
        "tcp://*:5003": (["ingest.mon"], []),
        "tcp://10.0.0.1:5004": (["rpc.in"], ["peer asker"]),
        "tcp://far:5005": ([], ["rpc.out"]),
    }


def test_the_nodes_of_the_network(pipeline: Graph) -> None:
    kinds = dict(pipeline.net.nodes(data="kind"))
    assert kinds == {
        "device:ingest": "device", "device:rpc": "device",
        "peer:feed": "peer", "peer:reader": "peer", "peer:asker": "peer",
        "endpoint:tcp://*:5001": "endpoint", "endpoint:tcp://127.0.0.1:* of ingest.out": "endpoint",
        "endpoint:tcp://*:5003": "endpoint", "endpoint:tcp://10.0.0.1:5004": "endpoint",
        "endpoint:tcp://far:5005": "endpoint",
    }
    assert isinstance(pipeline.net.nodes["endpoint:tcp://*:5001"]["value"], AddressNode)
    assert pipeline.net.nodes["device:rpc"]["value"] is pipeline.topology.devices["rpc"]


def test_the_edges_are_the_ways_of_messages(pipeline: Graph) -> None:
    edges = {(a, b, e["role"], e["side"], e["type"]) for a, b, e in pipeline.net.edges(data=True)}
    out = "endpoint:tcp://127.0.0.1:* of ingest.out"
    assert edges == {
        ("peer:feed", "endpoint:tcp://*:5001", None, "connect", "PUB"),
        ("endpoint:tcp://*:5001", "device:ingest", "in", "bind", "XSUB"),
        ("device:ingest", out, "out", "bind", "XPUB"),
        (out, "peer:reader", None, "connect", "SUB"),
        ("device:ingest", "endpoint:tcp://*:5003", "mon", "bind", "DEALER"),  # mon takes nothing
        ("endpoint:tcp://10.0.0.1:5004", "device:rpc", "in", "bind", "ROUTER"),
        ("device:rpc", "endpoint:tcp://10.0.0.1:5004", "in", "bind", "ROUTER"),
        ("endpoint:tcp://10.0.0.1:5004", "peer:asker", None, "connect", "REQ"),
        ("peer:asker", "endpoint:tcp://10.0.0.1:5004", None, "connect", "REQ"),
        ("endpoint:tcp://far:5005", "device:rpc", "out", "connect", "DEALER"),
        ("device:rpc", "endpoint:tcp://far:5005", "out", "connect", "DEALER"),
    }


@pytest.mark.parametrize(("bind", "connect", "meet"), [
    ("tcp://*:1", "tcp://127.0.0.1:1", True), ("tcp://*:1", "tcp://localhost:1", True),
    ("tcp://*:1", "tcp://127.0.0.2:1", True), ("tcp://*:1", "tcp://host:1", False),
    ("tcp://*:1", "tcp://127.0.0.1:2", False), ("tcp://127.0.0.1:1", "tcp://localhost:1", True),
    ("tcp://127.0.0.1:1", "tcp://127.0.0.2:1", False), ("tcp://10.0.0.1:1", "tcp://10.0.0.1:1", True),
    ("tcp://10.0.0.1:1", "tcp://10.0.0.2:1", False), ("tcp://HOST:1", "tcp://host:1", True),
    ("tcp://[::]:1", "tcp://[::1]:1", True), ("tcp://*:1", "ws://127.0.0.1:1/", False),
    ("ws://*:1/a", "ws://127.0.0.1:1/a", True),
    ("ipc:///run/a", "ipc:///run/./a", True), ("ipc:///run/a", "ipc:///run/b", False),
    ("tcp://*:1", "tcp://10.0.0.3:2;127.0.0.1:1", True),
])
def test_which_connect_reaches_which_bind(bind: str, connect: str, meet: bool) -> None:
    both = graph(f"""
        devices: {{}}
        peers:
          b: {{type: PULL, bind: "{bind}"}}
          c: {{type: PUSH, connect: "{connect}"}}
        """)
    assert [bool(m.binds) and bool(m.connects) for m in both.nodes] == ([True] if meet else [False, False])


def test_an_address_of_one_of_our_devices_is_on_this_machine() -> None:
    found = graph("""
        devices:
          d:
            type: streamer
            in: {bind: tcp://10.0.0.1:1}
            out: {bind: tcp://*:2}
        peers:
          c: {type: PULL, connect: tcp://10.0.0.1:2}
        """)
    assert [len(m.connects) for m in found.nodes] == [0, 1]


def test_equal_inproc_names_in_two_processes_are_two_endpoints() -> None:
    found = graph("""
        devices:
          a: {type: streamer, run: process, in: {bind: inproc://x}, out: {connect: tcp://h:1}}
          b: {type: streamer, in: {bind: inproc://x}, out: {connect: tcp://h:1}}
        """)
    assert [m.node for m in found.nodes] == [
        "endpoint:inproc://x in device a", "endpoint:inproc://x", "endpoint:tcp://h:1"]
