"""``zmqtopo peers``: who is connected, who could not get in, and who is cut off."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Control

CLIENT = "import sys, zmq; s = zmq.Context().socket(zmq.PUSH); s.connect(sys.argv[1]); sys.stdin.read()"

JOBS = f"devices:\n  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}\n"


def of(control: Control, *arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(control("peers", *arguments, "--format", "json", code=code))
    return told


def states(control: Control) -> list[tuple[str, str]]:
    return [(row["device"], row["state"]) for row in of(control)]


@pytest.fixture
def client() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """A program that connects, until it is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(address: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", CLIENT, address], stdin=subprocess.PIPE))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait(DEADLINE)
        assert each.stdin is not None
        each.stdin.close()


def test_who_is_connected_and_who_was(
    start: Callable[..., Any], control: Control, net: Any, client: Callable[[str], Any], tmp_path: Path
) -> None:
    start(f"""
devices:
  jobs:
    type: streamer
    in: {{bind: ["tcp://127.0.0.1:*", "ipc://{tmp_path}/in"]}}
    out: {ANY}
  away: {{type: forwarder, run: process, in: {{connect: "tcp://127.0.0.1:9"}}, out: {ANY}}}
""").ready()
    assert states(control) == [("away", "connecting")]
    programs = [client(control.address("jobs.in")), client(f"ipc://{tmp_path}/in")]
    net.until(lambda: [state for _, state in states(control)].count("connected") == 2)
    rows = of(control, "jobs")
    assert {row["socket"] for row in rows} == {"in"}
    over_tcp, = (row for row in rows if row["peer"])
    over_ipc, = (row for row in rows if not row["peer"])
    assert over_tcp["peer"].startswith("tcp://127.0.0.1:")
    assert over_tcp["rtt"] > 0
    assert over_ipc["uid"] == os.getuid()
    if sys.platform == "linux":
        assert [over_tcp["pid"], over_ipc["pid"]] == [program.pid for program in programs]
        assert all(row["program"].startswith("python") for row in rows)
    heads, *lines = control("peers").splitlines()
    assert heads.split() == ["DEVICE", "SOCKET", "PEER", "SINCE", "USER", "RTT", "BYTES", "IN/OUT", "UNTAKEN", "STATE",
                             "ID"]
    assert [line.split()[0] for line in lines] == ["jobs", "jobs", "away"]
    assert "tcp://127.0.0.1:9 " in lines[2]
    for program in programs:
        program.kill()
    net.until(lambda: states(control) == [("away", "connecting")])
    closed = of(control, "--closed")
    assert {row["id"] for row in closed} == {row["id"] for row in rows}
    assert all(row["reason"] == "disconnected" and row["until"] > row["since"] for row in closed)
    assert "disconnected" in control("peers", "jobs", "--closed")
    assert of(control, "away", "--closed") == []
    assert [row["state"] for row in of(control, "--sort", "state")] == ["connecting"]


def test_who_could_not_get_in(start: Callable[..., Any], control: Control, net: Any) -> None:
    secret = zmq.curve_keypair()[1].decode()
    up = start(f"""
devices:
  safe:
    type: streamer
    in: {{bind: "tcp://127.0.0.1:*", options: {{curve_server: true, curve_secretkey: "{secret}"}}}}
    out: {ANY}
""").ready()
    net.socket(zmq.PUSH, reconnect_ivl=-1, connect=up.address("safe.in"))
    host, port = up.address("safe.in").removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: it\r\n\r\n" * 4)
        with contextlib.suppress(ConnectionError):
            while stranger.recv(4096):
                continue
    net.until(lambda: len(of(control, "--failed")) == 2)
    reasons = {row["reason"] for row in of(control, "--failed")}
    assert "mechanism" in reasons
    assert control.ps()["safe"]["handshake_failures"]["in"]["mechanism"] == 1
    assert "CURVE or PLAIN" in control("peers", "--failed")
    up.wait_for("safe: in: handshake with ")
    told = [json.loads(line) for line in control("logs", "--format", "json").splitlines()]
    assert [line.get("event") for line in told].count("handshake-failed") == 2
    assert secret not in control("logs")


def test_a_log_is_not_flooded_and_counts_are_exact(start: Callable[..., Any], control: Control, net: Any) -> None:
    up = start(JOBS).ready()
    host, port = up.address("jobs.in").removeprefix("tcp://").split(":")
    for _ in range(60):
        socket.create_connection((host, int(port))).close()
    net.until(lambda: control.ps()["jobs"]["handshake_failures"]["in"]["incomplete"] == 60)
    told = [json.loads(line) for line in control("logs", "--format", "json").splitlines()]
    assert [line.get("event") for line in told].count("handshake-failed") == 5
    assert len(of(control, "--failed")) == 60
    assert up.stop().count("handshake with") == 5


def test_who_is_cut_off(start: Callable[..., Any], control: Control, net: Any, zmqtopo: Callable[..., Any]) -> None:
    up = start(JOBS).ready()
    pushes = [net.socket(zmq.PUSH, reconnect_ivl=10, connect=up.address("jobs.in")) for _ in range(2)]
    net.until(lambda: len(states(control)) == 2)
    first, second = of(control)
    ambiguous = zmqtopo("peers", "it", "--drop", "127.0.0.1")
    assert ambiguous.returncode == 2
    assert "2 peers can be meant by '127.0.0.1'; name one by its id" in ambiguous.stderr
    assert first["id"] in ambiguous.stderr
    unknown = zmqtopo("peers", "it", "--drop", first["peer"] + "9")
    assert unknown.returncode == 2
    assert f"there is no peer '{first['peer']}9'; did you mean {first['id']}: {first['peer']}" in unknown.stderr
    assert "is cut off from jobs.in" in control("peers", "--drop", first["peer"])
    assert [row["reason"] for row in net.until(lambda: of(control, "--closed"))] == ["dropped"]
    net.until(lambda: control.ps()["jobs"]["peers"]["in"] == 2)      # it has come again
    again = zmqtopo("peers", "it", "--drop", first["id"])
    assert (again.returncode, "there is no peer" in again.stderr) == (2, True)
    assert second["id"] in {row["id"] for row in of(control)}
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    for push in pushes:
        push.send(b"x")
    assert net.receive_all(pull, 2) == [[b"x"], [b"x"]]


@contextlib.contextmanager
def watching(*arguments: str) -> Iterator[Any]:
    """The command, which has had its first look."""
    command = [*COMMAND, "peers", "it", "--watch=100ms", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        too_late = threading.Timer(3 * DEADLINE, watch.kill)
        too_late.start()
        try:
            assert watch.stderr is not None
            assert watch.stderr.readline() == "zmqtopo: watching; 0 peers connected\n"
            yield watch
        finally:
            watch.kill()
            too_late.cancel()
            too_late.join()


def test_watching_through_a_restart_and_the_end(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(JOBS + f"  other: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}\n").ready()
    with watching("--format", "json") as watch:
        push = net.socket(zmq.PUSH, reconnect_ivl=10, connect=up.address("other.in"))
        net.until(lambda: control.ps()["other"]["peers"]["in"] == 1)
        seen = json.loads(watch.stdout.readline())
        assert (seen["event"], seen["device"], seen["socket"]) == ("peer-connected", "other", "in")
        os.kill(up.worker("device other"), signal.SIGKILL)
        told: list[dict[str, Any]] = []
        while [event["event"] for event in told].count("peer-connected") < 1:
            told.append(json.loads(watch.stdout.readline()))
        gone = [event for event in told if event["event"] == "peer-disconnected"]
        assert [event["id"] for event in gone] == [seen["id"]]
        push.close(0)
        while told[-1]["event"] != "peer-disconnected":
            told.append(json.loads(watch.stdout.readline()))
        up.stop()
        assert watch.wait(DEADLINE) == 0
        assert "Traceback" not in watch.stderr.read()


def test_watching_until_nobody_reads(start: Callable[..., Any]) -> None:
    start(JOBS).ready()
    with watching() as watch:
        watch.stdout.close()
        assert watch.wait(DEADLINE) == 141
        assert watch.stderr.read() == ""


def test_a_worker_that_does_not_answer(
    start: Callable[..., Any], control: Control, net: Any, zmqtopo: Callable[..., Any]
) -> None:
    up = start(JOBS + f"  hung: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}\n").ready()
    net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    net.until(lambda: control.ps()["jobs"]["peers"]["in"] == 1)
    worker = up.worker("device hung")
    os.kill(worker, signal.SIGSTOP)
    try:
        done = zmqtopo("peers", "it", "--format", "json")
        assert (done.returncode, [row["device"] for row in json.loads(done.stdout)]) == (1, ["jobs"])
        assert done.stderr == "zmqtopo: error: no answer from the process of hung\n"
        assert [row["state"] for row in of(control, "jobs")] == ["connected"]     # who asks for others is not concerned
    finally:
        os.kill(worker, signal.SIGCONT)
    up.stop()


def test_peers_that_are_not_noted(start: Callable[..., Any], control: Control, zmqtopo: Callable[..., Any], net: Any,
                                  ) -> None:
    up = start("peers: false\n" + JOBS + f"  noted: {{type: streamer, peers: true, in: {ANY}, out: {ANY}}}\n").ready()
    for name in ("jobs", "noted"):
        net.socket(zmq.PUSH, connect=up.address(f"{name}.in"))
    net.until(lambda: control.ps()["noted"]["peers"]["in"] == 1)
    jobs = control.ps()["jobs"]
    assert [jobs[key] for key in ("peers", "connections", "handshake_failures")] == [None] * 3
    done = zmqtopo("peers", "it", "--format", "json")
    assert [row["device"] for row in json.loads(done.stdout)] == ["noted"]
    assert "peers are not tracked for jobs" in done.stderr
    for kind in ((), ("--closed",), ("--failed",)):
        alone = zmqtopo("peers", "it", "jobs", *kind)
        assert (alone.returncode, alone.stdout, alone.stderr) == (0, "", "zmqtopo: peers are not tracked for jobs\n")


def test_a_reload_turns_it_off_and_on(start: Callable[..., Any], control: Control, tmp_path: Path, net: Any) -> None:
    start(JOBS).ready()
    assert control.ps()["jobs"]["peers"] == {"in": 0, "out": 0}
    file = tmp_path / "it.yaml"
    file.write_text("defaults: {peers: false}\n" + JOBS)
    assert "jobs.peers true -> false (new sockets)" in control("reload")
    assert control.ps()["jobs"]["peers"] is None
    file.write_text(JOBS)
    control("reload")
    net.socket(zmq.PUSH, connect=control.address("jobs.in"))
    net.until(lambda: control.ps()["jobs"]["peers"] == {"in": 1, "out": 0})


def test_what_is_not_there(start: Callable[..., Any], zmqtopo: Callable[..., Any]) -> None:
    nothing = zmqtopo("peers", "it")
    assert (nothing.returncode, "'it' is not running" in nothing.stderr) == (69, True)
    start(JOBS).ready()
    wrong = zmqtopo("peers", "it", "jbs")
    assert (wrong.returncode, wrong.stderr) == (2, "zmqtopo: error: there is no device 'jbs'; did you mean jobs?\n")
    assert zmqtopo("peers", "it", "--closed", "--failed").returncode == 2
    assert zmqtopo("peers", "it", "--sort", "siez").returncode == 2
    nobody = zmqtopo("peers", "it")
    assert (nobody.returncode, nobody.stdout, nobody.stderr) == (0, "", "zmqtopo: nobody is connected\n")
    for kind in ("closed", "failed"):
        assert zmqtopo("peers", "it", f"--{kind}").stderr == f"zmqtopo: no {kind} connections\n"


def test_a_narrow_terminal(start: Callable[..., Any], net: Any, control: Control) -> None:
    up = start(JOBS).ready()
    net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    net.until(lambda: control.ps()["jobs"]["peers"]["in"] == 1)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 40, 0, 0))
    # readline, which pytest imports, has put COLUMNS where only programs that inherit the environment see it.
    done = subprocess.run([*COMMAND, "peers", "it"], stdout=theirs, stderr=subprocess.PIPE, check=True, timeout=30,
                          env=dict(os.environ))
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):      # nobody writes there any more
        while chunk := os.read(ours, 4096):
            said += chunk
    os.close(ours)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.decode().splitlines()]
    assert done.stderr == b""
    assert len(lines) == 2
    assert all(len(line) <= 40 for line in lines), lines
    assert "127.0.0.1" in lines[1]
