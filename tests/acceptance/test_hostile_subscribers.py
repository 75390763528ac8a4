"""What a subscriber may say that nobody knows, and what of it reaches others: nothing that it does not own."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.hostile import DEADLINE, Stranger
from zmqtopo.control.client import connect

from .conftest import Up

LONG = 200_000
"""Bytes of a topic that libzmq 4.3.5 cannot take out of an XSUB: it needs 80 bytes of stack for each."""

VERSIONS = ("2.0", "3.0", "3.1")

FORWARDER = """
devices:
  f:
    type: forwarder
    run: process
    restart: never
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "%s"%s}
"""
MONITORED = """
devices:
  f:
    type: monitored_queue
    run: process
    restart: never
    in: {type: PULL, bind: "tcp://127.0.0.1:*"}
    out: {type: PUSH, bind: "tcp://127.0.0.1:*"}
    mon: {type: %s, bind: "tcp://127.0.0.1:*"}
"""


def dropped(flow: str) -> int:
    """What device f counts as dropped."""
    with connect("it") as asked:
        count: int = asked.ask("ps")["devices"][0]["counters"][flow]["dropped"]
        return count


def synchronise(stranger: Stranger, publish: Callable[[bytes], object], topic: bytes = b"sync") -> None:
    """Return when all that the stranger has said before has been taken in: it is sent what it asks for last."""
    stranger.subscribe(topic)
    deadline = time.monotonic() + DEADLINE
    stranger._socket.settimeout(0.01)
    while time.monotonic() < deadline:
        publish(topic)
        with contextlib.suppress(TimeoutError):
            if stranger.receive() == topic:
                stranger._socket.settimeout(DEADLINE)
                return
    pytest.fail("the stranger is not served")


def told(publisher: zmq.Socket[bytes]) -> list[bytes]:
    """What a publisher has been told so far."""
    messages = []
    while publisher.poll(0):
        messages.append(publisher.recv())
    return messages


@pytest.fixture(params=["tcp", "ipc"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{tmp_path}/out"


def reader(net: Any, up: Up, publisher: zmq.Socket[bytes]) -> Any:
    """An honest subscriber of ``news``, of whom the publisher knows."""
    socket = net.socket(zmq.SUB, connect=up.address("f.out"), subscribe=b"news")
    assert net.receive(publisher) == [b"\1news"]
    publisher.send(b"news 0")
    assert net.receive(socket) == [b"news 0"]
    return socket


@pytest.mark.parametrize("version", VERSIONS)
def test_a_topic_too_long_for_the_stack_of_a_thread_goes_nowhere(
    start: Callable[..., Up], net: Any, out: str, version: str
) -> None:
    up = start(FORWARDER % (out, "")).ready()
    publisher = net.socket(zmq.XPUB, connect=up.address("f.in"))
    honest = reader(net, up, publisher)
    with Stranger(up.address("f.out"), version) as stranger:
        stranger.subscribe(b"x" * LONG)
        stranger.subscribe(b"y" * 4097)
        stranger.subscribe(b"z" * 4096)
        assert net.receive(publisher) == [b"\1" + b"z" * 4096]
    assert net.receive(publisher) == [b"\0" + b"z" * 4096]
    publisher.send(b"news 1")
    assert net.receive(honest) == [b"news 1"]
    assert dropped("out_to_in") >= 2
    up.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_who_takes_back_what_he_never_had_takes_it_from_nobody(
    start: Callable[..., Up], net: Any, out: str, version: str
) -> None:
    up = start(FORWARDER % (out, "")).ready()
    publisher = net.socket(zmq.XPUB, connect=up.address("f.in"))
    honest = reader(net, up, publisher)
    with Stranger(up.address("f.out"), version) as stranger:
        stranger.unsubscribe(b"news")
        stranger.subscribe(b"news")
        stranger.unsubscribe(b"news")
        stranger.unsubscribe(b"news")
        stranger.unsubscribe_behind(b"\2", b"news")
        stranger.unsubscribe_behind(b"\0news", b"news")
        stranger.unsubscribe(b"nothing")
        synchronise(stranger, publisher.send)
        stranger.unsubscribe(b"news")
    net.until(lambda: b"\0sync" in told(publisher), "the end of the stranger's subscription")
    publisher.send(b"news 1")
    assert net.receive(honest) == [b"news 1"]
    honest.close(0)
    assert net.receive(publisher) == [b"\0news"]
    up.stop()


@pytest.mark.parametrize("option", ["xpub_verbose", "xpub_verboser"])
def test_a_forwarder_that_passes_on_every_subscription_still_takes_nothing_from_others(
    start: Callable[..., Up], net: Any, option: str
) -> None:
    up = start(FORWARDER % ("tcp://127.0.0.1:*", f", options: {{{option}: true}}")).ready()
    publisher = net.socket(zmq.XPUB, connect=up.address("f.in"), xpub_verbose=1)
    honest = reader(net, up, publisher)
    second = net.socket(zmq.SUB, connect=up.address("f.out"), subscribe=b"news")
    assert net.receive(publisher) == [b"\1news"]
    with Stranger(up.address("f.out")) as stranger:
        for _ in range(5):
            stranger.unsubscribe(b"news")
        synchronise(stranger, publisher.send)
    net.until(lambda: b"\0sync" in told(publisher), "the end of the stranger's subscription")
    publisher.send(b"news 1")
    assert net.receive(honest) == net.receive(second) == [b"news 1"]
    up.stop()


def test_nobody_is_cut_off_behind_two_forwarders(start: Callable[..., Up], net: Any) -> None:
    up = start("""
devices:
  f: {type: forwarder, run: process, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  g: {type: forwarder, in: {connect: f.out}, out: {bind: "tcp://127.0.0.1:*"}}
""").ready()
    publisher = net.socket(zmq.XPUB, connect=up.address("f.in"))
    far = net.socket(zmq.SUB, connect=up.address("g.out"), subscribe=b"news")
    assert net.receive(publisher) == [b"\1news"]
    for device in ("f", "g"):
        with Stranger(up.address(f"{device}.out")) as stranger:
            stranger.unsubscribe(b"news")
            synchronise(stranger, publisher.send)
        net.until(lambda: b"\0sync" in told(publisher), "the end of the stranger's subscription")
        publisher.send(b"news")
        assert net.receive(far) == [b"news"]
    far.close(0)
    assert net.receive(publisher) == [b"\0news"]
    up.stop()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("type_", ["PUB", "XPUB"])
def test_copies_go_on_whatever_a_stranger_does_to_a_monitor(
    start: Callable[..., Up], net: Any, type_: str, version: str
) -> None:
    up = start(MONITORED % type_).ready()
    push = net.socket(zmq.PUSH, connect=up.address("f.in"))
    pull = net.socket(zmq.PULL, connect=up.address("f.out"), rcvhwm=0)
    watching = net.socket(zmq.SUB, connect=up.address("f.mon"), subscribe=b"in", rcvhwm=0)

    def publish(message: bytes) -> None:
        push.send(message)
        net.receive(pull)

    def copies() -> bool:
        publish(b"first")
        return bool(watching.poll(10))

    net.until(copies, "a copy")
    with contextlib.suppress(ConnectionError), Stranger(up.address("f.mon"), version) as stranger:
        for _ in range(5):
            stranger.unsubscribe(b"in")
        stranger.subscribe(b"x" * LONG)
        synchronise(stranger, publish, b"in")
    publish(b"last")
    while net.receive(watching)[1] != b"last":
        continue
    up.stop()


def flood(address: str) -> None:
    with Stranger(address) as stranger:
        stranger.flood()


@contextlib.contextmanager
def flooded(address: str, strangers: int) -> Iterator[None]:
    """While so many subscribe and unsubscribe without end."""
    processes = [multiprocessing.get_context("fork").Process(target=flood, args=(address,)) for _ in range(strangers)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


@pytest.mark.parametrize("strangers", [1, 10])
def test_a_forwarder_moves_and_obeys_while_strangers_subscribe_without_end(
    start: Callable[..., Up], net: Any, strangers: int
) -> None:
    up = start(FORWARDER % ("tcp://127.0.0.1:*", "")).ready()
    publisher = net.socket(zmq.XPUB, connect=up.address("f.in"))
    honest = reader(net, up, publisher)
    with flooded(up.address("f.out"), strangers), connect("it") as asked:
        for _ in range(5):
            for number in range(200):
                publisher.send(b"news %d" % number)
            assert [net.receive(honest) for _ in range(200)] == [[b"news %d" % number] for number in range(200)]
            begun = time.monotonic()
            assert asked.ask("pause", "f", timeout=DEADLINE)["ok"]
            assert time.monotonic() - begun < 2, "it is too slow to obey"
            assert asked.ask("resume", "f", timeout=DEADLINE)["ok"]
    up.stop()


@pytest.mark.parametrize("type_", ["PUB", "XPUB"])
def test_a_monitor_slows_nothing_while_strangers_subscribe_to_it_without_end(
    start: Callable[..., Up], net: Any, type_: str
) -> None:
    up = start(MONITORED % type_).ready()
    push = net.socket(zmq.PUSH, connect=up.address("f.in"))
    pull = net.socket(zmq.PULL, connect=up.address("f.out"))
    with flooded(up.address("f.mon"), 2):
        for number in range(2000):
            push.send(b"%d" % number)
            assert net.receive(pull) == [b"%d" % number]
    up.stop()
