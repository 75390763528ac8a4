from __future__ import annotations

import pytest

from zmqtopo.config.load import read_text
from zmqtopo.config.model import Reference
from zmqtopo.config.reference import nearest

loaded = read_text("""
devices:
  all: {type: queue, in: {bind: [ws://*:1, tcp://*:2, tcp://10.0.0.1:3, ipc:///x, inproc://y]}, out: {}}
  tcp: {type: queue, in: {bind: ['tcp://[::]:2', tcp://10.0.0.1:3]}, out: {connect: tcp://a:1}}
  system: {type: queue, in: {bind: [tcp://*:*, tcp://*:5]}, out: {bind: ipc://*}}
  ws: {type: queue, in: {bind: ws://0.0.0.0:1/feed}, out: {bind: inproc://z}}
  bad: {type: queue, in: {bind: [nonsense, tcp://h:5]}, out: {}}
  thread: {type: queue, in: {}, out: {}}
  process: {type: queue, run: process, in: {}, out: {}}
peers:
  program: {type: DEALER}
""")
assert loaded.problems == []
assert loaded.topology is not None
TOPOLOGY = loaded.topology
VIEWERS = {**TOPOLOGY.devices, **TOPOLOGY.peers}


@pytest.mark.parametrize(("device", "socket", "seen_from", "endpoint"), [
    ("all", "in", "thread", "inproc://y"),
    ("all", "in", "process", "ipc:///x"),
    ("all", "in", "program", "ipc:///x"),
    ("tcp", "in", "thread", "tcp://127.0.0.1:2"),
    ("tcp", "out", "thread", None),
    ("system", "in", "thread", None),
    ("system", "out", "thread", None),
    ("ws", "in", "program", "ws://127.0.0.1:1/feed"),
    ("ws", "out", "thread", "inproc://z"),
    ("ws", "out", "process", None),
    ("bad", "in", "thread", "tcp://h:5"),
    ("all", "mon", "thread", None),
    ("none", "in", "thread", None),
])
def test_declared(device: str, socket, seen_from: str, endpoint: str | None) -> None:
    found = nearest(Reference(device, socket), VIEWERS[seen_from], TOPOLOGY)
    assert (found and str(found)) == endpoint


@pytest.mark.parametrize(("texts", "seen_from", "endpoint"), [
    (("tcp://0.0.0.0:43211", "tcp://0.0.0.0:5"), "thread", "tcp://127.0.0.1:43211"),
    (("tcp://127.0.0.1:5", "ipc:///tmp/abc/1"), "program", "ipc:///tmp/abc/1"),
    ((), "thread", None),
])
def test_bound(texts: tuple[str, ...], seen_from: str, endpoint: str | None) -> None:
    found = nearest(Reference("system", "in"), VIEWERS[seen_from], TOPOLOGY, {("system", "in"): texts})
    assert (found and str(found)) == endpoint


def test_bound_says_nothing_of_other_sockets() -> None:
    assert str(nearest(Reference("tcp", "in"), VIEWERS["thread"], TOPOLOGY, {("system", "in"): ()})
               ) == "tcp://127.0.0.1:2"
