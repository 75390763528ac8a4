"""What goes between processes arrives as it was."""

from __future__ import annotations

import pickle

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Device
from zmqtopo.worker.protocol import (
    Bind,
    Bound,
    Connect,
    End,
    Event,
    Failed,
    Order,
    Pause,
    Paused,
    Ready,
    Reconnect,
    Resume,
    Resumed,
    Stop,
    Stopped,
    Unsent,
)

TEXT = """
devices:
  a:
    type: monitored_queue
    run: process/g
    in: {bind: tcp://127.0.0.1:5001, options: {hwm: 5, plain_password: {file: secret}}}
    out: {connect: [tcp://127.0.0.1:5002, b.in], options: {routing_id: !!binary AP8=}}
    mon: {bind: "ipc://*", prefix: {in: !!binary /w==}}
    restart: {policy: always, max_retries: 3}
    graph: {color: red}
  b: {type: streamer, in: {type: PULL, bind: tcp://127.0.0.1:5003}, out: {bind: tcp://127.0.0.1:5004}}
"""


def device() -> Device:
    topology = examine_text(TEXT).topology
    assert topology is not None
    return topology.devices["a"]


@pytest.mark.parametrize("value", [
    Bind(device(), {"in": ("tcp://127.0.0.1:5001",)}, None),
    Connect("a", {"in": (), "out": ("tcp://127.0.0.1:5002",)}),
    Stop("a", 0.5),
    Pause("a"),
    Resume("a"),
    Reconnect("a", {"in": ("inproc://x",)}),
    End(),
    Bound("a", {"in": ("tcp://127.0.0.1:5001",)}),
    Ready("a"),
    Failed("a", "a: no"),
    Stopped("a"),
    Paused("a"),
    Resumed("a"),
    Unsent("a"),
], ids=lambda value: type(value).__name__)
def test_pickling(value: Order | Event) -> None:
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value
    assert type(copy) is type(value)
    if isinstance(value, Bind):
        assert copy.device.graph == value.device.graph
        assert copy.device.in_.option_places == value.device.in_.option_places
