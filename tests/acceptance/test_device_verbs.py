"""``zmqtopo stop``, ``start``, ``restart``, ``pause`` and ``resume``: what they do to real messages."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY, SMALL, TOPOLOGY, pump
from .conftest import Control, is_free

# -- stop, start, restart ---------------------------------------------------------------------------------------------


def test_devices_stop_and_start_and_keep_their_addresses(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    before = control.ps()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    pump(net, push, pull, range(100))
    assert control("stop", "jobs", "calls") == "jobs: stopped\ncalls: stopped\n"
    assert control("stop", "jobs") == "jobs: stopped\n"
    between = control.ps(code=1)
    assert {name: device["state"] for name, device in between.items()} == {
        "jobs": "stopped", "calls": "stopped", "one": "running", "two": "running",
    }
    assert between["jobs"]["endpoints"] == before["jobs"]["endpoints"]      # where it was, and will be again
    assert between["calls"]["pid"] is between["jobs"]["uptime"] is None
    for name in ("jobs.in", "jobs.out", "calls.in", "calls.out"):
        net.until(lambda name=name: is_free(up.address(name)))
    assert json.loads(control("start", "--format", "json")) == [
        {"name": name, "state": "running"} for name in ("jobs", "calls", "one", "two")
    ]
    after = control.ps()
    for name in before:
        assert after[name]["endpoints"] == before[name]["endpoints"]
        assert after[name]["restarts"] == 0
    assert after["calls"]["pid"] != before["calls"]["pid"]
    assert after["one"]["pid"] == before["one"]["pid"]
    pump(net, push, pull, range(100, 200))
    assert after["jobs"]["counters"]["in_to_out"]["messages"] == 100
    assert control.ps()["jobs"]["counters"]["in_to_out"]["messages"] == 200
    assert "jobs: stopped by a command of pid " in up.stop()


def test_everything_may_be_stopped_and_started_again(
    start: Callable[..., Any], control: Control, zmqtopo: Callable[..., Any], net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    control("stop")
    assert set(control.states(code=1).values()) == {"stopped"}
    for verb in ("pause", "resume"):
        done = zmqtopo(verb, "it")
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"zmqtopo: nothing to {verb}: no device runs\n"
    net.until(lambda: not up.workers())
    control("start")
    push = net.socket(zmq.PUSH, connect=up.address("one.in"))
    pull = net.socket(zmq.PULL, connect=up.address("two.out"))
    pump(net, push, pull, range(100))
    up.stop()


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("verbs", [("restart",), ("stop", "start")])
@pytest.mark.parametrize("run", ["thread", "process/g"])
def test_one_of_two_over_inproc_is_restarted(
    start: Callable[..., Any], control: Control, net: Any, name: str, verbs: tuple[str, ...], run: str
) -> None:
    up = start(TOPOLOGY.replace("process/g", run)).ready()
    push = net.socket(zmq.PUSH, connect=up.address("one.in"))
    pull = net.socket(zmq.PULL, connect=up.address("two.out"))
    pump(net, push, pull, range(100))
    for count in range(1, 4):
        for verb in verbs:
            control(verb, name)
        pump(net, push, pull, range(100 * count, 100 * count + 100))
    up.stop()


def test_a_name_of_the_systems_choice_stays_the_same(
    start: Callable[..., Any], control: Control, net: Any, tmp_path: Path
) -> None:
    up = start("devices:" + "".join(
        f"""
  {name}: {{type: streamer, run: {run}, in: {{bind: "ipc://*"}}, out: {{bind: "tcp://127.0.0.1:*"}}}}"""
        for name, run in (("a", "thread"), ("b", "process"))
    )).ready()
    for name in "ab":
        address = up.addresses[f"{name}.in"][0]
        push = net.socket(zmq.PUSH)
        push.connect(address if address.startswith("ipc:///") else f"ipc://{tmp_path}/{address.removeprefix('ipc://')}")
        pull = net.socket(zmq.PULL, connect=up.address(f"{name}.out"))
        pump(net, push, pull, range(10))
        for count in range(1, 4):
            control("restart", name)
            pump(net, push, pull, range(10 * count, 10 * count + 10))
        os.kill(control.ps()["b"]["pid"], signal.SIGKILL)
        up.wait_for("b: running")
    up.stop()


def test_a_whole_chain_is_restarted_and_loses_nothing(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(f"""
devices:
  c: {{type: streamer, in: {{connect: b.out}}, out: {ANY}}}
  b: {{type: streamer, run: process, in: {{connect: a.out}}, out: {ANY}}}
  a: {{type: streamer, in: {ANY}, out: {ANY}}}
""").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    pull = net.socket(zmq.PULL, connect=up.address("c.out"), rcvhwm=0)
    for number in range(2000):
        push.send(b"%d" % number)
    # All have been taken by the first, so a stop passes all of them on.
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["messages"] == 2000)
    control("restart")
    pump(net, push, pull, range(0))
    assert [int(net.receive(pull)[0]) for _ in range(2000)] == list(range(2000))
    pump(net, push, pull, range(2000, 2100))
    up.stop()


def test_a_device_that_cannot_start_again_says_why_and_is_tried_again(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    text = f"devices: {{a: {{type: streamer, restart: {{backoff: [200ms, 200ms]}}, in: {ANY}, out: {ANY}}}}}"
    up = start(text).ready()
    control("stop", "a")
    thief = net.socket(zmq.PULL)
    net.until(lambda: is_free(up.address("a.in")))
    thief.bind(up.address("a.in"))
    refused = control._run("start", "it", "a")
    assert refused.returncode == 1
    assert f"error: a.in: cannot bind {up.address('a.in')}: Address already in use" in refused.stderr
    assert "cannot bind" in control.ps(code=1)["a"]["error"]
    thief.close()
    up.wait_for("a: running")
    assert control.states() == {"a": "running"}
    up.stop()


def test_a_killed_device_is_seen(start: Callable[..., Any], control: Control, net: Any) -> None:
    up = start("defaults: {restart: {backoff: [10ms, 10ms]}}\n" + TOPOLOGY).ready()
    pid = control.ps()["calls"]["pid"]
    os.kill(pid, signal.SIGKILL)
    up.wait_for("calls: running")
    calls = control.ps()["calls"]
    assert (calls["restarts"], calls["error"]) == (1, f"calls: process {pid} ended by SIGKILL")
    assert calls["pid"] != pid
    up.stop()


# -- pause ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_pause_keeps_everything_and_holds_up_the_sender(
    start: Callable[..., Any], control: Control, net: Any, run: str
) -> None:
    up = start(f"devices: {{a: {{type: streamer, run: {run}, in: {SMALL}, out: {SMALL}}}}}").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"), sndhwm=10)
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    pump(net, push, pull, range(10))
    assert control("pause", "a") == "a: paused\n"
    assert control("pause") == "a: paused\n"
    assert control.states(code=1) == {"a": "paused"}
    sent = 10
    while push.poll(300, zmq.POLLOUT):
        push.send_multipart([b"%d" % sent, bytes(20_000)], zmq.DONTWAIT)
        sent += 1
    assert sent >= 100      # as many as the in socket holds
    assert not pull.poll(100)
    assert control("resume", "a") == "a: running\n"
    assert [int(net.receive(pull)[0]) for _ in range(10, sent)] == list(range(10, sent))
    pump(net, push, pull, range(sent, sent + 10))
    up.stop()


@pytest.mark.parametrize(("verb", "goes_on"), [("stop", False), ("restart", True)])
def test_a_stop_while_paused_passes_on_what_was_received(
    start: Callable[..., Any], control: Control, net: Any, verb: str, goes_on: bool
) -> None:
    up = start(f"devices: {{a: {{type: streamer, in: {ANY}, out: {ANY}}}}}").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    pump(net, push, pull, range(10))
    control("pause")
    for number in range(10, 500):
        push.send(b"%d" % number)
    assert not pull.poll(100)
    control(verb)
    assert [int(net.receive(pull)[0]) for _ in range(10, 500)] == list(range(10, 500))
    if goes_on:
        pump(net, push, pull, range(500, 600))
    up.stop()
