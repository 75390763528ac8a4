"""A stop loses nothing between the devices of a topology."""

from __future__ import annotations

import threading
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
        # The chain is full from end to end: the last has sent nothing, and the first has all it can hold in its batch.
        net.until(lambda: running.counters()["first"].in_to_out.waiting, "the first device's wait")
        pull.connect(running.address("third.out"))
        running.stop()
    counted = running.counters()
    received = counted["first"].in_to_out.messages
    assert [counted[name].in_to_out.messages for name in ("second", "third")] == [received, received]
    assert [int(net.receive(pull)[0][:8]) for _ in range(received)] == list(range(received))
    assert not any(flow.dropped for c in counted.values() for flow in (c.in_to_out, c.out_to_in))


def test_a_device_waits_for_the_one_that_feeds_it(net: Any, tmp_path: Path) -> None:
    """The second is dry long before the first, which its monitor holds up, can pass on what it has."""
    path = tmp_path / "held.yaml"
    path.write_text("""
devices:
  first:
    type: monitored_queue
    in: {type: PULL, bind: "tcp://127.0.0.1:*"}
    out: {type: PUSH, bind: "inproc://first"}
    mon: {type: PUSH, bind: "inproc://mon", options: {sndhwm: 10}, overflow: block}  # zmqtopo: ignore[mon-blocks]
  second: {type: streamer, in: {connect: first.out}, out: {bind: "tcp://127.0.0.1:*"}}
""")
    running = zmqtopo.up(path)
    assert running.context is not None
    with running.context.socket(zmq.PULL) as mon:
        mon.rcvhwm = 10
        mon.connect("inproc://mon")
        push = net.socket(zmq.PUSH, connect=running.address("first.in"))
        pull = net.socket(zmq.PULL, connect=running.address("second.out"))
        for number in range(300):
            push.send(b"%d" % number)
        net.until(lambda: running.counters()["first"].mon.waiting, "the monitor's wait")
        early = 0
        while pull.poll(100):
            assert int(pull.recv()) == early
            early += 1
        assert early < 300
        stop = threading.Thread(target=running.stop)
        stop.start()
        assert not pull.poll(300)   # time enough for the second to take its source for dry
        for _ in range(300):
            net.receive(mon)
        assert [int(net.receive(pull)[0]) for _ in range(early, 300)] == list(range(early, 300))
    stop.join()
    assert set(running.states.values()) == {"stopped"}
