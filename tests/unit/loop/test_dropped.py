"""What libzmq would drop silently is counted: answers to clients that are full or gone."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.devices import ThreadDevice

REQUESTS = 30_000


def drain(client: Any) -> int:
    """Take what there is until nothing has come for a while; how many."""
    count = 0
    while client.poll(300):
        client.recv(copy=False)
        count += 1
    return count


@pytest.mark.parametrize("transport", ["tcp", "ipc", "inproc"])
def test_a_client_that_does_not_read(net: Any, transport: str) -> None:
    """Its answers are with it or counted, and another client has all of its own meanwhile."""
    worker, out_address = net.end(zmq.DEALER, rcvhwm=0, sndhwm=0)
    device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    in_address = net.address(transport)
    device.bind_in(in_address)
    net.start(device, out=out_address)
    in_address = device.endpoints["in"][0]
    lazy = net.socket(zmq.DEALER, connect=in_address, sndhwm=0, rcvhwm=100)
    other = net.socket(zmq.REQ, connect=in_address)
    message = bytes(500)
    for _ in range(REQUESTS):
        lazy.send(message, copy=False)
    for _ in range(REQUESTS):
        worker.send_multipart(worker.recv_multipart())
    other.send(b"question")
    worker.send_multipart(net.receive(worker))
    assert net.receive(other, 2) == [b"question"]
    flow = net.until(lambda: (flow := device.counters.out_to_in).messages + flow.dropped > REQUESTS and flow)
    arrived = drain(lazy)
    assert flow.dropped > 1000
    assert arrived + flow.dropped == REQUESTS
    assert flow.messages == arrived + 1
    assert device.counters.in_to_out.dropped == 0


def test_a_client_that_has_gone(net: Any) -> None:
    worker, out_address = net.end(zmq.DEALER)
    device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    device.bind_in("tcp://127.0.0.1:*")
    net.start(device, out=out_address)
    client = net.socket(zmq.DEALER, connect=device.endpoints["in"][0])
    client.send(b"question")
    question = net.receive(worker)
    client.close(0)

    def is_known_to_have_gone() -> bool:
        worker.send_multipart(question)
        return bool(device.counters.out_to_in.dropped)

    net.until(is_known_to_have_gone)
    before = net.until(lambda: (flow := device.counters.out_to_in).dropped and flow)
    for _ in range(10):
        worker.send_multipart(question)
    net.until(lambda: device.counters.out_to_in.dropped >= before.dropped + 10)
    assert device.counters.out_to_in.messages == before.messages


def test_an_answer_without_a_message(net: Any) -> None:
    worker, out_address = net.end(zmq.DEALER)
    device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    device.bind_in("tcp://127.0.0.1:*")
    net.start(device, out=out_address)
    worker.send(b"nothing but an address")
    net.until(lambda: device.counters.out_to_in.dropped == 1)
    assert device.counters.out_to_in.messages == 0


def test_an_option_of_the_user_has_the_last_word(net: Any) -> None:
    """Who wants libzmq's silence has it."""
    worker, out_address = net.end(zmq.DEALER)
    device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    device.setsockopt_in(zmq.ROUTER_MANDATORY, 0)
    device.bind_in("tcp://127.0.0.1:*")
    net.start(device, out=out_address)
    worker.send_multipart([b"ghost", b"", b"x"])
    net.until(lambda: device.counters.out_to_in.messages == 1)
    assert device.counters.out_to_in.dropped == 0
