"""The devices of one process: real sockets, told by orders, heard by events."""

from __future__ import annotations

import gc
import queue
import resource
import socket as system
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import zmq

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.checks import examine_text
from zmqtopo.config.model import ContextSettings, Device
from zmqtopo.loop._loop import LINE_WORDS
from zmqtopo.worker.host import Host
from zmqtopo.worker.protocol import (
    Bind,
    Bound,
    Connect,
    End,
    Event,
    Failed,
    Noted,
    Pause,
    Paused,
    Ready,
    Reconnect,
    Resume,
    Resumed,
    Stop,
    Stopped,
    Unsent,
)


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
        """The next event that is not about peers."""
        while isinstance(event := self.events.get(timeout=10), Noted):
            continue
        return event


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
    ready = told.connect(device)
    assert ready == Ready("d")
    thread, = (thread for thread in threading.enumerate() if thread.name == "zmqtopo d")
    assert isinstance(ready, Ready)
    assert ready.thread == thread.native_id
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
     "d.in: cannot bind ipc:///no/such/folder/file: No such file or directory; make the folder /no/such/folder"),
    ('{bind: "tcp://127.0.0.1:*", options: {plain_password: {file: /no/such/file}}}',
     "d.in: cannot read plain_password from /no/such/file: No such file or directory"),
])
def test_what_goes_wrong_names_device_socket_subject_and_reason(told: Told, in_: str, error: str) -> None:
    assert told.bind(streamer(in_, ANY)) == Failed("d", error)
    # Nothing of it is left: a second try is as good as the first.
    assert isinstance(told.bind(streamer(ANY, ANY)), Bound)


def test_a_secret_that_libzmq_refuses_is_not_told(told: Told, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("wrong-and-yet-secret")
    options = f"{{curve_server: true, curve_secretkey: {{file: {tmp_path}/key}}}}"
    failed = told.bind(streamer(f'{{bind: "tcp://127.0.0.1:*", options: {options}}}', ANY))
    assert isinstance(failed, Failed)
    assert failed.error == (f"d.in: cannot use {tmp_path}/key: curve_secretkey is not a valid key: it has 40 "
                            "characters of Z85, or 32 bytes")


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
    assert told.bind(streamer(ANY, ANY)) == Failed(
        "d", "d: cannot make its sockets: the file allows a process 1; raise max_sockets")
    told.host.end()


def test_there_is_room_for_more_devices_than_there_were_at_first(told: Told) -> None:
    """libzmq gives a context 1023 sockets, and no more once it has one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    device = streamer("{bind: inproc://in}", "{bind: inproc://out}")
    try:
        for number in range(600):
            order = {"in": (f"inproc://in{number}",), "out": (f"inproc://out{number}",)}
            told.host.execute(Bind(replace(device, name=f"d{number}"), order, CounterBlock()))
            assert isinstance(told.next(), Bound)
        told.host.abandon()
        assert {type(told.next()) for _ in range(600)} == {Stopped}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


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


# -- while it runs --------------------------------------------------------------------------------------------------


def running(told: Told, device: Device, net: Any, **options: int) -> tuple[Any, Any]:
    """A producer and a consumer, with these options, of a device that runs."""
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    assert told.connect(device) == Ready(device.name)
    return (net.socket(zmq.PUSH, connect=bound.endpoints["in"][0]),
            net.socket(zmq.PULL, connect=bound.endpoints["out"][0], **options))


def test_a_paused_device_takes_nothing_until_it_is_resumed(told: Told, net: Any) -> None:
    push, pull = running(told, streamer(ANY, ANY), net)
    for _ in range(2):
        told.host.execute(Pause("d"))
        assert told.next() == Paused("d")
    push.send(b"x")
    assert not pull.poll(100)
    told.host.execute(Resume("d"))
    assert told.next() == Resumed("d")
    assert net.receive(pull) == [b"x"]
    for name in ("d", "nobody"):
        told.host.execute(Pause(name))
        told.host.execute(Stop(name, 5))
    assert [told.next(), told.next()] == [Paused("d"), Stopped("d")]
    told.host.execute(Pause("d"))
    assert told.events.empty()


@pytest.mark.parametrize("then", [Resume("d"), Stop("d", 5), Stop("d", 0)], ids=["resume", "stop", "end"])
def test_a_device_that_starts_paused_takes_nothing_at_all(told: Told, net: Any, then: Resume | Stop) -> None:
    device = streamer(ANY, ANY)
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    push = net.socket(zmq.PUSH, connect=bound.endpoints["in"][0])
    pull = net.socket(zmq.PULL, connect=bound.endpoints["out"][0])
    for number in range(500):
        push.send(b"%d" % number)
    told.host.execute(Connect("d", {"in": (), "out": ()}, paused=True))
    assert told.next() == Ready("d")
    for _ in range(2):
        told.host.execute(Pause("d"))
        assert told.next() == Paused("d")
    assert not pull.poll(100)
    told.host.execute(then)
    assert told.next() == (Resumed("d") if isinstance(then, Resume) else Stopped("d"))
    if then != Stop("d", 0):
        assert [int(net.receive(pull)[0]) for _ in range(500)] == list(range(500))


@pytest.mark.parametrize("paused", [False, True])
def test_a_device_is_connected_again_while_it_runs(told: Told, net: Any, paused: bool) -> None:
    device = streamer("{connect: inproc://x}", ANY)
    bound = told.bind(device)
    assert isinstance(bound, Bound)
    told.connect(device)
    pull = net.socket(zmq.PULL, connect=bound.endpoints["out"][0])
    for number in range(3):
        with told.host.context.socket(zmq.PUSH) as push:
            net.until(lambda push=push: binds(push, "inproc://x"))
            if number:      # what it was connected to has been closed
                if paused:
                    told.host.execute(Pause("d"))
                    assert told.next() == Paused("d")
                told.host.execute(Reconnect("d", {"in": ("inproc://x",)}))
                if paused:
                    told.host.execute(Resume("d"))
                    assert told.next() == Resumed("d")
            assert push.poll(10_000, zmq.POLLOUT)
            push.send(b"%d" % number)
            assert net.receive(pull) == [b"%d" % number]


def binds(socket: Any, address: str) -> bool:
    try:
        socket.bind(address)
    except zmq.ZMQError:    # the last one is being closed
        return False
    return True


@pytest.mark.parametrize(("address", "rcvhwm", "least", "most"), [
    ("inproc://in", 0, 2000, 2000), ("tcp://127.0.0.1:*", 200, 200, 1000),
])
def test_what_a_device_that_is_ended_at_once_had_received_is_dropped(
    net: Any, context: zmq.Context[Any], address: str, rcvhwm: int, least: int, most: int
) -> None:
    told = Told(context=context)
    device = streamer(f'{{bind: "{address}", options: {{rcvhwm: {rcvhwm}}}}}', ANY)
    block = CounterBlock()
    binds = {s.role: tuple(address.text for address in s.bind) for s in device.sockets}
    told.host.execute(Bind(device, binds, block))
    bound = told.next()
    assert isinstance(bound, Bound)
    told.connect(device)
    push = net.socket(zmq.PUSH, connect=bound.endpoints["in"][0], sndhwm=0)
    for number in range(2000):
        push.send(b"%d" % number)
    net.until(lambda: block.read().in_to_out.waiting)
    told.host.execute(Stop("d", 0))
    assert told.next() == Stopped("d")
    # A batch is in hand, and the rest in the queue; what the kernel holds for a full queue has not been received.
    assert least <= block.read().in_to_out.dropped <= most
    assert block.read().in_to_out.messages == 0
    told.host.end()


@pytest.mark.parametrize("stops", [False, True])
def test_what_could_not_be_sent_in_time_is_told(net: Any, stops: bool) -> None:
    told = Told()
    device = streamer(ANY, '{bind: "tcp://127.0.0.1:*", options: {sndbuf: 4kB}}')
    push, pull = running(told, device, net, rcvhwm=1, rcvbuf=4096)      # neither it nor the kernel holds many
    for _ in range(500):
        push.send(bytes(10_000))
    net.receive(pull)
    if stops:
        told.host.execute(Stop("d", 0.5))
    else:
        net.receive_all(pull, 499)
        told.host.execute(Stop("d", 5))
    assert told.next() == Stopped("d")
    told.host.end()
    assert told.events.empty() != stops
    if stops:
        assert told.next() == Unsent("d")


def test_who_has_passed_on_nothing_has_left_nothing_unsent(net: Any) -> None:
    told = Told()
    idle = replace(streamer(ANY, ANY), name="idle")
    block = CounterBlock()
    block.memory.cast("q")[LINE_WORDS] = 5      # messages of an earlier run
    told.host.execute(Bind(idle, dict.fromkeys(("in", "out"), ("tcp://127.0.0.1:*",)), block))
    assert isinstance(told.next(), Bound)
    assert told.connect(idle) == Ready("idle")
    stuck = streamer(ANY, "{connect: tcp://127.0.0.1:9}")
    bound = told.bind(stuck)
    assert isinstance(bound, Bound)
    assert told.connect(stuck) == Ready("d")
    net.socket(zmq.PUSH, connect=bound.endpoints["in"][0]).send(b"x")
    net.until(lambda: told.host._devices["d"].broker.block.read().in_to_out.messages == 1)
    for name in ("d", "idle"):
        told.host.execute(Stop(name, 0.2))
    assert {told.next(), told.next()} == {Stopped("d"), Stopped("idle")}
    told.host.end()
    assert told.next() == Unsent("d")
    assert told.events.empty()


def test_an_address_is_bound_again_though_it_is_just_being_closed(told: Told, net: Any) -> None:
    device = streamer('{bind: ["tcp://127.0.0.1:*", "ipc://*"]}', ANY)
    bound = told.bind(device)
    for _ in range(20):
        assert isinstance(bound, Bound)
        told.connect(device)
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
        told.host.execute(Bind(device, bound.endpoints, CounterBlock()))
        again = told.next()
        assert again == bound
        bound = again


@pytest.mark.parametrize("had", [False, True], ids=["never bound", "bound before"])
def test_a_port_that_somebody_else_has_is_not_waited_for_again(
    told: Told, net: Any, had: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thread devices are bound in the thread that answers the operator."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(waited), sleep=waited.append)
    monkeypatch.setattr("zmqtopo.broker.rebind.time", clock)
    owner = net.socket(zmq.PULL)
    owner.bind("tcp://127.0.0.1:*")
    address = owner.getsockopt_string(zmq.LAST_ENDPOINT)
    device = streamer(ANY, f"{{bind: '{address}'}}")
    if had:
        owner.unbind(address)
        net.until(lambda: isinstance(told.bind(device), Bound))
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
        net.until(lambda: binds(owner, address))
        assert isinstance(told.bind(device), Failed)    # as it was closed here a moment ago, this may take its time
    before = len(waited)
    for _ in range(3):
        assert isinstance(told.bind(device), Failed)
    assert len(waited) == before


@pytest.mark.parametrize("then", ["is free", "is stopped", "is abandoned"])
def test_an_address_that_is_waited_for_keeps_no_other_device_waiting(
    told: Told, net: Any, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zmqtopo.broker.rebind.BIND_RETRY", 30)
    owner, address = net.end(zmq.PULL)
    waiting = streamer(ANY, f"{{bind: '{address}'}}")
    binds = {socket.role: tuple(a.text for a in socket.bind) for socket in waiting.sockets}
    told.host.execute(Bind(waiting, binds, CounterBlock(), patient=True))
    other = told.bind(replace(streamer(ANY, ANY), name="other"))
    assert isinstance(other, Bound)
    assert other.name == "other"
    if then == "is free":
        owner.close()
        bound = told.next()
        assert isinstance(bound, Bound)
        assert bound.endpoints["out"] == (address,)
        push = net.socket(zmq.PUSH, connect=bound.endpoints["in"][0])
        assert told.connect(waiting) == Ready("d")
        push.send(b"x")
        assert net.receive(net.socket(zmq.PULL, connect=address)) == [b"x"]
    elif then == "is stopped":
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
    else:
        told.host.abandon()
        assert {told.next(), told.next()} == {Stopped("d"), Stopped("other")}


@pytest.mark.slow    # a hundred rounds, of which not every one shows the fault
def test_who_connects_to_a_name_that_has_been_closed_waits_for_the_next_one(told: Told, net: Any) -> None:
    """Not for the socket that is just being closed: that connection would end with it."""
    device = streamer(ANY, "{bind: inproc://x}")
    bound = told.bind(device)
    for _ in range(100):
        told.connect(device)
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
        with told.host.context.socket(zmq.PULL) as pull:
            pull.connect("inproc://x")
            bound = told.bind(device)
            assert isinstance(bound, Bound)
            told.connect(device)
            with net.context.socket(zmq.PUSH) as push:
                push.connect(bound.endpoints["in"][0])
                push.send(b"x")
                assert net.receive(pull) == [b"x"]
        told.host.execute(Stop("d", 5))
        assert told.next() == Stopped("d")
        bound = told.bind(device)


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


def test_devices_that_are_no_more_are_forgotten(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqtopo.broker.rebind.CLOSED_RETENTION", 0)
    device = streamer(ANY, ANY)
    tracemalloc.start()
    try:
        for number in range(200):
            named = replace(device, name=f"d{number}")
            assert isinstance(told.bind(named), Bound)
            if number % 2:      # the others are stopped before they run
                assert told.connect(named) == Ready(named.name)
            told.host.execute(Stop(named.name, 0))
            assert told.next() == Stopped(named.name)
        gc.collect()    # CPython keeps freed tuples for the next ones, until a full collection
        files = ("worker/host", "broker/broker", "broker/rebind")
        ours = [tracemalloc.Filter(True, f"*/zmqtopo/{file}.py") for file in files]
        kept = tracemalloc.take_snapshot().filter_traces(ours)
    finally:
        tracemalloc.stop()
    assert sum(trace.size for trace in kept.traces) < 10_000     # a name alone has 51 bytes


@pytest.mark.parametrize("first", ["connects", "binds"])
def test_a_device_is_connected_once_whenever_the_supervisor_hears_of_it(told: Told, net: Any, first: str) -> None:
    """It is told to connect again, since its supervisor heard of the end of the other one after it had connected."""
    giver = replace(streamer(ANY, "{bind: inproc://x, type: PUB}"), name="giver")
    taker = streamer("{connect: inproc://x, type: SUB}", ANY)
    bound: dict[str, Bound] = {}
    for device in (taker, giver) if first == "connects" else (giver, taker):
        bound[device.name] = cast("Bound", told.bind(device))
        told.connect(device)
    told.host.execute(Reconnect("d", {"in": ("inproc://x",)}))
    push = net.socket(zmq.PUSH, connect=bound["giver"].endpoints["in"][0])
    pull = net.socket(zmq.PULL, connect=bound["d"].endpoints["out"][0])

    def arrives() -> bool:
        push.send(b"until the subscription is there")
        return bool(pull.poll(10))

    net.until(arrives)
    while pull.poll(100):
        pull.recv()
    push.send(b"once")
    assert net.receive(pull) == [b"once"]
    assert not pull.poll(100)
