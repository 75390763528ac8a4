"""A context that several threads end at once."""

from __future__ import annotations

import threading

import pytest
import zmq

from zmqtopo.devices.base.own_context import OwnContext, make_context


class Chosen(zmq.Context[zmq.Socket[bytes]]):
    """A class of a program's own."""


@pytest.mark.parametrize("factory", [zmq.Context, Chosen])
def test_all_who_end_it_return_when_it_has_ended(factory: type[zmq.Context[zmq.Socket[bytes]]]) -> None:
    context = make_context(factory)
    assert isinstance(context, OwnContext)
    assert isinstance(context, factory)
    socket = context.socket(zmq.PULL)
    threads = [threading.Thread(target=context.term) for _ in range(4)]
    for thread in threads:
        thread.start()
    with pytest.raises(zmq.ContextTerminated):
        socket.recv()
    context.end()       # who is not needed does not wait, or this would never return
    assert all(thread.is_alive() for thread in threads)
    socket.close(0)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert context.closed
    with pytest.raises(zmq.ContextTerminated):
        context.socket(zmq.PULL)
    context.end()
    context.destroy()


def test_what_may_be_shared_is_left_as_it_is() -> None:
    with zmq.Context() as context:
        assert make_context(lambda: context) is context
    assert type(make_context(zmq.Context.instance)) is zmq.Context
