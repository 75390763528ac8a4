"""``zmqtopo down``, and what is said of a stop that ran out of time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY, SMALL, TOPOLOGY
from .conftest import COMMAND, DEADLINE, Control

Run = Callable[..., subprocess.CompletedProcess[str]]


# -- down -------------------------------------------------------------------------------------------------------------


def test_down_ends_what_runs_in_a_terminal(start: Callable[..., Any], zmqtopo: Run) -> None:
    up = start(TOPOLOGY).ready()
    done = zmqtopo("down", "it.yaml", "--format", "json")
    assert [device["state"] for device in json.loads(done.stdout)] == ["stopped"] * 4
    assert "jobs: stopped; 0 messages" in up.end(0)


def test_the_name_is_free_after_down(in_background: Callable[..., Any], control: Control) -> None:
    for _ in range(2):
        assert in_background(TOPOLOGY).returncode == 0
        control("down")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="where nobody is told of the end of a process")
@pytest.mark.parametrize("options", [(), ("--force",)])
def test_the_process_has_ended_when_down_returns(
    in_background: Callable[..., Any], control: Control, options: tuple[str, ...]
) -> None:
    for _ in range(3):
        in_background(f"devices: {{a: {{type: streamer, in: {ANY}, out: {ANY}}}}}")
        process = Path(f"/proc/{control.ps()['a']['pid']}/stat")
        control("down", *options)
        try:
            state = process.read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        assert state in "ZX"


def test_down_with_messages_that_nobody_takes(start: Callable[..., Any], control: Control, net: Any) -> None:
    text = f"devices: {{a: {{type: streamer, stop_timeout: 1h, in: {SMALL}, out: {SMALL}}}}}"
    up = start(text).ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"), sndhwm=1)
    net.fill(push, [bytes(10_000)])
    patient = subprocess.Popen([*COMMAND, "down", "it"], stdout=subprocess.PIPE)
    up.wait_for("stopping")
    assert control.states(code=1) == {"a": "stopping"}
    refused = control._run("restart", "it")
    assert (refused.returncode, refused.stderr) == (1, "zmqtopo: error: it is stopping\n")
    assert "dropped" in control("down", "--force")
    assert b"dropped" in patient.communicate(timeout=DEADLINE)[0]
    assert patient.returncode == 0
    up.end(0)


def test_a_hundred_devices_with_messages_that_nobody_takes(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    runs = ["thread", "process/a", "process/b", "process/c"]
    up = start("defaults: {stop_timeout: 500ms}\ndevices:\n" + "".join(
        f"  d{i}: {{type: streamer, run: {runs[i % 4]}, in: {SMALL}, out: {SMALL}}}\n" for i in range(100)
    ))
    up.wait_for(": ready, ", within=30)
    stands_still = net.socket(zmq.PULL, rcvhwm=1)
    full = [f"d{i}" for i in range(0, 100, 10)]
    pushes = []
    for name in full:
        stands_still.connect(up.address(f"{name}.out"))
        pushes.append(net.socket(zmq.PUSH, connect=up.address(f"{name}.in"), sndhwm=1))
    seen: list[int] = []

    def nothing_moves() -> bool:
        for push in pushes:
            net.fill(push, [bytes(100_000)], quiet=0.02)
        counters = [device["counters"]["in_to_out"] for name, device in control.ps().items() if name in full]
        before, seen[:] = seen[:], [of_one["messages"] for of_one in counters]
        return seen == before and all(of_one["waiting"] for of_one in counters)

    net.until(nothing_moves)
    began = time.monotonic()
    said = control("down")
    assert time.monotonic() - began < 10
    assert said.count(": stopped; ") == 100
    over = [line for line in said.splitlines() if "it ended before it had passed on everything" in line]
    for name in full:       # a busy machine may leave others without time too
        assert any(line.startswith(f"{name}: ") for line in over)
    up.end(0)


def test_down_while_it_starts(start: Callable[..., Any], control: Control, state_folders: Path, net: Any) -> None:
    up = start("devices:\n" + "".join(
        f"  d{i}: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}\n" for i in range(20)
    ))
    net.until(lambda: (state_folders / "zmqtopo/it/control").exists())
    assert control("down").count(": stopped; ") == 20
    up.end(0)


# -- a stop out of time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["thread", "process"])
def test_what_a_stop_out_of_time_loses_is_counted(
    start: Callable[..., Any], control: Control, net: Any, run: str
) -> None:
    text = f"devices: {{a: {{type: streamer, run: {run}, stop_timeout: 200ms, in: {ANY}, out: {ANY}}}}}"
    up = start(text).ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    for number in range(700):
        push.send(b"%d" % number)
    pull = net.socket(zmq.PULL, rcvhwm=1)
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["waiting"])
    del pull
    said = up.stop()
    assert "0 messages in to out, 0 out to in, 700 dropped, it ended before it had passed on everything" in said


@pytest.mark.parametrize("run", ["thread", "process"])
def test_what_could_not_be_sent_is_told(start: Callable[..., Any], control: Control, net: Any, run: str) -> None:
    out = '{bind: "tcp://127.0.0.1:*", options: {sndbuf: 4kB}}'
    up = start(f"devices: {{a: {{type: streamer, run: {run}, stop_timeout: 300ms, in: {ANY}, out: {out}}}}}").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"), rcvhwm=1, rcvbuf=4096)
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    for _ in range(500):
        push.send(bytes(10_000))
    net.receive(pull)
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["messages"] == 500)
    said = up.stop()
    # A busy machine may take until its time is over to end it, and then another line says so.
    line = next(line for line in said.splitlines() if "a: stopped; 500 messages in to out" in line)
    assert "which libzmq had yet to send" in line or "what libzmq had yet to send" in line
    assert "possibly lost" in line


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_forced_end_claims_no_losses_where_nothing_has_passed(
    start: Callable[..., Any], control: Control, net: Any, run: str
) -> None:
    """Not even of a device that had passed on something before it was started once more."""
    up = start(f"devices: {{a: {{type: streamer, run: {run}, in: {ANY}, out: {ANY}}}, b: {{type: queue, in: {ANY}, "
               f"out: {ANY}}}}}").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    push.send(b"one")
    net.receive(pull)
    control("restart", "a")
    said = control("down", "--force")
    assert said == ("a: stopped; 1 message in to out, 0 out to in\n"
                    "b: stopped; 0 messages in to out, 0 out to in\n")
    assert "lost" not in up.end(0)


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_forced_end_says_what_may_be_lost_and_only_that_it_may(
    start: Callable[..., Any], control: Control, net: Any, run: str
) -> None:
    up = start(f"devices: {{a: {{type: streamer, run: {run}, in: {ANY}, out: {ANY}}}}}").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    for _ in range(3):
        push.send(b"one")
        net.receive(pull)
    possibly = "up to 3 for each peer, which libzmq had yet to send, are possibly lost"
    assert control("down", "--force") == f"a: stopped; 3 messages in to out, 0 out to in, {possibly}\n"
    assert possibly in up.end(0)
