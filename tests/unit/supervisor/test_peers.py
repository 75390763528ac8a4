"""Asking the workers who is connected: nobody waits for one that does not answer."""

from __future__ import annotations

from typing import Any, cast

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.commands import CommandError, UnknownDeviceError
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.supervisor.devices.peers import ANSWER_TIMEOUT, PeerInquiries, PeersRequest, UnknownPeerError
from zmqtopo.supervisor.workers.pool import WorkerPool
from zmqtopo.worker.protocol import PeerDropped, PeersTold, TellPeers

FILE = """
devices:
  a: {type: streamer, run: process, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  b: {type: streamer, run: process, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  off: {type: streamer, run: process, peers: false, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""


class Workers:
    """Those of a pool, and what they are asked."""

    def __init__(self) -> None:
        self.pids = {"device a": 11, "device b": 12, "device off": 13}
        self.asked: list[tuple[str, Any]] = []

    def __contains__(self, name: str) -> bool:
        return name in self.pids

    def is_ending(self, name: str) -> bool:
        return False

    def order(self, device: Any, order: Any) -> None:
        self.asked.append((device.name, order))


class World:
    def __init__(self) -> None:
        from zmqtopo.broker.counters import CounterBlock

        topology = examine_text(FILE).topology
        assert topology is not None
        self.devices = {name: DeviceState(device, CounterBlock(), starts_together=True)
                        for name, device in topology.devices.items()}
        self.now = 100.0
        self.workers = Workers()
        self.inquiries = PeerInquiries(cast("WorkerPool", self.workers), lambda: self.devices, lambda: self.now)

    def ask(self, *devices: str, drop: str | None = None) -> PeersRequest:
        request = PeersRequest(devices, drop)
        self.inquiries.take(request)
        return request


@pytest.fixture
def world() -> World:
    return World()


def rows(*devices: str) -> tuple[dict[str, Any], ...]:
    return tuple({"device": device} for device in devices)


def test_all_answer_in_parts_and_come_in_the_order_of_the_file(world: World) -> None:
    request = world.ask("b", "a")
    assert world.workers.asked == [("a", TellPeers(1)), ("b", TellPeers(2))]
    world.inquiries.note(PeersTold(2, rows("b", "b")))
    world.inquiries.note(PeersTold(1, rows("a")))
    world.inquiries.note(PeersTold(1, (), is_last=True, left_out=3))
    assert not request.reply.done()
    world.inquiries.note(PeersTold(2, (), is_last=True))
    told = request.reply.result(0)
    assert [row["device"] for row in told["peers"]] == ["a", "b", "b"]
    assert [(device["name"], device["noted"]) for device in told["devices"]] == [("a", "yes"), ("b", "yes")]
    assert told["left_out"] == 3
    assert not world.inquiries.deadlines


def test_one_that_does_not_answer(world: World) -> None:
    request = world.ask()
    world.inquiries.note(PeersTold(1, rows("a"), is_last=True))
    world.inquiries.note(PeersTold(3, (), is_last=True))
    assert world.inquiries.deadlines == [100 + ANSWER_TIMEOUT]
    world.now = 100 + ANSWER_TIMEOUT
    world.inquiries.act_on_time()
    told = request.reply.result(0)
    assert [row["device"] for row in told["peers"]] == ["a"]
    assert [device["noted"] for device in told["devices"]] == ["yes", "no answer", "off"]
    world.inquiries.note(PeersTold(2, rows("b"), is_last=True))       # too late for anybody


def test_one_that_ends_meanwhile(world: World) -> None:
    request = world.ask("a")
    world.inquiries.note_worker_ended("device a")
    assert request.reply.result(0)["peers"] == []


def test_an_unknown_device(world: World) -> None:
    error = world.ask("aa").reply.exception(0)
    assert isinstance(error, UnknownDeviceError)
    assert "did you mean a?" in str(error)
    assert world.workers.asked == []


@pytest.mark.parametrize(("cut", "words"), [
    (True, ""), (False, "has just gone by itself"), (None, "is not connected, or not any more")])
def test_a_peer_is_cut_off_by_its_own_worker(world: World, cut: bool | None, words: str) -> None:
    request = world.ask(drop="12.5")
    [(device, order)] = world.workers.asked
    assert (device, order.peer) == ("b", "12.5")
    world.inquiries.note(PeerDropped(order.number, cut))
    error = request.reply.exception(0)
    assert (str(error) if error is not None else "") == (f"peer 12.5 {words}" if words else "")
    assert cut or isinstance(error, UnknownPeerError)


def test_an_id_of_no_worker(world: World) -> None:
    assert isinstance(world.ask(drop="99.5").reply.exception(0), UnknownPeerError)


def test_a_worker_that_does_not_cut_off(world: World) -> None:
    request = world.ask(drop="12.5")
    world.now += ANSWER_TIMEOUT
    world.inquiries.act_on_time()
    assert str(request.reply.exception(0)) == "its process does not answer"


def test_the_end(world: World) -> None:
    request = world.ask()
    world.inquiries.end("it has ended")
    assert isinstance(request.reply.exception(0), CommandError)
