"""Subscriptions survive: who has subscribed does nothing, whatever becomes of the forwarder in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.control.client import Client, connect

from .conftest import DEADLINE, Up

SUBSCRIBERS = 10
TOPICS = 1000
SHARED = 200
"""Of the topics of each, those that all have asked for."""


class Subscriber:
    """A SUB and what it wants."""

    def __init__(self, net: Any, address: str, name: str) -> None:
        self.name = name
        # By default libzmq lets 1,000 wait to be sent, and then loses what is subscribed or no longer.
        self.socket = net.socket(zmq.SUB, connect=address, rcvhwm=0, sndhwm=0)
        self.topics: set[str] = set()
        self.subscribe(f"all.{number:03}." for number in range(SHARED))
        self.subscribe(self.own(range(TOPICS - SHARED)))

    def own(self, numbers: range) -> Iterator[str]:
        """Topics that nobody else wants."""
        return (f"{self.name}.{number:03}." for number in numbers)

    def subscribe(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
            self.topics.add(topic)

    def unsubscribe(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self.socket.setsockopt(zmq.UNSUBSCRIBE, topic.encode())
            self.topics.remove(topic)


class Publisher:
    """An XPUB, and what it has been told is wanted."""

    def __init__(self, net: Any, socket: zmq.Socket[bytes]) -> None:
        self._net = net
        self._socket = socket
        self._wanted: set[str] = set()

    def is_told(self, subscribers: list[Subscriber]) -> None:
        """Read until what these subscribers want is wanted, and nothing else, while they wait for messages."""
        topics = {topic for subscriber in subscribers for topic in subscriber.topics}

        def is_right() -> bool:
            for subscriber in subscribers:
                subscriber.socket.poll(0)
            while self._socket.poll(0):
                message = self._socket.recv()
                topic = message[1:].decode()
                assert (topic in self._wanted) == (message[0] == 0), f"{message!r} is no news"
                self._wanted ^= {topic}
            return self._wanted == topics

        self._net.until(is_right, "what publishers are told")

    def publish(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._socket.send(topic.encode())


def kill(asked: Client, up: Up) -> Callable[[], object]:
    """The forwarder is killed and comes back by its policy; what waits until it has."""
    pid = asked.ask("ps")["devices"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    up.wait_for(f"f: ended: process {pid} ended by SIGKILL")
    return lambda: up.wait_for("f: running")


def stop(asked: Client, up: Up) -> Callable[[], object]:
    """An operator stops it and starts it again."""
    assert asked.ask("stop", "f", timeout=DEADLINE)["ok"]
    return lambda: asked.ask("start", "f", timeout=DEADLINE)


def restart(asked: Client, up: Up) -> Callable[[], object]:
    """An operator restarts it."""
    return lambda: asked.ask("restart", "f", timeout=DEADLINE)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize(("run", "interrupt"), [
    ("process", kill), ("process", stop), ("process", restart), ("thread", stop), ("thread", restart),
])
def test_subscribers_receive_again_and_publishers_know_what_is_wanted(
    start: Callable[..., Up], net: Any, tmp_path: Path, run: str, transport: str, interrupt: Any
) -> None:
    ends = {role: "tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{tmp_path}/{role}" for role in ("in", "out")}
    first, address = net.end(zmq.XPUB, transport, sndhwm=0)
    up = start(f"""
devices:
  f:
    type: forwarder
    run: {run}
    restart: {{backoff: [1s, 1s]}}
    in: {{bind: "{ends['in']}", connect: "{address}"}}
    out: {{bind: "{ends['out']}"}}
""").ready()
    # libzmq keeps what a peer has asked for across a connection that it makes anew, unless IMMEDIATE has it begin with
    # nothing each time: such a publisher would send what nobody wants any more, to a forwarder that throws it away.
    second = net.socket(zmq.XPUB, connect=up.address("f.in"), sndhwm=0, immediate=1)
    publishers = [Publisher(net, first), Publisher(net, second)]
    there = [Subscriber(net, up.address("f.out"), f"s{number}") for number in range(SUBSCRIBERS)]
    for publisher in publishers:
        publisher.is_told(there)
    for subscriber in there:
        subscriber.unsubscribe(["all.000.", *subscriber.own(range(50))])
    for subscriber in there[::2]:
        subscriber.unsubscribe(["all.001."])
    for publisher in publishers:
        publisher.is_told(there)
    ever = {topic for subscriber in there for topic in subscriber.topics}

    with connect("it") as asked:
        goes_on = interrupt(asked, up)
        there.pop().socket.close()
        for subscriber in there:
            subscriber.unsubscribe(["all.002.", *subscriber.own(range(50, 100))])
            subscriber.subscribe(subscriber.own(range(900, 950)))
        goes_on()
    publishers.append(Publisher(net, net.socket(zmq.XPUB, connect=up.address("f.in"), sndhwm=0)))
    for publisher in publishers:
        publisher.is_told(there)

    for subscriber in there:
        ever |= subscriber.topics
        subscriber.subscribe(["end"])
    for publisher in publishers:
        # What anybody has sent before this is here when this is: nothing else comes later.
        publisher.is_told(there)
        received: dict[str, list[str]] = {subscriber.name: [] for subscriber in there}
        every = sorted(ever)
        for first in range(0, len(every), 100):     # fewer than a queue has room for
            publisher.publish([*every[first : first + 100], "end"])
            for subscriber in there:
                while (topic := net.receive(subscriber.socket)[0].decode()) != "end":
                    received[subscriber.name].append(topic)
        assert received == {subscriber.name: sorted(subscriber.topics - {"end"}) for subscriber in there}
    up.stop()
