"""What a program may hand to a running topology."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.api import arguments
from zmqtopo.checks import examine_text
from zmqtopo.config.model import Device, Topology


@pytest.fixture
def good() -> Topology:
    found = examine_text("""
context: {io_threads: 2}
peers: {p: {type: PUSH, connect: q.in}}
devices:
  q:
    type: monitored_queue
    run: process/g
    in: {bind: "tcp://127.0.0.1:*", options: {hwm: 5, routing_id: x, plain_password: {file: /k}}}
    out: {bind: ["ipc:///tmp/a", "inproc://b"]}
    mon: {type: PUB, bind: "tcp://127.0.0.1:*"}
    restart: {policy: always, max_retries: 3}
    graph: {color: red}
""").topology
    assert found is not None
    return found


def test_what_the_loader_makes_passes(good: Topology) -> None:
    assert arguments.topology(good) is good


def changed(**values: Any) -> Callable[[Topology], Any]:
    def change(topology: Topology) -> Topology:
        device = replace(topology.devices["q"], **values)
        return replace(topology, devices={"q": device})
    return change


def of_in(**values: Any) -> Callable[[Topology], Any]:
    def change(topology: Topology) -> Topology:
        device: Device = topology.devices["q"]
        return replace(topology, devices={"q": replace(device, in_=replace(device.in_, **values))})
    return change


def of_restart(**values: Any) -> Callable[[Topology], Any]:
    return lambda topology: changed(restart=replace(topology.devices["q"].restart, **values))(topology)


@pytest.mark.parametrize(("change", "error"), [
    (lambda _: None, "not NoneType"),
    (lambda _: 5, "not int"),
    (lambda _: b"it.yaml", "not bytes"),
    (lambda _: ["it.yaml"], "not list"),
    (lambda _: {"it.yaml"}, "not set"),
    (lambda topology: topology.devices["q"], "not Device"),
    (lambda _: Topology, "not type"),
    (lambda topology: replace(topology, devices=["q"]), "topology.devices is list"),
    (lambda topology: replace(topology, devices={"q": 5}), r"topology.devices\['q'\] is int 5"),
    (lambda topology: replace(topology, devices={5: topology.devices["q"]}), "a key of topology.devices is int 5"),
    (lambda topology: replace(topology, devices={"r": topology.devices["q"]}), "is named 'q'"),
    (lambda topology: replace(topology, name=None), "topology.name is NoneType"),
    (lambda topology: replace(topology, context=None), "topology.context is NoneType"),
    (changed(type="quee"), r"\.type is 'quee'"),
    (changed(type=""), "has no type"),
    (changed(in_=None), r"\.in_ is NoneType"),
    (changed(mon=5), r"\.mon is int 5"),
    (changed(run="process"), r"\.run is str 'process'"),
    (changed(stop_timeout="5s"), r"\.stop_timeout is str '5s'"),
    (changed(stop_timeout=math.nan), r"\.stop_timeout is not a number"),
    (of_in(bind="tcp://*:5"), r"\.in_\.bind is str"),
    (of_in(bind=("tcp://*:5",)), r"\.in_\.bind\[0\] is str 'tcp://\*:5'"),
    (of_in(options={"hwm": object()}), r"\.in_\.options\['hwm'\] is object"),
    (of_in(options=None), r"\.in_\.options is NoneType"),
    (of_restart(backoff=(1,)), r"\.restart\.backoff has 1 items instead of 2"),
    (of_restart(policy="sometimes"), r"\.restart\.policy is 'sometimes'"),
])
def test_what_is_not_a_topology(good: Topology, change: Callable[[Topology], Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        arguments.topology(change(good))


def test_a_path_of_bytes() -> None:
    class Odd:
        def __fspath__(self) -> bytes:
            return b"it.yaml"

    with pytest.raises(TypeError, match="the path of a topology is a str, not bytes"):
        arguments.topology(Odd())
    assert isinstance(Path(), os.PathLike)


@pytest.mark.parametrize("name", [["q"], None, b"q", 5, ("q",), {"q": 1}, object()])
def test_what_names_no_device(name: object) -> None:
    with pytest.raises(TypeError, match=f"named by a str, not {type(name).__name__}"):
        arguments.device_names(("a", name))


@pytest.mark.parametrize(("given", "seconds"), [
    (None, None), (0, 0), (2.5, 2.5), (math.inf, None), (threading.TIMEOUT_MAX * 2, None),
    pytest.param(10**400, None, id="huge"),
])
def test_seconds(given: float | None, seconds: float | None) -> None:
    assert arguments.seconds(given) == seconds


@pytest.mark.parametrize(("given", "error"), [
    (math.nan, ValueError), (-1, ValueError), (-0.1, ValueError), (-math.inf, ValueError),
    ("5", TypeError), (b"5", TypeError), ([5], TypeError), (True, TypeError), (object(), TypeError),
])
def test_what_is_not_a_time(given: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="a timeout is"):
        arguments.seconds(given)


def test_contexts() -> None:
    context: zmq.Context[Any] = zmq.Context()
    assert arguments.context(None) is None
    assert arguments.context(context) is context
    context.term()
    with pytest.raises(ValueError, match="has been terminated"):
        arguments.context(context)
    for other in ("c", 5, zmq.Context):
        with pytest.raises(TypeError, match="a context is a"):
            arguments.context(other)
