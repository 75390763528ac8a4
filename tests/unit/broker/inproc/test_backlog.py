"""What a closed socket has left is told until its peers have read it, whatever else they have to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.broker.inproc.backlog import Backlog, is_read

PLACE = "inproc://place"


@pytest.fixture
def reader(net: Any) -> Iterator[zmq.Socket[bytes]]:
    socket = net.socket(zmq.PULL)
    socket.bind(PLACE)
    return socket


def left(socket: zmq.Socket[bytes]) -> Backlog:
    backlog = Backlog.of(socket, "a", set(), {PLACE})
    assert backlog is not None
    socket.close()
    return backlog


def test_it_is_over_when_all_is_read_though_others_go_on(reader: zmq.Socket[bytes], net: Any) -> None:
    other, socket = net.socket(zmq.PUSH, connect=PLACE), net.socket(zmq.PUSH, connect=PLACE)
    for _ in range(3):
        socket.send(b"mine")
    backlog = left(socket)
    for _ in range(3):
        assert not backlog.is_over
        assert not is_read(reader)
        other.send(b"other")
        other.send(b"other")
        while net.receive(reader) != [b"mine"]:
            pass

    def has_ended() -> bool:
        # The end of a connection is read in its turn, and the reader always has something from the other one.
        other.send(b"other")
        net.receive(reader)
        return backlog.is_over

    net.until(has_ended)
    assert not is_read(reader)
    backlog.close()


def test_a_socket_that_has_left_nothing(reader: zmq.Socket[bytes], net: Any) -> None:
    assert is_read(reader)
    backlog = left(net.socket(zmq.PUSH, connect=PLACE))
    net.until(lambda: is_read(reader) and backlog.is_over)
    backlog.close()


@pytest.mark.parametrize("type_", [zmq.PUB, zmq.XPUB, zmq.SUB, zmq.PULL])
def test_types_that_keep_no_order_or_send_nothing_have_none(type_: int, net: Any) -> None:
    assert Backlog.of(net.socket(type_), "a", {PLACE}, set()) is None


def test_a_socket_without_inproc_has_none(net: Any) -> None:
    assert Backlog.of(net.socket(zmq.PUSH), "a", set(), set()) is None
