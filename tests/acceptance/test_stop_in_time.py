"""A stop ends by its time, whatever waits in the device, and what it has dropped is counted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

TOPOLOGY = """
devices:
  a: {{type: {type}, stop_timeout: 500ms, in: {{bind: "{in_}"}}, out: {{bind: "{out}", options: {{sndhwm: 10}}}}{more}}}
"""

KINDS = {
    "streamer": (zmq.PUSH, zmq.PULL, ""),
    "queue": (zmq.DEALER, zmq.DEALER, ""),
    "monitored_queue": (zmq.DEALER, zmq.DEALER, ', mon: {type: PUSH, bind: "tcp://127.0.0.1:*"}'),
}
"""By type of device: who feeds it, who takes from it, and what else the file says."""


@pytest.mark.parametrize("transport", ["tcp", "ipc", "inproc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_backlog_does_not_hold_a_stop_up(kind: str, transport: str, net: Any, tmp_path: Path) -> None:
    gives, takes, more = KINDS[kind]
    in_, out = ({"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/{role}", "inproc": f"inproc://{role}"}[transport]
                for role in ("in", "out"))
    path = tmp_path / "backlog.yaml"
    path.write_text(TOPOLOGY.format(type=kind, in_=in_, out=out, more=more))
    with zmqtopo.up(path, context=net.context) as running:
        giver = net.socket(gives, connect=running.address("a.in"), sndhwm=10)
        net.socket(takes, connect=running.address("a.out"), rcvhwm=10)      # which takes nothing
        net.fill(giver, [bytes(10_000)], quiet=0.1)
        before = running.counters()["a"].in_to_out
        begun = time.monotonic()
        running.stop_devices("a")
        assert time.monotonic() - begun < 2
        after = running.counters()["a"].in_to_out
        assert after.dropped - before.dropped >= before.in_hand > 0
        assert after.in_hand == 0
