"""The control socket of a topology under messages: what its clients do never reaches the devices."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY, SMALL, TOPOLOGY
from .conftest import COMMAND, DEADLINE, Control

Run = Callable[..., subprocess.CompletedProcess[str]]


class Stream:
    """Numbers through a device, one after the other, for as long as it is open."""

    def __init__(self, net: Any, up: Any) -> None:
        self._push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
        self._pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
        self._stop = threading.Event()
        self.count = 0
        self.wrong: list[bytes] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._push.send(b"%d" % self.count)
            if not self._pull.poll(int(DEADLINE * 1000)):
                self.wrong.append(b"nothing")
                return
            message = self._pull.recv()
            if message != b"%d" % self.count:
                self.wrong.append(message)
            self.count += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        assert self.wrong == []
        assert self.count


@pytest.fixture
def stream(net: Any) -> Iterator[Callable[[Any], Stream]]:
    streams: list[Stream] = []

    def stream(up: Any) -> Stream:
        streams.append(Stream(net, up))
        return streams[-1]

    yield stream
    for found in streams:
        found.close()


def connect(state_folders: Path, name: str = "it") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE)
    connection.connect(str(state_folders / "zmqtopo" / name / "control"))
    return connection


def test_it_is_its_owners_alone(start: Callable[..., Any], state_folders: Path) -> None:
    up = start(TOPOLOGY).ready()
    folder = state_folders / "zmqtopo/it"
    for path in (folder, folder.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.stat().st_uid == os.geteuid()
    assert sorted(path.name for path in folder.iterdir()) == ["control", "log", "pid", "source"]
    assert int((folder / "pid").read_text()) == up.process.pid
    up.stop()
    assert not folder.exists()


def test_the_language_as_it_is_documented(start: Callable[..., Any], state_folders: Path) -> None:
    up = start(TOPOLOGY).ready()
    with connect(state_folders) as connection, connection.makefile("rw", encoding="utf-8") as stream:
        greeting = json.loads(stream.readline())
        assert (greeting["zmqtopo"], greeting["name"], greeting["pid"]) == (1, "it", up.process.pid)

        def ask(**request: Any) -> dict[str, Any]:
            stream.write(json.dumps({"zmqtopo": 1, **request}) + "\n")
            stream.flush()
            response: dict[str, Any] = json.loads(stream.readline())
            return response

        assert [device["state"] for device in ask(verb="ps")["devices"]] == ["running"] * 4
        assert ask(verb="pause", devices=["jobs"]) == {"ok": True, "devices": [{"name": "jobs", "state": "paused"}]}
        assert ask(verb="stop", devices=["job"]) == {
            "ok": False, "reason": "unknown-device", "devices": [],
            "errors": ["there is no device 'job'; did you mean jobs?"],
        }
        assert ask(verb="paus")["errors"] == ["there is no verb 'paus'; did you mean pause?"]
        refused = ask(verb="ps", zmqtopo=2)
        assert (refused["ok"], refused["reason"]) == (False, "version")
        response = ask(verb="down")
        assert [device["state"] for device in response["devices"]] == ["stopped"] * 4
        assert stream.readline() == ""
    up.end(0)


def test_a_topology_of_another_release(start: Callable[..., Any], state_folders: Path, zmqtopo: Run) -> None:
    folder = state_folders / "zmqtopo/it"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control"))
        listener.listen()
        asked = subprocess.Popen([*COMMAND, "ps", "it"], stderr=subprocess.PIPE, text=True)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b'{"zmqtopo": 9, "name": "it", "release": "4.2"}\n')
            said = asked.communicate(timeout=DEADLINE)[1]
    assert asked.returncode == 1
    assert "it runs zmqtopo 4.2, whose control protocol has version 9; this one speaks version 1" in said


@pytest.mark.parametrize("seed", range(3))
def test_garbage_of_every_kind(
    start: Callable[..., Any], control: Control, state_folders: Path, stream: Callable[[Any], Stream], seed: int
) -> None:
    chance = random.Random(seed)
    up = start(TOPOLOGY).ready()
    running = stream(up)
    good = b'{"zmqtopo": 1, "verb": "ps"}\n'
    for _ in range(200):
        with connect(state_folders) as connection:
            data = b"".join(chance.choice([
                good, good[: chance.randrange(len(good))], chance.randbytes(chance.randrange(200)), b"\n", b"{}\n",
                b"[" * chance.randrange(3000), b'{"zmqtopo": 1, "verb": "stop", "devices": [null]}\n',
                b"x" * chance.choice([10, 100_000]),
            ]) for _ in range(chance.randrange(1, 6)))
            try:
                connection.sendall(data)
                if chance.random() < 0.5:
                    connection.recv(100)
            except OSError:
                continue
    assert set(control.states().values()) == {"running"}
    before = running.count
    assert set(control.states().values()) == {"running"}
    assert running.count > before


def test_a_hundred_clients_and_some_that_die_in_the_middle(
    start: Callable[..., Any], control: Control, state_folders: Path, stream: Callable[[Any], Stream]
) -> None:
    up = start(TOPOLOGY).ready()
    stream(up)
    crowd = [connect(state_folders) for _ in range(100)]
    for number, connection in enumerate(crowd):
        connection.sendall(b'{"zmqtopo": 1, "verb": "restart", "devices": ["calls", "one"]}\n')
        if number % 3 == 0:
            connection.close()
    states = control.states(code=None)
    assert states["jobs"] == "running"
    for connection in crowd:
        if connection.fileno() >= 0:
            with connection, connection.makefile() as lines:
                assert json.loads(lines.readline())["name"] == "it"
                # Another command in between has stopped what this one has started.
                assert "ok" in json.loads(lines.readline())
    assert set(json.loads(control("start", "--format", "json"))[0]) == {"name", "state"}
    assert set(control.states().values()) == {"running"}


def test_a_client_that_is_killed_while_it_waits(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(f"""
devices:
  a: {{type: streamer, stop_timeout: 1s, in: {SMALL}, out: {SMALL}}}
  b: {{type: queue, in: {ANY}, out: {ANY}}}
""").ready()
    net.fill(net.socket(zmq.PUSH, connect=up.address("a.in"), sndhwm=1), [bytes(10_000)])
    client = subprocess.Popen([*COMMAND, "restart", "it", "a"])
    net.until(lambda: control.states(code=None)["a"] == "stopping")
    client.kill()
    client.wait()
    # What was asked for is done all the same.
    up.wait_for("a: running")
    assert control.states() == {"a": "running", "b": "running"}
    up.stop()


def test_a_topology_that_stands_still_is_said_to(
    start: Callable[..., Any], zmqtopo: Run, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = start(TOPOLOGY).ready()
    up.send(signal.SIGSTOP)
    asked = subprocess.Popen([*COMMAND, "ps", "it"], stderr=subprocess.PIPE, text=True)
    assert asked.communicate(timeout=30)[1] == f"zmqtopo: error: it, process {up.process.pid}, does not answer\n"
    assert asked.returncode == 1
    # It hides none of the others.
    other = start(TOPOLOGY, name="other").ready()
    done = zmqtopo("ps")
    assert done.returncode == 1
    assert done.stderr == f"zmqtopo: error: it, process {up.process.pid}, does not answer\n"
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["TOPOLOGY", "other"]
    up.send(signal.SIGCONT)
    assert set(control.states().values()) == {"running"}
    up.stop()
    other.stop()


def test_clients_that_wait_keep_nobody_from_the_end(start: Callable[..., Any], net: Any, state_folders: Path) -> None:
    """A device that cannot pass on what it has does not stop before its time, and 200 wait for that."""
    up = start(f"devices:\n  a: {{type: streamer, stop_timeout: 60s, in: {ANY}, out: {SMALL}}}\n").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    net.fill(push, [b"x" * 1000])
    waiting = []
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE)
        client.connect(str(state_folders / "zmqtopo" / "it" / "control"))
        client.sendall(b'{"zmqtopo": 1, "verb": "stop"}\n')
        waiting.append(client)

    def run(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, verb, "it", *arguments], capture_output=True, text=True, timeout=DEADLINE,
                              check=False)

    assert json.loads(run("ps", "--format", "json").stdout)[0]["devices"][0]["state"] == "stopping"
    done = run("stop")
    assert (done.returncode, done.stderr) == (
        1, "zmqtopo: error: 100 clients wait for answers already; nothing was done, ask again\n")
    assert run("down", "--force").returncode == 0
    for client in waiting:
        client.close()
    up.end(0)
