"""A proxy of two socket types that no named device joins, as the heart of ipyparallel: SUB in, DEALER out."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.acceptance.conftest import Up

HEART = """
name: it
devices:
  heart:
    type: proxy
    run: {run}
    in: {{type: SUB, bind: "tcp://127.0.0.1:*"}}
    out: {{type: DEALER, bind: "tcp://127.0.0.1:*", options: {{routing_id: engine}}}}
    mon: {{type: PUSH, bind: "tcp://127.0.0.1:*", prefix: {{out: null}}, overflow: drop}}
peers:
  pings: {{type: PUB, connect: heart.in}}
  pongs: {{type: ROUTER, connect: heart.out}}
"""


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_heart(start: Callable[..., Up], control: Any, zmqtopo: Any, net: Any, run: str) -> None:
    """Pings come back as pongs; what comes in at the side that leads nowhere is counted and harms nothing."""
    up = start(HEART.format(run=run)).ready()
    ping = net.socket(zmq.PUB, connect=up.address("heart.in"))
    pong = net.socket(zmq.ROUTER, connect=up.address("heart.out"), router_mandatory=1)
    copies = net.socket(zmq.PULL, connect=up.address("heart.mon"))
    net.until(lambda: ping.send(b"first") or pong.poll(20))
    ping.send(b"begin")
    net.until(lambda: net.receive(pong) == [b"engine", b"begin"])    # behind all that were first
    for number in range(100):
        ping.send(b"%d" % number)
    assert net.receive_all(pong, 100) == [[b"engine", b"%d" % number] for number in range(100)]
    pong.send_multipart([b"engine", b"nowhere"])
    net.until(lambda: control.ps()["heart"]["counters"]["out_to_in"]["dropped"] == 1)
    ping.send(b"last")
    assert net.receive(pong) == [b"engine", b"last"]
    net.until(lambda: net.receive(copies) == [b"in", b"last"])
    assert "proxy" in zmqtopo("ps", "it").stdout
    assert "copies to mon" in control("down")
    up.process.wait(10)


def test_what_is_said_of_one(zmqtopo: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "heart.yaml").write_text(HEART.format(run="thread"))
    assert zmqtopo("validate", "--strict", "heart.yaml").stdout == "no problems in 1 file\n"
    for form in ("dot", "mermaid", "json"):
        assert "proxy" in zmqtopo("graph", "heart.yaml", "--format", form).stdout
    written = zmqtopo("config", "heart.yaml").stdout
    (tmp_path / "again.yaml").write_text(written)
    assert zmqtopo("config", "again.yaml").stdout == written
