"""The key limits: what strangers may cost, with sockets that speak ZMTP by hand."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from tests.hostile import Stranger, frame
from zmqtopo.control.client import connect

from .conftest import DEADLINE, Up, children

QUEUE = """
devices:
  q:
    type: streamer
    run: %s
    restart: never
    limits: {%s}
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
"""


def test_a_frame_that_is_too_large_ends_the_connection_it_comes_by(start: Callable[..., Up], net: Any) -> None:
    up = start(QUEUE % ("thread", "message_size: 1000, frames: 2")).ready()
    pull = net.socket(zmq.PULL, connect=up.address("q.out"))
    with Stranger(up.address("q.in"), type_=b"PUSH") as stranger:
        stranger.send(frame(b"x" * 1001))
        with pytest.raises(ConnectionError):
            stranger.receive()
    push = net.socket(zmq.PUSH, connect=up.address("q.in"))
    push.send_multipart([b"x", b"y", b"z"])
    push.send(b"y" * 1000)
    assert net.receive(pull) == [b"y" * 1000]
    with connect("it") as asked:
        assert asked.ask("ps")["devices"][0]["counters"]["in_to_out"]["dropped"] == 1
    up.stop()


def test_who_does_not_say_who_he_is_is_cut_off(start: Callable[..., Up]) -> None:
    up = start(QUEUE % ("process", "handshake: 100ms")).ready()
    with Stranger(up.address("q.in"), version="") as stranger, pytest.raises(ConnectionError):
        stranger.read_to_the_end()
    up.stop()


@pytest.mark.parametrize("run", ["process", "thread", "process/g"])
def test_a_worker_that_needs_more_memory_than_it_may_ends_and_the_cause_is_told(
    start: Callable[..., Up], run: str
) -> None:
    up = start(QUEUE % (run, "memory: 256MiB")).ready()
    assert sum(len(children(forkserver)) for forkserver in children(up.process.pid)) == 1
    # The last frame of this message never comes, so no option of libzmq counts the others, of 64 bytes each in memory.
    frames = frame(b"", 1) * (1 << 20)
    with contextlib.suppress(OSError), Stranger(up.address("q.in"), type_=b"PUSH") as stranger:
        for _ in range(16):
            stranger.send(frames)
    up.wait_for("; it may have needed more than limits.memory, 256 MiB", DEADLINE)
    up.end(1)


def test_the_least_memory_is_enough_for_many_devices_of_a_worker(start: Callable[..., Up]) -> None:
    devices = "".join(
        f"  q{number}: {{type: streamer, run: process/g, in: {{bind: 'inproc://a{number}'}}, "
        f"out: {{bind: 'inproc://b{number}'}}, limits: {{memory: 64MiB}}}}\n" for number in range(30)
    )
    up = start(f"devices:\n{devices}").ready()
    up.stop()


@pytest.mark.parametrize(("io_threads", "stack"), [(16, 8 << 20), (200, 8 << 20), (4, 128 << 20)])
def test_the_least_memory_is_enough_for_all_threads_of_the_context(
    start: Callable[..., Up], net: Any, io_threads: int, stack: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard != resource.RLIM_INFINITY and hard < stack:
        pytest.skip("the system allows no larger stack")
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    try:
        up = start(f"context: {{io_threads: {io_threads}}}\n" + QUEUE % ("process", "memory: 64MiB")).ready()
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    pull, push = net.socket(zmq.PULL, connect=up.address("q.out")), net.socket(zmq.PUSH, connect=up.address("q.in"))
    push.send(b"through")
    assert net.receive(pull) == [b"through"]
    up.stop()
