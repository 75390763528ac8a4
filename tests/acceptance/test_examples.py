"""Every file in topologies/ does what its comments say: checked, drawn, and run with traffic of its pattern.

A port in them is ``${SOME_PORT:-NUMBER}``, so that `*` can take its place here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth

import zmqtopo
from zmqtopo.config.model import Address, Device, Peer, Reference, Topology
from zmqtopo.config.reference import nearest

FOLDER = Path(__file__).parents[2] / "topologies"
FILES = sorted(FOLDER.glob("*.yaml"))

AddressOf = Callable[[str], str]
"""``DEVICE.SOCKET`` to an address where it can be reached."""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Ports of the system's choice, keys, and a folder whose name leaves room in the path of an ipc address."""
    names = {name for path in FILES for name in re.findall(r"\$\{(\w+_PORT):-\d+\}", path.read_text("utf-8"))}
    with tempfile.TemporaryDirectory(prefix="zt") as folder:
        monkeypatch.setenv("KEYS", keys := tempfile.mkdtemp(prefix="keys"))
        assert run("keys", "new", f"{keys}/broker", f"{keys}/clients/alice").returncode == 0
        yield {**dict.fromkeys(names, "*"), "XDG_RUNTIME_DIR": folder, "KEYS": keys}
        shutil.rmtree(keys)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "zmqtopo", *arguments], capture_output=True, encoding="utf-8",
                          cwd=FOLDER, timeout=60, check=False)


# -- read ------------------------------------------------------------------------------------------------------------


def test_it_has_no_problem_at_all(path: Path) -> None:
    assert zmqtopo.check(path) == []
    done = run("validate", "--strict", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no problems in 1 file\n", "")


def test_an_editor_finds_the_schema(path: Path) -> None:
    modeline = path.read_text("utf-8").splitlines()[0]
    schema = modeline.removeprefix("# yaml-language-server: $schema=")
    assert (FOLDER / schema).read_text("utf-8") == run("schema").stdout


def test_no_two_of_them_want_the_same_port() -> None:
    ports = [port for path in FILES for port in re.findall(r"\$\{\w+_PORT:-(\d+)\}", path.read_text("utf-8"))]
    assert len(ports) == len(set(ports))


def test_every_port_can_be_chosen_from_outside(path: Path) -> None:
    rest = re.sub(r"\$\{\w+_PORT:-\d+\}", "*", path.read_text("utf-8"))
    assert re.findall(r"tcp://.*:\d+", rest) == []


def test_it_is_drawn(path: Path) -> None:
    done = run("graph", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f'digraph "{zmqtopo.load(path).name}" {{\n')
    for name in (*zmqtopo.load(path).devices, *zmqtopo.load(path).peers):
        assert f":{name}" in done.stdout
    if shutil.which("dot"):
        picture = subprocess.run(["dot", "-Tsvg"], input=done.stdout.encode(), capture_output=True, check=False)
        assert (picture.returncode, picture.stderr) == (0, b"")


def resolved(topology: Topology) -> Topology:
    """As ``config`` says it: an address in place of each reference to a socket whose address is fixed."""

    def connects(connect: tuple[Address | Reference, ...], owner: Device | Peer) -> tuple[Address | Reference, ...]:
        return tuple(
            Address(str(found), found) if isinstance(to, Reference) and (found := nearest(to, owner, topology)) else to
            for to in connect
        )

    def device(old: Device) -> Device:
        new = {s.role: replace(s, connect=connects(s.connect, old)) for s in old.sockets}
        return replace(old, in_=new["in"], out=new["out"], mon=new.get("mon"))  # type: ignore[arg-type]

    return replace(
        topology,
        devices={name: device(old) for name, old in topology.devices.items()},
        peers={name: replace(peer, connect=connects(peer.connect, peer)) for name, peer in topology.peers.items()},
    )


def test_the_effective_file_means_the_same(path: Path, tmp_path: Path) -> None:
    done = run("config", path)
    assert (done.returncode, done.stderr) == (0, "")
    effective = tmp_path / "effective.yaml"
    effective.write_text(done.stdout, encoding="utf-8")
    assert zmqtopo.check(effective) == []
    assert zmqtopo.load(effective) == resolved(zmqtopo.load(path))
    assert run("config", effective).stdout == done.stdout


# -- run -------------------------------------------------------------------------------------------------------------


def publish_until_heard(net: Any, publisher: Any, message: list[bytes], subscriber: Any) -> list[bytes]:
    """A subscription takes its time to travel, and nobody tells when it has come; the first message that came."""

    def heard() -> bool:
        publisher.send_multipart(message)
        return bool(subscriber.poll(10))

    net.until(heard, f"{message} at the subscriber")
    received: list[bytes] = subscriber.recv_multipart()
    return received


def pipeline(net: Any, address: AddressOf) -> None:
    producer = net.socket(zmq.PUSH, connect=address("collect.in"))
    consumer = net.socket(zmq.PULL, connect=address("deliver.out"))
    auditor = net.socket(zmq.SUB, connect=address("watch.mon"), subscribe=b"job", rcvhwm=100_000)
    assert publish_until_heard(net, producer, [b"first"], auditor) == [b"job", b"first"]
    jobs = [[str(number).encode(), b"", b"payload"] for number in range(5000)]
    for job in jobs:
        producer.send_multipart(job)
    assert [m for m in until_last(net, consumer, jobs[-1]) if m != [b"first"]] == jobs
    assert [m[1:] for m in until_last(net, auditor, [b"job", *jobs[-1]]) if m != [b"job", b"first"]] == jobs


def until_last(net: Any, socket: Any, last: list[bytes]) -> list[list[bytes]]:
    """All messages to this one."""
    messages = [net.receive(socket)]
    while messages[-1] != last:
        messages.append(net.receive(socket))
    return messages


def rpc(net: Any, address: AddressOf) -> None:
    clients = [net.socket(zmq.REQ, connect=address("requests.in")) for _ in range(4)]
    workers = [net.socket(zmq.REP, connect=address("requests.out")) for _ in range(2)]
    for turn in range(50):
        for number, client in enumerate(clients):
            client.send_multipart([b"question", b"%d of %d" % (turn, number)])
        for _ in clients:
            worker = net.until(lambda: next((w for w in workers if w.poll(0)), None), "a request")
            worker.send_multipart([b"answer", *worker.recv_multipart()])
        for number, client in enumerate(clients):
            assert net.receive(client) == [b"answer", b"question", b"%d of %d" % (turn, number)]


def pubsub(net: Any, address: AddressOf) -> None:
    publishers = [net.socket(zmq.PUB, connect=address("events.in")) for _ in range(2)]
    news = net.socket(zmq.SUB, connect=address("events.out"), subscribe=b"news.")
    everything = net.socket(zmq.SUB, connect=address("events.out"), subscribe=b"")
    for number, publisher in enumerate(publishers):
        source = b"%d" % number
        for subscriber in (everything, news):
            while publish_until_heard(net, publisher, [b"news.hello", source], subscriber) != [b"news.hello", source]:
                pass
        publisher.send_multipart([b"sport.", source])
        publisher.send_multipart([b"news.end", source])
        assert until_last(net, everything, [b"news.end", source])[-2] == [b"sport.", source]
        assert [b"sport.", source] not in until_last(net, news, [b"news.end", source])


def router_router(net: Any, address: AddressOf) -> None:
    alice = net.socket(zmq.DEALER, connect=address("switchboard.in"), routing_id=b"alice")
    bob = net.socket(zmq.DEALER, connect=address("switchboard.out"), routing_id=b"bob")
    carol = net.socket(zmq.DEALER, connect=address("switchboard.out"), routing_id=b"carol")
    monitor = net.socket(zmq.SUB, connect=address("switchboard.mon"), subscribe=b"")
    # A ROUTER drops what is for a peer that it does not know yet.
    for name, callee in ((b"bob", bob), (b"carol", carol)):
        assert publish_until_heard(net, alice, [name, b"are you there"], callee) == [b"alice", b"are you there"]
    publish_until_heard(net, alice, [b"bob", b"are you there"], monitor)
    alice.send_multipart([b"bob", b"hello", b"", b"you"])
    until_last(net, bob, [b"alice", b"hello", b"", b"you"])
    bob.send_multipart([b"alice", b"hello yourself"])
    assert net.receive(alice) == [b"bob", b"hello yourself"]
    copies = until_last(net, monitor, [b"answer", b"alice", b"bob", b"hello yourself"])
    assert [b"call", b"bob", b"alice", b"hello", b"", b"you"] in copies
    carol.send_multipart([b"alice", b"carol here"])
    assert net.receive(alice) == [b"carol", b"carol here"]


def processes(net: Any, address: AddressOf) -> None:
    reading = net.socket(zmq.PUSH, connect=address("intake.in"))
    archive = net.socket(zmq.PULL, connect=address("store.out"))
    screen = net.socket(zmq.SUB, connect=address("live.out"), subscribe=b"in")
    assert publish_until_heard(net, reading, [b"warm-up"], screen) == [b"in", b"warm-up"]
    # Few enough for every queue on the way to the screen: PUB drops what its HWM of 1000 has no room for.
    readings = [[str(number).encode()] for number in range(400)]
    for message in readings:
        reading.send_multipart(message)
    assert [m for m in until_last(net, archive, readings[-1]) if m != [b"warm-up"]] == readings
    assert [m[1:] for m in until_last(net, screen, [b"in", b"399"]) if m != [b"in", b"warm-up"]] == readings


def market_data(net: Any, address: AddressOf) -> None:
    feed = net.socket(zmq.PUB, connect=address("quotes.in"))
    europe = net.socket(zmq.SUB, connect=address("europe.out"), subscribe=b"")
    america = net.socket(zmq.SUB, connect=address("america.out"), subscribe=b"us.ibm")
    recorder = net.socket(zmq.PULL, connect=address("quotes.mon"))
    assert publish_until_heard(net, feed, [b"eu.sap", b"200"], europe) == [b"eu.sap", b"200"]
    assert publish_until_heard(net, feed, [b"us.ibm", b"250"], america) == [b"us.ibm", b"250"]
    for quote in ([b"us.aapl", b"230"], [b"uk.bp", b"5"], [b"us.ibm", b"251"], [b"eu.end"]):
        feed.send_multipart(quote)
    assert {m[0] for m in until_last(net, europe, [b"eu.end"])} <= {b"eu.sap", b"uk.bp", b"eu.end"}
    assert {m[0] for m in until_last(net, america, [b"us.ibm", b"251"])} == {b"us.ibm"}
    recorded = until_last(net, recorder, [b"quote", b"eu.end"])
    assert [b"quote", b"uk.bp", b"5"] in recorded
    assert [b"quote", b"us.aapl", b"230"] in recorded   # for which america had subscribed, and nobody behind it


def kv_events(net: Any, address: AddressOf) -> None:
    servers = {b"kv@pod-%d" % number: net.socket(zmq.PUB, connect=address("events.in"), sndhwm=100_000)
               for number in range(5)}
    routers = [net.socket(zmq.SUB, connect=address("events.out"), subscribe=b"kv@", rcvhwm=100_000) for _ in range(2)]
    auditor = net.socket(zmq.SUB, connect=address("events.out"), subscribe=b"", rcvhwm=100_000)
    readers = [*routers, auditor]
    hello = (1 << 64) - 1
    for topic, server in servers.items():
        for reader in readers:
            while publish_until_heard(net, server, [topic, hello.to_bytes(8), b""], reader)[0] != topic:
                pass
    batch = b"".join([bytes.fromhex("93 cb41d9000000000000 91 93 ac"), b"BlockRemoved", b"\x91\x2a\xa3GPU\0"])
    for number in range(1000):
        for topic, server in servers.items():
            server.send_multipart([topic, number.to_bytes(8), batch])
    for reader in readers:
        came: dict[bytes, list[int]] = {topic: [] for topic in servers}
        while any(not numbers or numbers[-1] != 999 for numbers in came.values()):
            topic, sequence, payload = net.receive(reader)
            if int.from_bytes(sequence) != hello:
                came[topic].append(int.from_bytes(sequence))
                assert payload == batch
        assert all(numbers == list(range(1000)) for numbers in came.values())


def secure(net: Any, address: AddressOf) -> None:
    keys = Path(os.environ["KEYS"])
    reader = net.socket(zmq.SUB, connect=address("events.out"), subscribe=b"")
    alice, stranger = net.socket(zmq.PUB), net.socket(zmq.PUB)
    alice.curve_publickey, alice.curve_secretkey = zmq.auth.load_certificate(keys / "clients" / "alice.key_secret")
    stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
    for publisher in (alice, stranger):
        publisher.curve_serverkey, _ = zmq.auth.load_certificate(keys / "broker.key")
        publisher.connect(address("events.in"))
    assert publish_until_heard(net, alice, [b"from alice"], reader) == [b"from alice"]
    stranger.send(b"from a stranger")
    alice.send(b"the end")
    assert [b"from a stranger"] not in until_last(net, reader, [b"the end"])


TRAFFIC: dict[str, Callable[[Any, AddressOf], None]] = {
    "kv-events": kv_events,
    "market-data": market_data,
    "pipeline": pipeline,
    "processes": processes,
    "pubsub": pubsub,
    "router-router": router_router,
    "rpc": rpc,
    "secure": secure,
}


def test_each_file_has_traffic_and_no_traffic_is_without_a_file() -> None:
    assert set(TRAFFIC) == {path.stem for path in FILES}


def test_it_runs_in_a_python_program(
    path: Path, environment: dict[str, str], net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with zmqtopo.up(path) as running:
        TRAFFIC[path.stem](net, running.address)
        assert set(running.states.values()) == {"running"}
        assert all(c.in_to_out.messages + c.out_to_in.messages for c in running.counters().values())
        net.close()
    assert set(running.states.values()) == {"stopped"}
    assert running.errors == {}


def test_it_runs_by_the_command(
    path: Path, environment: dict[str, str], net: Any, start: Callable[..., Any]
) -> None:
    up = start(path.read_text("utf-8"), name=path.stem, env=environment).ready()
    TRAFFIC[path.stem](net, up.address)
    net.close()
    up.stop()
    assert list(Path(environment["XDG_RUNTIME_DIR"]).iterdir()) == []
