"""What it costs to note who is connected: nothing for a message, and nothing that stays when a topology has ended."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import zmq

import zmqtopo
from zmqtopo.checks import examine_text

MESSAGES = 50_000

BOTH = """
devices:
  noted: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  plain: {type: streamer, peers: false, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""


def up(text: str, context: Any = None) -> zmqtopo.Running:
    topology = examine_text(text).topology
    assert topology is not None
    return zmqtopo.up(topology, context=context)


def seconds(push: Any, pull: Any) -> float:
    """For all messages to come through."""
    began = time.monotonic()
    sender = threading.Thread(target=lambda: [push.send(b"0123456789abcdef") for _ in range(MESSAGES)])
    sender.start()
    for _ in range(MESSAGES):
        pull.recv()
    sender.join()
    return time.monotonic() - began


@pytest.mark.slow
def test_a_stream_is_as_fast_as_without(net: Any) -> None:
    with up(BOTH) as running:
        ends = {name: (net.socket(zmq.PUSH, connect=running.address(f"{name}.in")),
                       net.socket(zmq.PULL, connect=running.address(f"{name}.out"), rcvtimeo=10_000))
                for name in ("noted", "plain")}
        best = dict.fromkeys(ends, float("inf"))
        for _ in range(5):
            for name, (push, pull) in ends.items():
                best[name] = min(best[name], seconds(push, pull))
        assert best["noted"] < best["plain"] / 0.85
        status = {device.name: device for device in running.status}
        assert status["plain"].peers is None
        peers = status["noted"].peers
        assert peers is not None
        assert (peers["in"].now, peers["out"].now) == (1, 1)


def test_in_a_context_of_the_program_nothing_stays(net: Any) -> None:
    """The fixture of all tests looks for threads, sockets and descriptors afterwards."""
    context: zmq.Context[Any] = zmq.Context()
    with up(BOTH, context) as running, context.socket(zmq.PUSH) as push:
        push.linger = 0
        push.connect(running.address("noted.in"))
        net.until(lambda: next(d.peers for d in running.status if d.name == "noted")["in"].now == 1)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "zmqtopo peers"]
    context.term()


def test_a_program_hears_of_peers_in_its_log(net: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="zmqtopo")
    with up(BOTH) as running:
        push = net.socket(zmq.PUSH, connect=running.address("noted.in"))
        net.until(lambda: any(getattr(r, "event", "") == "peer-connected" for r in caplog.records))
        push.close(0)
        net.until(lambda: any(getattr(r, "event", "") == "peer-disconnected" for r in caplog.records))
    told = [r for r in caplog.records if getattr(r, "event", "").startswith("peer-")]
    assert {r.levelname for r in told} == {"DEBUG"}
    assert {r.device for r in told} == {"noted"}
    assert "is connected" in told[0].getMessage()


def test_a_context_with_little_room_is_left_to_the_program(net: Any) -> None:
    context: zmq.Context[Any] = zmq.Context()
    context.max_sockets = 12
    with up(BOTH, context) as running:
        assert [device.peers for device in running.status] == [None, None]
    context.term()
