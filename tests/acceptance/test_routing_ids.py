"""How a queue names its clients to those who answer them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zmq

from zmqtopo.devices import ProcessDevice

QUEUE = """
devices:
  q:
    type: queue
    run: {run}
    in: {{bind: "tcp://127.0.0.1:*"}}
    out: {{bind: "tcp://127.0.0.1:*"}}
"""


def name_of_a_client(net: Any, front: str, back: str) -> bytes:
    client, worker = net.socket(zmq.DEALER, connect=front), net.socket(zmq.DEALER, connect=back)
    client.send(b"question")
    name, question = net.receive(worker)
    assert question == b"question"
    for socket in (client, worker):
        socket.close()
    return bytes(name)


@pytest.mark.parametrize("run", ["thread", "process"])
def test_clients_of_a_queue_that_comes_again_have_names_of_their_own(
    start: Callable[..., Any], net: Any, run: str
) -> None:
    # Answers to the clients of the one before may still come.
    names = set()
    for _ in range(2):
        up = start(QUEUE.format(run=run)).ready()
        names.add(name_of_a_client(net, up.address("q.in"), up.address("q.out")))
        up.stop()
    assert len(names) == 2


def test_so_have_those_of_a_process_device(net: Any) -> None:
    names = set()
    for _ in range(2):
        device = ProcessDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
        device.bind_in("tcp://127.0.0.1:*")
        device.bind_out("tcp://127.0.0.1:*")
        with device:
            names.add(name_of_a_client(net, device.endpoints["in"][0], device.endpoints["out"][0]))
    assert len(names) == 2
