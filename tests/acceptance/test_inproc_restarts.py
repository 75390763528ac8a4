"""Devices that are joined over inproc have exactly one connection, whatever restarts meet."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

from .conftest import COMMAND

PAIR = """
devices:
  a: {{type: streamer, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{{a}}}}}
  b: {{type: streamer, in: {{{b}}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
"""
PLACE = "bind: 'inproc://between'"


def joined(binder: str, folder: Path) -> zmqtopo.Topology:
    a, b = (PLACE, "connect: a.out") if binder == "a" else ("connect: b.in", PLACE)
    path = folder / "joined.yaml"
    path.write_text(PAIR.format(a=a, b=b))
    return zmqtopo.load(path)


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("binder", ["a", "b"])
def test_restarts_that_meet(binder: str, isolated: bool, net: Any, tmp_path: Path) -> None:
    with zmqtopo.up(joined(binder, tmp_path), isolated=isolated) as running:
        push = net.socket(zmq.PUSH, connect=running.address("a.in"))
        pull = net.socket(zmq.PULL, connect=running.address("b.out"))

        def restart(*names: str) -> None:
            with suppress(zmqtopo.CommandError):    # overtaken by the other one
                running.restart(*names)

        for turn in range(10):
            both = [threading.Thread(target=restart, args=names) for names in (("a",), ("b",), ("a", "b"))[turn % 2:]]
            for one in both:
                one.start()
            for one in both:
                one.join()
            running.start()
            # A second connection would take every second message, or bring none of them.
            push.send(b"%d" % turn)
            assert net.receive(pull) == [b"%d" % turn]
        assert not pull.poll(100)


def test_a_publisher_that_restarts_beside_its_subscriber_is_heard_once(net: Any, tmp_path: Path) -> None:
    """A second connection of a SUB brings every message twice."""
    path = tmp_path / "joined.yaml"
    path.write_text("""
devices:
  a: {type: forwarder, in: {type: SUB, bind: "tcp://127.0.0.1:*"}, out: {type: PUB, bind: "inproc://between"}}
  b: {type: forwarder, in: {type: SUB, connect: a.out}, out: {type: PUB, bind: "tcp://127.0.0.1:*"}}
""")
    with zmqtopo.up(path) as running:
        pub = net.socket(zmq.PUB, connect=running.address("a.in"))
        sub = net.socket(zmq.SUB, connect=running.address("b.out"), subscribe=b"")

        def restart(name: str) -> None:
            with suppress(zmqtopo.CommandError):
                running.restart(name)

        for turn in range(6):
            both = [threading.Thread(target=restart, args=(name,)) for name in "ab"]
            for one in both:
                one.start()
            for one in both:
                one.join()
            running.start()

            def is_heard(word: bytes = b"ping %d" % turn) -> bool:
                pub.send(word)
                return bool(sub.poll(10))

            net.until(is_heard)
            while sub.poll(150):
                sub.recv()
            pub.send(b"once %d" % turn)
            assert net.receive(sub) == [b"once %d" % turn]
            assert not sub.poll(30), "heard twice"


BACKLOG = """
name: joined
devices:
  a: {{type: streamer, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{{a}}}}}
  b:
    type: streamer
    in: {{{b}, options: {{rcvhwm: 10}}}}
    out: {{bind: "tcp://127.0.0.1:*", options: {{sndhwm: 1}}}}
"""


def backlog(binder: str) -> str:
    a, b = (PLACE, "connect: a.out") if binder == "a" else ("connect: b.in", PLACE)
    return BACKLOG.format(a=a, b=b)


def send(push: zmq.Socket[bytes], numbers: range) -> None:
    for number in numbers:
        push.send(b"%d" % number)


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("binder", ["a", "b"])
def test_a_restart_before_a_backlog_keeps_the_order(binder: str, isolated: bool, net: Any, tmp_path: Path) -> None:
    """What the new connection brings comes after what the old one has left."""
    path = tmp_path / "joined.yaml"
    path.write_text(backlog(binder))
    with zmqtopo.up(path, isolated=isolated) as running:
        push = net.socket(zmq.PUSH, connect=running.address("a.in"))

        def is_handed_on(least: int) -> bool:
            flow = running.counters()["a"].in_to_out
            return flow.messages >= least or flow.waiting

        for turn in range(3):
            send(push, range(turn * 100, turn * 100 + 100))
            net.until(lambda least=turn * 100 + 100: is_handed_on(least))
            if turn == 0:
                running.restart("a")
        pull = net.socket(zmq.PULL, connect=running.address("b.out"))
        assert [int(frames[0]) for frames in net.receive_all(pull, 300)] == list(range(300))


@pytest.mark.parametrize("binder", ["a", "b"])
def test_the_command_restarts_before_a_backlog(binder: str, net: Any, start: Any) -> None:
    up = start(backlog(binder), name="joined").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))

    def status() -> Any:
        listed = subprocess.run([*COMMAND, "ps", "joined", "--format", "json"], capture_output=True, check=True)
        return json.loads(listed.stdout)[0]["devices"]

    def is_handed_on(least: int) -> bool:
        flow = next(d for d in status() if d["name"] == "a")["counters"]["in_to_out"]
        return flow["messages"] >= least or flow["waiting"]

    send(push, range(100))
    net.until(lambda: is_handed_on(100))
    subprocess.run([*COMMAND, "restart", "joined", "a"], check=True, capture_output=True)
    send(push, range(100, 200))
    net.until(lambda: is_handed_on(200))
    pull = net.socket(zmq.PULL, connect=up.address("b.out"))
    assert [int(frames[0]) for frames in net.receive_all(pull, 200)] == list(range(200))
    up.stop()


BACKWARDS = """
devices:
  a:
    type: proxy
    in: {{type: DEALER, bind: "tcp://127.0.0.1:*", options: {{sndhwm: 1}}}}
    out: {{type: DEALER, {a}, options: {{rcvhwm: 10}}}}
  b: {{type: proxy, in: {{type: DEALER, {b}}}, out: {{type: DEALER, bind: "tcp://127.0.0.1:*"}}}}
"""


@pytest.mark.parametrize("binder", ["a", "b"])
def test_what_comes_back_keeps_its_order_too(binder: str, net: Any, tmp_path: Path) -> None:
    a, b = (PLACE, "connect: a.out") if binder == "a" else ("connect: b.in", PLACE)
    path = tmp_path / "joined.yaml"
    path.write_text(BACKWARDS.format(a=a, b=b))
    with zmqtopo.up(path) as running:
        worker = net.socket(zmq.DEALER, connect=running.address("b.out"))

        def is_handed_on(least: int) -> bool:
            flow = running.counters()["b"].out_to_in
            return flow.messages >= least or flow.waiting

        send(worker, range(100))
        net.until(lambda: is_handed_on(100))
        running.restart("b")
        send(worker, range(100, 200))
        net.until(lambda: is_handed_on(200))
        client = net.socket(zmq.DEALER, connect=running.address("a.in"))
        assert [int(frames[0]) for frames in net.receive_all(client, 200)] == list(range(200))


TWO_READERS = """
defaults: {{stop_timeout: 300ms}}
devices:
  a: {{type: streamer, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{{a}}}}}
  b: {{type: streamer, in: {{{b}}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
  c: {{type: streamer, in: {{{c}}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
"""


@pytest.mark.parametrize("sockets", [
    {"a": PLACE, "b": "connect: a.out", "c": "connect: a.out"},
    {"a": "connect: [b.in, c.in]", "b": PLACE, "c": "bind: 'inproc://other'"},
], ids=["a", "b"])
def test_a_backlog_of_another_reader_holds_nobody(sockets: dict[str, str], net: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(TWO_READERS.format(**sockets))
    with zmqtopo.up(path) as running:
        push = net.socket(zmq.PUSH, connect=running.address("a.in"))
        pull = net.socket(zmq.PULL, connect=running.address("b.out"))
        running.pause("c")
        send(push, range(10))
        net.until(lambda: running.counters()["b"].in_to_out.messages == 5)
        running.restart("a")
        send(push, range(10, 12))
        received = {int(frames[0]) for frames in net.receive_all(pull, 6)}
        assert received & {10, 11}


@pytest.mark.parametrize("binder", ["a", "b"])
def test_a_stop_does_not_wait_for_a_connection(binder: str, net: Any, tmp_path: Path) -> None:
    """What could not be passed on is counted when its time is over."""
    path = tmp_path / "joined.yaml"
    path.write_text("defaults: {stop_timeout: 500ms}\n" + backlog(binder))
    with zmqtopo.up(path) as running:
        push = net.socket(zmq.PUSH, connect=running.address("a.in"))
        send(push, range(100))
        net.until(lambda: running.counters()["a"].in_to_out.messages == 100)
        running.restart("a")
        send(push, range(100, 110))
        net.until(lambda: running.counters()["a"].in_to_out.waiting)
        begun = time.monotonic()
        running.stop_devices("a")
        assert time.monotonic() - begun < 5
        assert running.counters()["a"].in_to_out.dropped == 10
