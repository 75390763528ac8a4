"""A file runs, and programs that know nothing of zmqtopo work with it."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

COUNT = 1_000_000

PIPELINE = Path(__file__).parents[2] / "topologies" / "pipeline.yaml"

PRODUCER = """
import sys, zmq
socket = zmq.Context().socket(zmq.PUSH)
socket.connect(sys.argv[1])
for number in range(int(sys.argv[2])):
    socket.send(number.to_bytes(4, "big"))
"""

CONSUMER = """
import sys, zmq
socket = zmq.Context().socket(zmq.PULL)
socket.connect(sys.argv[1])
number = 0
while number < int(sys.argv[2]):
    message = socket.recv()
    if message:
        assert message == number.to_bytes(4, "big"), (message, number)
        number += 1
assert not socket.poll(0)
"""

SUBSCRIBER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.rcvhwm = 0
socket.subscribe(b"")
socket.connect(sys.argv[1])
number = 0
while number < int(sys.argv[2]):
    prefix, message = socket.recv_multipart()
    assert prefix == b"job"
    if message:
        assert message == number.to_bytes(4, "big"), (message, number)
        number += 1
    else:
        print("listening", flush=True)
"""


def client(program: str, address: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, address, str(COUNT)], stdout=subprocess.PIPE)


def test_a_million_messages_pass_complete_and_in_order_and_the_monitor_sees_each(
    start: Callable[..., Any], net: Any
) -> None:
    up = start(PIPELINE.read_text("utf-8"), env=dict.fromkeys(("IN_PORT", "OUT_PORT", "MON_PORT"), "*")).ready()
    subscriber = client(SUBSCRIBER, up.address("watch.mon"))
    consumer = client(CONSUMER, up.address("deliver.out"))
    clients = [subscriber, consumer]
    try:
        # Empty messages, which nobody counts, until the subscription has come through.
        probe = net.socket(zmq.PUSH, connect=up.address("collect.in"), linger=-1)
        while not select.select([subscriber.stdout], [], [], 0.01)[0]:
            probe.send(b"")
        probe.close()
        producer = client(PRODUCER, up.address("collect.in"))
        clients.append(producer)
        assert [process.wait(60) for process in clients] == [0, 0, 0]
    finally:
        for process in clients:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    said = up.stop(signal.SIGINT)
    for name in ("collect", "watch", "deliver"):
        assert f"zmqtopo: {name}: stopped; 1,000," in said
