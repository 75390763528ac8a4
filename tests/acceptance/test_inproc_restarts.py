"""Devices that are joined over inproc have exactly one connection, whatever restarts meet."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

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
