"""What it costs a device that somebody looks on and is slow, measured on one stream that goes on meanwhile."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from zmq.backend.cython import _zmq

from zmqtopo.bench import _ends
from zmqtopo.control.client import Client, connect
from zmqtopo.observe.tap.reader import TapReader

STREAMER = """
devices:
  jobs: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""

LEAST = 0.9
"""Of its rate, that a device keeps."""

TURNS = 8
"""With and without, of so many seconds each; what else the machine does comes and goes."""
INTERVAL = 0.5

TRIES = 3

IDLE = 2000
"""Milliseconds without a message after which the receiving end gives up."""


@pytest.fixture
def stream(start: Callable[..., Any]) -> Iterator[Callable[[float], float]]:
    """A device at full speed; messages a second over so many seconds."""
    _ends.load(_zmq.__file__)
    up = start(STREAMER).ready()
    context: zmq.Context[Any] = zmq.Context(2)
    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    push.linger = 0
    push.connect(up.address("jobs.in"))
    pull.connect(up.address("jobs.out"))
    going = threading.Event()

    def send() -> None:
        while not going.is_set():
            _ends.send(push.underlying, [b"sixteen bytes..."], 1 << 40, 0.5)

    threads = [threading.Thread(target=send),
               threading.Thread(target=lambda: _ends.receive([pull.underlying], b"no mark!", IDLE))]
    for thread in threads:
        thread.start()
    client: Client = connect("it")

    def passed() -> int:
        number: int = client.devices()[0]["counters"]["in_to_out"]["messages"]
        return number

    def rate(seconds: float) -> float:
        before, began = passed(), time.monotonic()
        time.sleep(seconds)
        return (passed() - before) / (time.monotonic() - began)

    yield rate
    client.close()
    going.set()
    for thread in threads:
        thread.join()
    context.destroy(0)


@pytest.mark.slow
def test_a_device_at_full_speed_keeps_its_rate_while_a_slow_reader_looks_on(stream: Callable[[float], float]) -> None:
    assert stream(INTERVAL) > 1000
    for _ in range(TRIES):
        alone, looked_at = [], []
        for _ in range(TURNS):
            alone.append(stream(INTERVAL))
            with TapReader(connect("it")) as reader:
                slow = threading.Timer(INTERVAL / 2, lambda reader=reader: reader.receive(0))
                slow.start()
                looked_at.append(stream(INTERVAL))
                slow.join()
                reader.settle()
                reader.receive(0)
                assert reader.shown + reader.left_out == reader.passed
                assert reader.left_out > reader.shown
        ratio = statistics.median(looked_at) / statistics.median(alone)
        if ratio >= LEAST:
            break
    assert ratio >= LEAST
