"""Who is connected to sockets: real clients, strangers, and ends that are not there."""

from __future__ import annotations

import os
import socket as system
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.broker.counters import CounterBlock, PeerCounts
from zmqtopo.broker.peers import PeerMonitor


class Watched:
    """Sockets of a device d whose peers are noted."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.notes: list[tuple[str, str, str]] = []
        self.monitor = PeerMonitor(net.context, lambda *note: self.notes.append(note))
        self.block = CounterBlock()
        self.sockets: dict[str, Any] = {}

    def attach(self, **sockets: Any) -> None:
        self.sockets = sockets
        assert self.monitor.attach("d", sockets, self.block)

    def counts(self, role: str = "in") -> PeerCounts:
        peers = self.block.peers()
        assert peers is not None
        return peers[role]

    def rows(self, *, past: bool = False) -> list[dict[str, Any]]:
        """What is told of the connections, or of those that are no more."""
        found: list[dict[str, Any]] = []
        done = threading.Event()

        def tell() -> None:
            if past:
                found.extend(self.monitor.histories["d"].rows())
            else:
                found.extend(row for table in self.monitor.devices["d"].tables.values() for row in table.rows())
            done.set()

        assert self.monitor.call(tell)
        assert done.wait(10)
        return found

    def close(self) -> None:
        self.monitor.detach("d", self.sockets)
        self.monitor.close()


@pytest.fixture
def watched(net: Any) -> Iterator[Watched]:
    watched = Watched(net)
    yield watched
    watched.close()


def listening(watched: Watched, type_: int, transport: str = "tcp", **options: Any) -> str:
    """A socket of the device that binds, as its in."""
    socket = watched.net.socket(type_, **options)
    watched.attach(**{"in": socket})
    socket.bind(watched.net.address(transport))
    address: str = socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
    return address


def call(address: str) -> system.socket:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return system.create_connection((host, int(port)))


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_client_comes_and_goes(watched: Watched, net: Any, transport: str) -> None:
    address = listening(watched, zmq.PULL, transport)
    push = net.socket(zmq.PUSH, connect=address)
    net.until(lambda: watched.counts() == PeerCounts(1, 1))
    [row] = watched.rows()
    assert (row["device"], row["socket"], row["side"], row["state"]) == ("d", "in", "bind", "connected")
    if transport == "ipc":
        assert (row["peer"], row["pid"], row["uid"]) == (None, os.getpid(), os.getuid())
        assert "python" in row["program"]
        assert row["rtt"] is None
    else:
        assert row["peer"].startswith("tcp://127.0.0.1:")
        assert row["peer"] != address
        assert row["rtt"] > 0
        assert row["bytes_in"] >= 64
        assert row["retransmits"] == 0
    push.close(0)
    net.until(lambda: watched.counts() == PeerCounts(0, 1))
    assert watched.rows() == []
    [gone] = watched.rows(past=True)
    assert (gone["state"], gone["reason"], gone["id"]) == ("closed", "disconnected", row["id"])
    assert [event for _, event, _ in watched.notes] == ["peer-connected", "peer-disconnected"]


def test_who_sends_no_handshake_is_no_peer(watched: Watched, net: Any) -> None:
    """And who has completed one is told from others that are silent."""
    address = listening(watched, zmq.PULL)
    with call(address), call(address):
        net.until(lambda: len(watched.rows()) == 2)
        push = net.socket(zmq.PUSH, connect=address)
        net.until(lambda: watched.counts().now == 1)
        assert sorted(row["state"] for row in watched.rows()) == ["connected", "handshake", "handshake"]
        push.close(0)
        net.until(lambda: watched.counts() == PeerCounts(0, 1))
        assert [row["state"] for row in watched.rows(past=True)] == ["closed"]
    net.until(lambda: watched.counts().failures["incomplete"] == 2)
    assert [row["reason"] for row in watched.rows(past=True)] == ["disconnected", "incomplete", "incomplete"]


def test_strangers_are_counted_by_why_they_did_not_get_in(watched: Watched, net: Any) -> None:
    public, secret = zmq.curve_keypair()
    address = listening(watched, zmq.PULL, curve_server=True, curve_secretkey=secret, handshake_ivl=200)

    def failures() -> dict[str, int]:
        return {reason: count for reason, count in watched.counts().failures.items() if count}

    net.socket(zmq.PUSH, reconnect_ivl=-1, connect=address)
    net.until(lambda: failures() == {"mechanism": 1})
    other, _ = zmq.curve_keypair()
    keys = {"curve_serverkey": other, "curve_publickey": public, "curve_secretkey": secret}
    net.socket(zmq.PUSH, reconnect_ivl=-1, connect=address, **keys)
    net.until(lambda: failures() == {"mechanism": 1, "key": 1})
    call(address).close()
    net.until(lambda: failures() == {"mechanism": 1, "key": 1, "incomplete": 1})
    with call(address):
        net.until(lambda: failures() == {"mechanism": 1, "key": 1, "incomplete": 1, "timeout": 1})
    told = watched.rows(past=True)
    assert [row["reason"] for row in told] == ["mechanism", "key", "incomplete", "timeout"]
    # Whose connection is over at once may be gone before anybody can ask who it was.
    assert all(row["peer"].startswith("tcp://127.0.0.1:") for row in told if row["peer"] is not None)
    assert told[-1]["peer"] is not None
    assert watched.counts().now == watched.counts().connections == 0
    assert [event for _, event, _ in watched.notes] == ["handshake-failed"] * 4


@pytest.mark.parametrize("status", [b"400", b"300"])
def test_who_is_refused_by_zap(watched: Watched, net: Any, status: bytes) -> None:
    handler = net.socket(zmq.REP)
    handler.bind("inproc://zeromq.zap.01")
    address = listening(watched, zmq.PULL, plain_server=True)
    net.socket(zmq.PUSH, plain_username=b"u", plain_password=b"p", reconnect_ivl=-1, connect=address)
    version, number, *_ = net.receive(handler)
    handler.send_multipart([version, number, status, b"no", b"", b""])
    net.until(lambda: watched.counts().failures["auth"] == 1)


def test_who_comes_while_another_one_is_refused(watched: Watched, net: Any) -> None:
    """libzmq holds that one for as long as its handshake may take."""
    handler = net.socket(zmq.REP)
    handler.bind("inproc://zeromq.zap.01")
    address = listening(watched, zmq.PULL, plain_server=True)

    def come(status: bytes) -> None:
        net.socket(zmq.PUSH, plain_username=b"u", plain_password=b"p", connect=address)
        version, number, *_ = net.receive(handler)
        handler.send_multipart([version, number, status, b"no", b"", b""])

    come(b"300")
    net.until(lambda: watched.counts().failures["auth"] == 1)
    come(b"200")
    net.until(lambda: watched.counts().now == 1)
    net.until(lambda: sorted(row["state"] for row in watched.rows()) == ["connected", "handshake"])
    refused = next(row for row in watched.rows() if row["state"] == "handshake")
    watched.monitor.cut_refused("d")
    net.until(lambda: refused["id"] in {row["id"] for row in watched.rows(past=True)})
    assert watched.counts().now == 1


def test_a_type_that_cannot_talk_to_it(watched: Watched, net: Any) -> None:
    """libzmq tells of no failure then, but ends the connection."""
    address = listening(watched, zmq.PULL)
    net.socket(zmq.SUB, reconnect_ivl=-1, connect=address)
    net.until(lambda: watched.counts().failures["protocol"] >= 1)
    assert watched.counts().now == 0
    assert "types of the sockets" in watched.rows(past=True)[0]["text"]


def test_an_end_that_is_not_there(watched: Watched, net: Any) -> None:
    address = net.address("tcp").replace("*", "1")
    here = net.socket(zmq.PUSH, reconnect_ivl=10)
    watched.attach(out=here)
    with system.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    watched.monitor.connecting("d", {"out": (address, "inproc://x")})
    here.connect(address)
    [row] = watched.rows()
    assert (row["state"], row["endpoint"], row["side"], row["peer"]) == ("connecting", address, "connect", None)
    pull = net.socket(zmq.PULL)
    pull.bind(address)
    net.until(lambda: watched.counts("out").now == 1)
    [up] = watched.rows()
    assert (up["state"], up["endpoint"], up["peer"]) == ("connected", address, address)
    pull.close(0)
    net.until(lambda: [row["state"] for row in watched.rows()] == ["connecting"])
    [again] = watched.rows()
    assert again["since"] > row["since"]


def test_a_name_that_has_become_a_number(watched: Watched, net: Any) -> None:
    _, address = net.end(zmq.PULL)
    named = address.replace("127.0.0.1", "localhost")
    here = net.socket(zmq.PUSH)
    watched.attach(out=here)
    watched.monitor.connecting("d", {"out": (named,)})
    here.connect(named)
    net.until(lambda: watched.counts("out").now == 1)
    [row] = watched.rows()
    assert row["state"] == "connected"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_peer_is_cut_off_and_comes_again(watched: Watched, net: Any, transport: str) -> None:
    address = listening(watched, zmq.PULL, transport)
    push = net.socket(zmq.PUSH, reconnect_ivl=10, connect=address)
    net.until(lambda: watched.counts().now == 1)
    [row] = watched.rows()
    results: list[bool | None] = []
    table = watched.monitor.devices["d"].tables["in"]
    watched.monitor.call(lambda: results.extend([table.drop("1.1"), table.drop(row["id"])]))
    net.until(lambda: watched.counts() == PeerCounts(1, 2))
    assert results == [None, True]
    [gone] = watched.rows(past=True)
    assert (gone["reason"], gone["id"]) == ("dropped", row["id"])
    push.send(b"x")
    assert net.receive(watched.sockets["in"]) == [b"x"]


def test_many_strangers_stop_nobody(watched: Watched, net: Any) -> None:
    """5,000 of them, of whom no event is read meanwhile: their queue has no limit, and the I/O thread goes on."""
    address = listening(watched, zmq.PULL, backlog=4096)      # else the kernel lets some of them wait for a second
    push = net.socket(zmq.PUSH, connect=address)
    push.send(b"first")
    assert net.receive(watched.sockets["in"]) == [b"first"]
    held = threading.Event()
    watched.monitor.call(held.wait)
    try:
        for _ in range(5):
            for _ in range(1000):
                call(address).close()
            push.send(b"y")
            assert net.receive(watched.sockets["in"]) == [b"y"]
        push.send(b"x")
        assert net.receive(watched.sockets["in"]) == [b"x"]
    finally:
        held.set()
    net.until(lambda: watched.counts().failures["incomplete"] == 5000)
    assert (watched.counts().now, watched.counts().connections) == (1, 1)
    assert len(watched.rows(past=True)) == 100


def test_its_thread_ends_with_the_context_of_a_program(net: Any) -> None:
    context: zmq.Context[Any] = zmq.Context()
    monitor = PeerMonitor(context, lambda *note: None)
    socket = context.socket(zmq.PULL)
    assert monitor.attach("d", {"in": socket}, CounterBlock())
    socket.close(0)
    context.term()
    assert not monitor.call(lambda: None)
    monitor.close()


def test_a_device_goes_on_without_where_there_is_no_room(net: Any) -> None:
    context: zmq.Context[Any] = zmq.Context()
    context.max_sockets = 2
    monitor = PeerMonitor(context, lambda *note: None)
    block = CounterBlock()
    with context.socket(zmq.PULL) as socket:
        assert not monitor.attach("d", {"in": socket}, block)
        assert block.peers() is None
        socket.bind("tcp://127.0.0.1:*")
        with net.context.socket(zmq.PUSH) as push:
            push.connect(socket.getsockopt_string(zmq.LAST_ENDPOINT))
            push.send(b"x")
            assert net.receive(socket) == [b"x"]
    monitor.close()
    context.term()


def test_counts_of_a_device_that_starts_again_go_on(watched: Watched, net: Any) -> None:
    address = listening(watched, zmq.PULL)
    push = net.socket(zmq.PUSH, reconnect_ivl=10, connect=address)
    net.until(lambda: watched.counts().now == 1)
    watched.monitor.detach("d", watched.sockets)
    watched.sockets["in"].close(0)
    net.until(lambda: watched.counts() == PeerCounts(0, 1))
    socket = net.socket(zmq.PULL)
    watched.attach(**{"in": socket})
    net.until(lambda: not _fails(lambda: socket.bind(address)))
    net.until(lambda: watched.counts() == PeerCounts(1, 2))
    assert [row["reason"] for row in watched.rows(past=True)] == ["stopped"]
    push.close(0)


def _fails(do: Any) -> bool:
    try:
        do()
    except zmq.ZMQError:
        return True
    return False
