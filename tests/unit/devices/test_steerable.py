"""The commands of a control socket, and those of the owner beside them."""

from __future__ import annotations

import multiprocessing
import struct
from typing import Any

import pytest
import zmq

from zmqtopo.devices import ProcessProxySteerable, ProxySteerable, ThreadProxySteerable

KINDS = pytest.mark.parametrize("kind", [ThreadProxySteerable, ProcessProxySteerable], ids=["thread", "process"])
QUIET = 200
"""Milliseconds after which a message that does not come is held to be waiting."""


class Steered:
    """A streamer between two sockets of the test, with a control socket."""

    def __init__(self, net: Any, kind: Any, ours: int, theirs: int) -> None:
        self.net = net
        self.device = kind(zmq.PULL, zmq.PUSH, zmq.PUB, theirs)
        if kind is ProcessProxySteerable:
            self.device._launch_class = multiprocessing.get_context("spawn").Process
        self.device.setsockopt_out(zmq.LINGER, 0)
        self.device.setsockopt_ctrl(zmq.LINGER, 0)
        for bind in (self.device.bind_in, self.device.bind_out, self.device.bind_ctrl):
            bind("tcp://127.0.0.1:*")
        self.device.start()
        self.device.wait_ready(10)
        addresses = self.device.endpoints
        self.push = net.socket(zmq.PUSH, connect=addresses["in"][0])
        self.pull = net.socket(zmq.PULL, connect=addresses["out"][0])
        self.ctrl = net.socket(ours, connect=addresses["ctrl"][0])

    def says(self, command: bytes) -> list[int]:
        self.ctrl.send(command)
        return [struct.unpack("=Q", frame)[0] for frame in self.net.receive(self.ctrl) if frame]

    def passes(self, *frames: bytes) -> None:
        self.push.send_multipart(frames)
        assert self.net.receive(self.pull) == [*frames]

    def waits(self) -> None:
        self.push.send(b"waiting")
        assert not self.pull.poll(QUIET)


@KINDS
def test_a_rep_answers_all(net: Any, kind: Any) -> None:
    it = Steered(net, kind, zmq.REQ, zmq.REP)
    it.passes(b"ab", b"cde")
    net.until(lambda: it.device.counters.in_to_out.messages == 1)
    assert it.says(b"STATISTICS") == [1, 5, 0, 0, 0, 0, 1, 5]
    assert it.says(b"PAUSE") == []
    it.waits()
    assert it.says(b"nonsense") == it.says(b"") == []
    assert it.says(b"RESUME") == []
    assert net.receive(it.pull) == [b"waiting"]
    it.device.pause()       # its owner can do the same
    it.waits()
    assert it.says(b"RESUME") == []
    assert net.receive(it.pull) == [b"waiting"]
    assert it.says(b"TERMINATE") == []
    it.device.join(10)
    assert it.device.done
    assert it.device.error is None
    it.device.stop()


@KINDS
def test_a_pair_answers_statistics_alone(net: Any, kind: Any) -> None:
    it = Steered(net, kind, zmq.PAIR, zmq.PAIR)
    it.ctrl.send(b"PAUSE")
    assert it.says(b"STATISTICS") == [0] * 8
    it.waits()
    it.ctrl.send(b"RESUME")
    assert net.receive(it.pull) == [b"waiting"]
    it.device.stop()        # TERMINATE is not the only way to end it
    assert it.device.done


@pytest.mark.parametrize(("ours", "theirs"), [(zmq.PUSH, zmq.PULL), (zmq.DEALER, zmq.DEALER), (zmq.XPUB, zmq.SUB)])
def test_other_types_of_control(net: Any, ours: int, theirs: int) -> None:
    device = ThreadProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUB, theirs)
    if theirs == zmq.SUB:
        device.setsockopt_ctrl(zmq.SUBSCRIBE, b"")
    ctrl, address = net.end(ours)
    device.setsockopt_ctrl(zmq.LINGER, 0)
    device.connect_ctrl(address)
    net.start(device)
    if theirs == zmq.SUB:
        net.receive(ctrl)
    for command in (b"STATISTICS", b"PAUSE", b"TERMINATE"):
        ctrl.send(command)
    device.join(10)
    assert device.done
    assert device.error is None


def test_what_cannot_be_passed_on_ends_with_its_time(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqtopo.devices.steerable.TERMINATE_TIMEOUT", 0.2)
    it = Steered(net, ThreadProxySteerable, zmq.REQ, zmq.REP)
    it.pull.close()
    it.push.send(b"for nobody")
    assert it.says(b"TERMINATE") == []
    it.device.join(10)
    assert it.device.done


def test_its_context_ends_it(net: Any) -> None:
    device = ThreadProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUB, zmq.REP)
    device.context_factory = zmq.Context
    device.start()
    device.wait_ready(10)
    device._context.term()
    device.join(10)
    assert device.done
    assert device.error is None


def test_without_a_type() -> None:
    device = ThreadProxySteerable(zmq.PULL, zmq.PUSH)
    device.start()
    with pytest.raises(TypeError, match="ctrl_type must be specified"):
        device.wait_ready(10)
    device.stop()
    with pytest.raises(TypeError, match="ctrl_type must be specified"):
        ProxySteerable(zmq.PULL, zmq.PUSH).start()
