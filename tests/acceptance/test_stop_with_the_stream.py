"""A stop loses nothing between the devices of a topology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

COUNT = 3000
PADDING = bytes(10_000)
"""Makes them more than the kernel holds between two devices."""

CHAIN = """
defaults: {{run: {run}}}
devices:
  third:
    type: streamer
    in: {{connect: second.out, options: &small {{hwm: 100}}}}
    out: {{bind: "tcp://127.0.0.1:*", options: *small}}
  second:
    type: streamer
    in: {{connect: first.out, options: *small}}
    out: {{bind: "{second}", options: *small}}
  first:
    type: streamer
    in: {{bind: "tcp://127.0.0.1:*"}}
    out: {{bind: "{first}", options: *small}}
"""


@pytest.mark.parametrize(("run", "transport"), [
    ("thread", "inproc"), ("thread", "tcp"), ("process", "tcp"), ("process", "ipc"), ("process/one", "inproc"),
])
def test_what_the_first_device_has_received_leaves_the_last(
    run: str, transport: str, net: Any, tmp_path: Path
) -> None:
    binds = {
        name: {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/{name}", "inproc": f"inproc://{name}"}[transport]
        for name in ("first", "second")
    }
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.format(run=run, **binds))
    with zmqtopo.up(path) as running:
        push = net.socket(zmq.PUSH, connect=running.address("first.in"), sndhwm=0)
        pull = net.socket(zmq.PULL, rcvhwm=0)
        for number in range(COUNT):
            push.send(b"%08d" % number + PADDING)
        # The chain is full from end to end: the last has sent nothing, and the first has all it can hold in hand.
        net.until(lambda: running.counters()["first"].in_to_out.waiting, "the first device's wait")
        pull.connect(running.address("third.out"))
        running.stop()
    counted = running.counters()
    received = counted["first"].in_to_out.messages
    assert [counted[name].in_to_out.messages for name in ("second", "third")] == [received, received]
    assert [int(net.receive(pull)[0][:8]) for _ in range(received)] == list(range(received))
    assert not any(flow.dropped for c in counted.values() for flow in (c.in_to_out, c.out_to_in))
