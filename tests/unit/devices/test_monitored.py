"""The monitored queue as a function, on sockets that the caller has used before."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import zmq

from zmqtopo.devices import monitored_queue


def test_a_subscription_that_the_caller_has_received_still_counts(net: Any) -> None:
    in_, in_address = net.end(zmq.PULL)
    out, out_address = net.end(zmq.PUSH)
    mon, mon_address = net.end(zmq.XPUB)
    subscriber = net.socket(zmq.SUB, connect=mon_address, subscribe=b"")
    push = net.socket(zmq.PUSH, connect=in_address)
    pull = net.socket(zmq.PULL, connect=out_address)
    assert net.receive(mon) == [b"\x01"]    # as a program does that waits for its subscriber
    ended = threading.Event()

    def run() -> None:
        with pytest.raises(zmq.ContextTerminated):
            monitored_queue(in_, out, mon)
        for socket in (in_, out, mon):
            socket.close(0)
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    push.send(b"a")
    assert net.receive(pull) == [b"a"]
    assert net.receive(subscriber) == [b"in", b"a"]
    for socket in (subscriber, push, pull):
        socket.close()
    net.context.term()
    assert ended.wait(10)
    thread.join()
