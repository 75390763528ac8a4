"""How the sockets of devices are made."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from zmqtopo.broker.sockets import open_socket

TOPICS = 3000
"""More than libzmq keeps for a peer when nobody says otherwise."""


@pytest.mark.parametrize("type_", [zmq.SUB, zmq.XSUB])
def test_a_publisher_that_comes_late_hears_of_every_topic(net: Any, type_: int) -> None:
    with open_socket(net.context, "in", type_, [(zmq.LINGER, 0)]) as subscriber:
        subscriber.bind("tcp://127.0.0.1:*")
        for number in range(TOPICS):
            topic = b"%d." % number
            if type_ == zmq.SUB:
                subscriber.setsockopt(zmq.SUBSCRIBE, topic)
            else:
                subscriber.send(b"\1" + topic)
        address = subscriber.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
        publisher = net.socket(zmq.XPUB, connect=address)
        net.until(lambda: subscriber.poll(0) or publisher.poll(0))
        assert {message for message, in net.receive_all(publisher, TOPICS)} == {b"\1%d." % n for n in range(TOPICS)}


def test_a_limit_that_is_set_holds(net: Any) -> None:
    with open_socket(net.context, "in", zmq.XSUB, [(zmq.SNDHWM, 5)]) as subscriber:
        assert subscriber.getsockopt(zmq.SNDHWM) == 5
    net.context.setsockopt(zmq.SNDHWM, 7)
    with open_socket(net.context, "in", zmq.XSUB, []) as subscriber:
        assert subscriber.getsockopt(zmq.SNDHWM) == 7
