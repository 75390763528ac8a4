"""Every pair of socket types that a proxy takes: what comes in on one side goes out on the other, again and again."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

from zmqtopo.checks.sockets import DEVICE_PAIRS
from zmqtopo.devices import ThreadDevice

PAIRS = sorted(DEVICE_PAIRS["proxy"])
MESSAGES = 3
STOP = 0.5
"""Seconds that a stop may take."""

PARTNERS = {"PAIR": "PAIR", "SUB": "PUB", "PUB": "SUB", "XPUB": "SUB", "XSUB": "PUB", "PULL": "PUSH", "PUSH": "PULL",
            "DEALER": "DEALER", "ROUTER": "DEALER", "REP": "REQ", "REQ": "REP"}
SENDERS = {"PAIR", "SUB", "XSUB", "DEALER", "ROUTER", "PULL", "REP"}
"""Types at which messages arrive that the other side is sent; REQ hears only what answers it."""


def flows(one: str, other: str) -> bool:
    """Whether messages go from a side of type ``one`` to the ``other`` by themselves."""
    if one == "XSUB" or other == "XSUB":
        return (one, other) == ("XSUB", "XPUB")
    if one == "REP":
        return other in ("PAIR", "DEALER", "ROUTER", "REQ")
    return one in SENDERS and other not in ("SUB", "PULL", "REP")


class Ends:
    """The two sides of a device and who speaks to them."""

    def __init__(self, net: Any, in_: str, out: str) -> None:
        self._net = net
        self.types = {"in": in_, "out": out}
        self.sockets: dict[str, Any] = {}
        device = ThreadDevice(zmq.QUEUE, zmq.SocketType[in_], zmq.SocketType[out])
        addresses = {}
        for role, type_ in self.types.items():
            named = {"routing_id": role.encode()} if PARTNERS[type_] == "DEALER" else {}
            socket, addresses[role] = net.end(zmq.SocketType[PARTNERS[type_]], **named)
            if PARTNERS[type_] == "SUB":
                socket.subscribe(b"")
            if type_ == "SUB":
                getattr(device, f"setsockopt_{role}")(zmq.SUBSCRIBE, b"")
            self.sockets[role] = socket
        self.device = net.start(device, **addresses)

    def go(self, one: str, other: str) -> None:
        """Messages from one side to the other, and the answers where one of them is a request."""
        source, target = self.sockets[one], self.sockets[other]
        answers = "REP" in (self.types[one], self.types[other]) or self.types[other] == "REQ"
        head = [other.encode()] if self.types[other] == "ROUTER" else []
        if head and answers:
            # A request to a peer that is not there yet is never answered; what a REP has not asked for is dropped.
            counters = self.device.counters
            if not counters.in_to_out.dropped + counters.out_to_in.dropped:
                target.send(b"")
                self._net.until(lambda: self.device.counters.in_to_out.dropped + self.device.counters.out_to_in.dropped)
        for number in range(MESSAGES):
            payload = f"{one}{number}".encode()
            message = self._across(source, target, [*head, payload], again=not answers)
            assert message[-1] == payload
            if not answers:
                continue
            target.send_multipart([*message[:-1], b"answer"] if self.types[other] != "ROUTER" else [b"answer"])
            if self.types[one] not in ("SUB", "PULL"):
                assert self._net.receive(source)[-1] == b"answer"

    def _across(self, source: Any, target: Any, message: list[bytes], *, again: bool) -> list[bytes]:
        """What arrives; sent anew until it does where a peer may not be there yet."""
        if not again:
            # A REQ asks once, when it has a peer; others may have to ask again, before the device is connected.
            once = source.type == zmq.REQ and self._said(source, message)
            self._net.until(lambda: (once or self._said(source, message)) and target.poll(1000), "an arrival")
        else:
            self._net.until(lambda: source.send_multipart(message) or target.poll(50), "an arrival")
        received: list[bytes] = target.recv_multipart(zmq.DONTWAIT)
        while received[-1] != message[-1]:      # an earlier one that was sent anew
            received = self._net.receive(target)
        return received

    @staticmethod
    def _said(source: Any, message: list[bytes]) -> bool:
        source.send_multipart(message)
        return True


@pytest.mark.parametrize(("in_", "out"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_every_pair(net: Any, in_: str, out: str) -> None:
    ends = Ends(net, in_, out)
    ways = [(one, other) for one, other in (("in", "out"), ("out", "in"))
            if flows(ends.types[one], ends.types[other])]
    assert ways
    for way in ways * 2:
        ends.go(*way)
    before = time.process_time()
    ends.device.pause(5)
    ends.device.resume(5)
    ends.device.stop(STOP)
    assert time.process_time() - before < STOP / 2      # a loop that spins takes all of it
    assert ends.device.error is None


def test_a_subscription_that_ends_at_a_sub_is_not_lost(net: Any) -> None:
    ends = Ends(net, "SUB", "XPUB")
    ends.go("in", "out")
    for topic in (b"a", b"b"):
        ends.sockets["out"].subscribe(topic)
    ends.sockets["out"].unsubscribe(b"a")
    ends.go("in", "out")
    assert ends.device.counters.out_to_in.dropped == 0


def test_router_raw_does_the_work_of_stream(net: Any) -> None:
    """A queue between clients of plain TCP and a DEALER, which answers to the client that it was asked by."""
    import socket as system

    with system.create_server(("127.0.0.1", 0)) as server:
        device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
        device.setsockopt_in(zmq.ROUTER_RAW, 1)
        worker, address = net.end(zmq.DEALER)
        net.start(device, **{"in": f"tcp://127.0.0.1:{server.getsockname()[1]}"}, out=address)
        client, _ = server.accept()
        with client:
            client.settimeout(5)
            for number in (b"1", b"2"):
                client.sendall(number)
                routing_id, *_, said = net.receive(worker)
                while said != number:       # an empty message tells of the connection
                    routing_id, *_, said = net.receive(worker)
                worker.send_multipart([routing_id, b"answer " + number])
                assert client.recv(100) == b"answer " + number
