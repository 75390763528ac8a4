"""What a device could not pass on is told: by the command, by the log and by the JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Control

FED = 5_000
"""Messages that a device is fed whose out nobody takes."""


def fed(run: str, start: Callable[..., Any], control: Control, net: Any) -> tuple[Any, int]:
    """A device with more messages than it can keep; the messages that its feeder has got rid of."""
    up = start(f"devices: {{a: {{type: streamer, run: {run}, stop_timeout: 1s, in: {ANY}, out: {ANY}}}}}").ready()
    push = net.socket(zmq.PUSH, connect=up.address("a.in"), sndhwm=1)
    sent = 0
    while sent < FED and push.poll(300, zmq.POLLOUT):
        push.send(bytes(10_000), zmq.DONTWAIT)
        sent += 1
    net.until(lambda: control.ps()["a"]["counters"]["in_to_out"]["waiting"])
    return up, sent


@pytest.mark.parametrize("run", ["thread", "process"])
@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_stop_out_of_time_says_what_it_has_dropped(
    start: Callable[..., Any], control: Control, net: Any, run: str, verb: str
) -> None:
    up, sent = fed(run, start, control, net)
    (told,) = json.loads(control(verb, "a", "--format", "json"))
    assert told["state"] == ("stopped" if verb == "stop" else "running")
    stop = told["stop"]
    assert stop["passed_on"] == stop["possibly_lost_per_peer"] == 0     # nobody was there to be given anything
    assert 1000 <= stop["dropped"] <= sent
    assert control.ps(code=None)["a"]["counters"]["in_to_out"]["dropped"] == stop["dropped"]
    up.wait_for(f"; 0 passed on, {stop['dropped']:,} dropped")
    up.stop()


CHANGED = f"devices: {{a: {{type: streamer, stop_timeout: 1s, in: {ANY}, out: {ANY[:-1]}, options: {{sndhwm: 7}}}}}}}}"
"""The device of `fed`, with another option that needs new sockets."""

ADDED = "devices: {b: {type: streamer, in: %s, out: %s}}"


@pytest.mark.parametrize(("text", "action"), [(CHANGED, "replaced"), (ADDED % (ANY, ANY), "removed")])
def test_a_reload_says_what_its_stops_have_dropped(
    start: Callable[..., Any], control: Control, net: Any, tmp_path: Path, text: str, action: str
) -> None:
    """As `restart` and `stop` do: in the JSON, in the text and in the log."""
    up, sent = fed("thread", start, control, net)
    (tmp_path / "it.yaml").write_text(text)
    told = json.loads(control("reload", "--dry-run", "--format", "json"))
    assert [device for device in told["devices"] if "stop" in device] == []
    told = json.loads(control("reload", "--format", "json"))
    stops = {device["name"]: device["stop"] for device in told["devices"] if "stop" in device}
    assert (list(stops), told["devices"][-1]["action"]) == (["a"], action)
    assert stops["a"]["passed_on"] == stops["a"]["possibly_lost_per_peer"] == 0
    assert 1000 <= stops["a"]["dropped"] <= sent
    up.wait_for(f"a: stopped; 0 passed on, {stops['a']['dropped']:,} dropped")
    up.stop()


def test_the_text_of_a_reload_says_the_same(
    start: Callable[..., Any], control: Control, net: Any, tmp_path: Path
) -> None:
    up, _ = fed("process", start, control, net)
    (tmp_path / "it.yaml").write_text(CHANGED)
    *_, stop, result = control("reload").splitlines()
    dropped = control.ps()["a"]["counters"]["in_to_out"]["dropped"]
    assert dropped >= 1000
    assert (stop, result) == (f"a: its stop: 0 passed on, {dropped:,} dropped", "it: reloaded")
    up.stop()


def test_a_reload_that_is_taken_back_says_what_it_has_cost(
    start: Callable[..., Any], control: Control, net: Any, tmp_path: Path
) -> None:
    up, _ = fed("thread", start, control, net)
    _, taken = net.end(zmq.PULL)
    unasked = f"\n  b: {{type: streamer, in: {{bind: '{taken}'}}, out: {ANY}}}  # zmqtopo: ignore[port-in-use]\n"
    a = CHANGED.removeprefix("devices: {").removesuffix("}")
    (tmp_path / "it.yaml").write_text(f"devices:\n  {a}{unasked}")
    told = json.loads(control("reload", "--format", "json", code=1))
    assert (told["result"], told["restarted"]) == ("rolled-back", ["a"])
    dropped = control.ps()["a"]["counters"]["in_to_out"]["dropped"]
    stop = {"passed_on": 0, "dropped": dropped, "possibly_lost_per_peer": 0, "dropped_exact": True}
    assert [device.get("stop") for device in told["devices"]] == [stop, None]
    assert dropped >= 1000
    up.stop()


def test_a_reload_tells_of_no_stop_where_there_was_none(
    start: Callable[..., Any], control: Control, tmp_path: Path
) -> None:
    """Of a device that stays as it is, or is changed with the sockets that it has; null for one that did not run."""
    text = f"devices: {{a: {{type: streamer, in: {ANY}, out: {ANY}}}, b: {{type: streamer, in: {ANY}, out: {ANY}}}}}"
    up = start(text).ready()
    control("stop", "b")
    (tmp_path / "it.yaml").write_text(text.replace("stop_timeout: 1s", "stop_timeout: 2s").replace(", b:", ", c:"))
    told = json.loads(control("reload", "--format", "json"))
    assert [(device["name"], device.get("stop", "no")) for device in told["devices"]] == [
        ("a", "no"), ("c", "no"), ("b", None)]
    up.stop()


def test_what_libzmq_had_yet_to_send_is_told_with_its_bound(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    """A peer that does not read: the queue for it is full, and nobody can count what is in it."""
    text = "{type: streamer, stop_timeout: 300ms, in: %s, out: {bind: 'tcp://127.0.0.1:*', options: {sndhwm: 50}}}"
    up = start(f"devices: {{a: {text % ANY}}}").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"), rcvhwm=1)
    push = net.socket(zmq.PUSH, connect=up.address("a.in"), sndhwm=1)
    net.fill(push, [bytes(10_000)])
    said = control("stop", "a")
    assert said.startswith("a: stopped; ")
    assert said.endswith(" dropped, up to 50 for each peer possibly lost\n")
    up.wait_for("up to 50 for each peer possibly lost")
    net.receive(pull)
    up.stop()


def test_a_stop_in_time_claims_no_losses(start: Callable[..., Any], control: Control, net: Any) -> None:
    up = start(f"devices: {{a: {{type: streamer, in: {ANY}, out: {ANY}}}}}").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    push = net.socket(zmq.PUSH, connect=up.address("a.in"))
    push.send(b"one")
    net.receive(pull)
    assert control("restart", "a") == "a: running\n"
    assert control("stop", "a") == "a: stopped\n"
    assert json.loads(control("stop", "a", "--format", "json")) == [{"name": "a", "state": "stopped", "stop": None}]
    up.stop()


@pytest.mark.parametrize(("command", "answer"), [
    (["stop", "it", "a"], b"a: stopped; 0 passed on, "),
    (["reload", "it"], b"~ changed: a.out.options.sndhwm 1000 -> 7 (new sockets)\na: its stop: 0 passed on, "),
], ids=["stop", "reload"])
def test_a_terminal_shows_how_many_wait_and_how_long_it_still_may(
    start: Callable[..., Any], control: Control, net: Any, tmp_path: Path, command: list[str], answer: bytes
) -> None:
    up, _ = fed("thread", start, control, net)
    (tmp_path / "it.yaml").write_text(CHANGED)
    ours, theirs = pty.openpty()
    stop = subprocess.Popen([*COMMAND, *command], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said, _ = stop.communicate(timeout=DEADLINE)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:     # the end of a terminal that nobody has open any more
        pass
    os.close(ours)
    assert said.startswith(answer)
    assert b"a: draining, at least " in shown
    assert b" waiting, 1 s left" in shown
    assert shown.endswith(b"\r\x1b[K")
    up.stop()


def test_answers_for_a_client_that_does_not_read_are_counted(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    """With it or counted: of 30,000 requests in a row every answer is accounted for."""
    up = start(f"devices: {{a: {{type: queue, in: {ANY}, out: {ANY}}}}}").ready()
    client = net.socket(zmq.DEALER, connect=up.address("a.in"), sndhwm=0, rcvhwm=100)
    worker = net.socket(zmq.DEALER, connect=up.address("a.out"), sndhwm=0, rcvhwm=0)
    for _ in range(30_000):
        client.send(bytes(500), copy=False)
    for _ in range(30_000):
        worker.send_multipart(net.receive(worker))

    def done() -> Any:
        flow = control.ps()["a"]["counters"]["out_to_in"]
        return flow if flow["messages"] + flow["dropped"] == 30_000 else None

    flow = net.until(done, "the last answer")
    assert flow["dropped"] > 0
    net.receive_all(client, flow["messages"])
    assert not client.poll(200)
    up.stop()
