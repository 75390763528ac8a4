"""A stop ends by its time, whatever waits in the device, and what it has dropped is counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

TOPOLOGY = """
devices:
  a:
    type: {type}
    run: {run}
    stop_timeout: 500ms
    in: {{{in_type}bind: "{in_}", options: {{sndhwm: 10}}}}
    out: {{{out_type}bind: "{out}", options: {{sndhwm: 10}}}}
"""

MON = '    mon: {{type: {mon_type}, bind: "{mon}", options: {{sndhwm: 10}}}}\n'

SLACK = 1.5
"""Seconds beyond ``stop_timeout`` that a busy machine may need."""


@dataclass(frozen=True)
class Case:
    """A device, who feeds it, and who is connected and takes nothing."""

    type: str
    gives: int
    takes: int
    in_type: str = ""
    out_type: str = ""
    mon: str = ""
    """The type of that socket, with a reader that takes nothing, or "nobody" behind it."""
    back: bool = False
    """Whether it is full in the other direction too."""


CASES = {
    "streamer": Case("streamer", zmq.PUSH, zmq.PULL),
    "queue": Case("queue", zmq.DEALER, zmq.DEALER),
    "queue, both ways": Case("queue", zmq.DEALER, zmq.DEALER, "type: DEALER, ", "type: DEALER, ", back=True),
    "pair, both ways": Case("queue", zmq.PAIR, zmq.PAIR, "type: PAIR, ", "type: PAIR, ", back=True),
    "monitored_queue, nobody at mon": Case("monitored_queue", zmq.DEALER, zmq.DEALER, mon="PUSH nobody"),
    "monitored_queue, mon full": Case("monitored_queue", zmq.DEALER, zmq.DEALER, mon="PUSH"),
    "proxy": Case("proxy", zmq.PUSH, zmq.DEALER, "type: PULL, ", "type: DEALER, "),
    "proxy, both ways": Case("proxy", zmq.PAIR, zmq.DEALER, "type: PAIR, ", "type: DEALER, ", back=True),
}


PLACES = [("tcp", "thread"), ("ipc", "process"), ("inproc", "thread")]


@pytest.mark.parametrize(("transport", "run"), PLACES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_backlog_does_not_hold_a_stop_up(case: Case, transport: str, run: str, net: Any, tmp_path: Path) -> None:
    running, giver, taker = started(case, transport, run, net, tmp_path)
    with running:
        def is_full() -> bool:
            """Whether nothing goes in or moves any more; a queue may be full for a moment only."""
            old = running.counters()["a"]
            ends = (giver, taker) if case.back else (giver,)
            sent = sum(net.fill(socket, [bytes(10_000)], quiet=0.05) for socket in ends)
            new = running.counters()["a"]
            waits = new.in_to_out.waiting or new.mon.waiting
            moved = [getattr(new, flow).messages != getattr(old, flow).messages
                     for flow in ("in_to_out", "out_to_in", "mon")]
            return not (sent or any(moved)) and waits and (new.out_to_in.waiting or not case.back)

        net.until(is_full, "a full device")
        before = running.counters()["a"]
        begun = time.monotonic()
        running.stop_devices("a")
        assert time.monotonic() - begun < 0.5 + SLACK
        after = running.counters()["a"]
        flows = [(before.in_to_out, after.in_to_out), (before.out_to_in, after.out_to_in)]
        for old, new in flows[:2 if case.back else 1]:
            assert new.dropped - old.dropped >= old.in_hand > 0
            assert new.in_hand == 0


@pytest.mark.parametrize(("transport", "run"), PLACES)
@pytest.mark.parametrize("mon", ["", "PUB", "XPUB"])
def test_a_reader_that_takes_nothing_does_not_hold_a_publisher_up(
    mon: str, transport: str, run: str, net: Any, tmp_path: Path
) -> None:
    """Nothing waits in such a device: what waits for its readers does in libzmq, as far as there is room."""
    case = (Case("monitored_queue", zmq.DEALER, zmq.DEALER, mon=mon) if mon
            else Case("forwarder", zmq.PUB, zmq.SUB))
    running, giver, taker = started(case, transport, run, net, tmp_path)
    with running:
        def flows() -> bool:
            giver.send(bytes(10_000))
            if mon:
                taker.recv()
            flow = running.counters()["a"].in_to_out
            return flow.messages + flow.dropped > 500

        net.until(flows, "the flow")
        begun = time.monotonic()
        running.stop_devices("a")
        assert time.monotonic() - begun < 0.5 + SLACK
        assert running.counters()["a"].in_to_out.in_hand == 0


def started(
    case: Case, transport: str, run: str, net: Any, folder: Path
) -> tuple[zmqtopo.Running, zmq.Socket[bytes], zmq.Socket[bytes]]:
    """The device and its ends, which are connected; small buffers fill soon."""
    addresses = {name: {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{folder}/{name}", "inproc": f"inproc://{name}"}[
        transport] for name in ("in_", "out", "mon")}
    path = folder / "backlog.yaml"
    path.write_text((TOPOLOGY + (MON if case.mon else "")).format(
        type=case.type, run=run, in_type=case.in_type, out_type=case.out_type, mon_type=case.mon.split(" ")[0],
        **addresses))
    running = zmqtopo.up(path, context=net.context)
    subscribed = {"subscribe": b""}
    giver = net.socket(case.gives, connect=running.address("a.in"), sndhwm=10, rcvhwm=10)
    taker = net.socket(case.takes, connect=running.address("a.out"), sndhwm=10, rcvhwm=10,
                       **(subscribed if case.takes == zmq.SUB else {}))
    if case.mon and not case.mon.endswith("nobody"):
        reads = zmq.PULL if case.mon == "PUSH" else zmq.SUB
        net.socket(reads, connect=running.address("a.mon"), rcvhwm=10, **(subscribed if reads == zmq.SUB else {}))
    return running, giver, taker
