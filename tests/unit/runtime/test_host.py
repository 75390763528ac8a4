"""The devices of one process: real sockets, told by orders, heard by events."""

from __future__ import annotations

import queue
import socket as system
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.checks import examine_text
from zmqtopo.config.model import ContextSettings, Device
from zmqtopo.devices.counters import CounterBlock
from zmqtopo.runtime.host import Host
from zmqtopo.runtime.orders import Bind, Bound, Connect, End, Event, Failed, Ready, Stop, Stopped


class Told:
    """A host and what it posts."""

    def __init__(self, settings: ContextSettings | None = None, context: zmq.Context[Any] | None = None) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.host = Host(settings or ContextSettings(), 2, self.events.put, context)

    def bind(self, device: Device) -> Event:
        binds = {s.role: tuple(address.text for address in s.bind) for s in device.sockets}
        self.host.execute(Bind(device, binds, CounterBlock()))
        return self.next()

    def connect(self, device: Device) -> Event:
        self.host.execute(Connect(device.name, {s.role: tuple(a.text for a in s.connect) for s in device.sockets}))
        return self.next()

    def next(self) -> Event:
        return self.events.get(timeout=10)


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.host.abandon()
    told.host.end()


def streamer(in_: str, out: str, **settings: str) -> Device:
    keys = {"type": "streamer", "in": in_, "out": out, **settings}
    text = "devices:\n  d:\n" + "".join(f"    {key}: {value}\n" for key, value in keys.items())
    topology = examine_text(text).topology
    assert topology is not None
    return topology.devices["d"]


ANY = '{bind: "tcp://127.0.0.1:*"}'


def test_a_life(told: Told, net: Any) -> None:
    device = streamer(ANY, ANY)
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    assert list(bound.endpoints) == ["in", "out"]
    assert told.connect(device) == Ready("d")
    push = net.socket(zmq.PUSH, connect=bound.endpoints["in"][0])
    pull = net.socket(zmq.PULL, connect=bound.endpoints["out"][0])
    push.send(b"x")
    assert net.receive(pull) == [b"x"]
    told.host.execute(Stop("d", 5))
    assert told.next() == Stopped("d")


def test_a_bound_device_that_never_ran_is_stopped_too(told: Told) -> None:
    bound = told.bind(streamer(ANY, ANY))
    assert isinstance(bound, Bound)
    told.host.execute(Stop("d", 5))
    assert told.next() == Stopped("d")


def test_stopping_what_is_not_there_says_nothing(told: Told) -> None:
    told.host.execute(Stop("d", 5))
    assert told.events.empty()


@pytest.mark.parametrize(("in_", "error"), [
    ('{bind: "tcp://203.0.113.1:5000"}',
     "d.in: cannot bind tcp://203.0.113.1:5000: Cannot assign requested address"),
    ("{bind: ipc:///no/such/folder/file}",
     "d.in: cannot bind ipc:///no/such/folder/file: No such file or directory"),
    ('{bind: "tcp://127.0.0.1:*", options: {plain_password: {file: /no/such/file}}}',
     "d.in: cannot read plain_password from /no/such/file: No such file or directory"),
])
def test_what_goes_wrong_names_device_socket_subject_and_reason(told: Told, in_: str, error: str) -> None:
    assert told.bind(streamer(in_, ANY)) == Failed("d", error)
    # Nothing of it is left: a second try is as good as the first.
    assert isinstance(told.bind(streamer(ANY, ANY)), Bound)


def test_a_secret_that_libzmq_refuses_is_not_told(told: Told, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("wrong-and-yet-secret")
    options = f"{{curve_secretkey: {{file: {tmp_path}/key}}}}"
    failed = told.bind(streamer(f'{{bind: "tcp://127.0.0.1:*", options: {options}}}', ANY))
    assert isinstance(failed, Failed)
    assert failed.error == "d.in: cannot set CURVE_SECRETKEY: Invalid argument"


def test_the_last_bind_that_fails_takes_the_first_with_it(told: Told, net: Any) -> None:
    _, taken = net.end(zmq.PULL)
    free = net.socket(zmq.PULL)
    free.bind("tcp://127.0.0.1:*")
    address = free.getsockopt_string(zmq.LAST_ENDPOINT)
    free.unbind(address)
    net.until(lambda: isinstance(told.bind(streamer(f"{{bind: [{address}, '{taken}']}}", ANY)), Failed))
    net.until(lambda: isinstance(told.bind(streamer(f"{{bind: {address}}}", ANY)), Bound))


def test_a_context_with_too_few_sockets(net: Any) -> None:
    told = Told(ContextSettings(max_sockets=1))
    assert told.bind(streamer(ANY, ANY)) == Failed("d", "d.out: cannot make a socket: Too many open files")
    told.host.end()


def test_a_given_context_is_left_alone(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    told = Told(context=context)
    device = streamer("{bind: inproc://x}", ANY)
    told.bind(device)
    told.connect(device)
    told.host.abandon()
    told.host.execute(End())
    assert not context.closed


def test_a_context_that_ends_ends_its_devices() -> None:
    context = zmq.Context[Any]()
    told = Told(context=context)
    device = streamer(ANY, ANY)
    told.bind(device)
    told.connect(device)
    context.term()
    assert told.next() == Stopped("d")


@pytest.mark.parametrize(("option", "stop", "expected"), [
    ("{linger: 60s}", 5, 5000),     # not longer than the stop
    ("{linger: -1}", 5, 5000),
    ("{linger: 300ms}", 5, 300),
    ("{}", 5, 5000),
    ("{linger: 60s}", 0, 0),        # at once
])
def test_a_stopped_socket_lingers_no_longer_than_its_stop_may_take(
    told: Told, option: str, stop: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = streamer(ANY, f'{{bind: "tcp://127.0.0.1:*", options: {option}}}')
    told.bind(device)
    told.connect(device)
    closed: list[int] = []
    close = zmq.Socket.close

    def record(socket: Any, linger: int | None = None) -> None:
        closed.append(socket.getsockopt(zmq.LINGER) if linger is None else linger)
        close(socket, linger)

    monkeypatch.setattr(zmq.Socket, "close", record)
    told.host.execute(Stop("d", stop))
    assert told.next() == Stopped("d")
    assert expected - 1000 < closed[1] <= expected


@pytest.mark.parametrize(("in_", "out"), [("SUB", "PUB"), ("XSUB", "XPUB")])
def test_subscriptions_for_a_publisher_that_has_gone_are_not_waited_for(in_: str, out: str, net: Any) -> None:
    told = Told()
    publisher, address = net.end(zmq.XPUB)
    device = streamer(f"{{type: {in_}, connect: '{address}'}}", f'{{type: {out}, bind: "tcp://127.0.0.1:*"}}',
                      type="forwarder")
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    told.connect(device)
    net.socket(zmq.SUB, connect=bound.endpoints["out"][0], subscribe=b"")
    assert net.receive(publisher) == [b"\1"]
    publisher.close()
    with system.socket() as listener:
        listener.setsockopt(system.SOL_SOCKET, system.SO_REUSEADDR, 1)
        listener.settimeout(10)
        net.until(lambda: listen(listener, address))
        listener.accept()[0].close()        # it tries again, so it knows that its publisher has gone
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
        started = time.monotonic()
        told.host.end()
        assert time.monotonic() - started < 2


def listen(listener: system.socket, address: str) -> bool:
    try:
        listener.bind(("127.0.0.1", int(address.rpartition(":")[2])))
    except OSError:
        return False
    listener.listen()
    return True


def test_abandoned_devices_end_at_once(net: Any) -> None:
    told = Told()
    device = streamer(ANY, ANY)
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    told.connect(device)
    push = net.socket(zmq.PUSH, connect=bound.endpoints["in"][0])
    push.send(b"never taken")
    told.host.abandon()
    assert told.next() == Stopped("d")
    told.host.end()
