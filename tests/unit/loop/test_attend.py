"""The byte c: a call in the loop's own thread, between two messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zmq

from zmqtopo.broker.control import Control
from zmqtopo.loop import relay

PATIENCE = 5.0
"""Seconds that a loop may take to answer; far more than it does."""


def bound(net: Any, kind: int, address: str) -> Any:
    socket = net.socket(kind)
    socket.bind(address)
    return socket


@contextmanager
def relaying(net: Any, attend: Callable[[Any, Any], Any], **options: Any) -> Iterator[tuple[Control, list[Any]]]:
    """A loop between a PAIR and a PUSH in a thread of its own, and what it ended with."""
    in_socket, out_socket = bound(net, zmq.PAIR, "inproc://in"), bound(net, zmq.PUSH, "inproc://out")
    control, ended = Control(), []

    def run() -> None:
        try:
            ended.append(relay(
                in_socket, out_socket, control=control.worker.fileno(),
                attend=lambda: attend(in_socket, out_socket), **options,
            ))
        except Exception as error:
            ended.append(error)
        finally:
            control.worker.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield control, ended
    finally:
        control.send(b"n")
        thread.join()
        control.close()


def test_it_is_called_in_the_thread_of_the_loop(net: Any) -> None:
    threads = []
    with relaying(net, lambda *sockets: threads.append(threading.current_thread())) as (control, _):
        for _ in range(3):
            assert control.ask(b"c", PATIENCE)
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


def test_it_may_connect_and_bind(net: Any) -> None:
    later, address = net.end(zmq.PAIR, "tcp")
    pull = net.socket(zmq.PULL)

    def attend(in_socket: Any, out_socket: Any) -> None:
        in_socket.connect(address)
        out_socket.bind("inproc://second")

    with relaying(net, attend) as (control, _):
        assert control.ask(b"c", PATIENCE)
        pull.connect("inproc://second")
        later.send(b"job")
        assert net.receive(pull) == [b"job"]


def test_it_may_change_what_the_copies_begin_with(net: Any) -> None:
    mon = bound(net, zmq.PUSH, "inproc://mon")
    copies = net.socket(zmq.PULL, connect="inproc://mon")
    with relaying(net, lambda *_: (b"new", None, False, 0, 0), mon_socket=mon, prefix_in=b"old") as (control, _):
        asks, pull = net.socket(zmq.PAIR, connect="inproc://in"), net.socket(zmq.PULL, connect="inproc://out")
        for prefix in (b"old", b"new", b"new"):
            asks.send(b"job")
            assert net.receive(pull) == [b"job"]
            assert net.receive(copies) == [prefix, b"job"]
            assert control.ask(b"c", PATIENCE)


def test_it_is_called_while_paused(net: Any) -> None:
    calls = []
    with relaying(net, lambda *sockets: calls.append(1)) as (control, _):
        assert control.ask(b"p", PATIENCE)
        assert control.ask(b"c", PATIENCE)
        assert calls
        pull = net.socket(zmq.PULL, connect="inproc://out")
        asks = net.socket(zmq.PAIR, connect="inproc://in")
        asks.send(b"later")
        assert not pull.poll(0)
        assert control.ask(b"r", PATIENCE)
        assert net.receive(pull) == [b"later"]


def test_what_it_raises_ends_the_loop(net: Any) -> None:
    with relaying(net, lambda *sockets: 1 / 0) as (control, ended):
        assert not control.ask(b"c", PATIENCE)
    assert isinstance(ended[0], ZeroDivisionError)


def test_without_it_the_byte_is_only_answered(net: Any) -> None:
    in_socket, out_socket = bound(net, zmq.PULL, "inproc://in"), bound(net, zmq.PUSH, "inproc://out")
    control = Control()
    control.send(b"cn")
    assert relay(in_socket, out_socket, control=control.worker.fileno())
    assert control.owner.recv(2) == b"cn"
    control.close()


def test_a_subscription_that_it_takes_in_unseen(net: Any) -> None:
    """Whatever attend does with the monitor's socket makes libzmq read what its peers have signalled."""
    mon, other = net.socket(zmq.XPUB), bound(net, zmq.SUB, "inproc://other")
    mon.bind("inproc://mon")
    reader = net.socket(zmq.SUB)

    def attend(*_: Any) -> None:
        reader.connect("inproc://mon")
        reader.subscribe(b"")
        mon.connect("inproc://other")

    with relaying(net, attend, mon_socket=mon) as (control, _):
        asks, pull = net.socket(zmq.PAIR, connect="inproc://in"), net.socket(zmq.PULL, connect="inproc://out")
        assert control.ask(b"c", PATIENCE)
        asks.send(b"job")
        assert net.receive(pull) == [b"job"]
        assert net.receive(reader) == [b"job"]
    assert not other.poll(0)
