"""What happens in a worker process is the end of nothing but its devices, and is told with its cause."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

from .brokers import ANY
from .conftest import Control, Up, children, is_free

TOPOLOGY = f"""
devices:
  first: {{type: streamer, in: {ANY}, out: {{bind: inproc://between}}}}
  second: {{type: streamer, in: {{connect: first.out}}, out: {ANY}}}
  alone: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}
"""

ASSERTION = "Assertion failed: a > b (src/it.cpp:7)"

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc, which Linux has")


def pids(control: Control) -> dict[str, int]:
    return {name: device["pid"] for name, device in control.ps().items()}


def test_the_supervisor_of_the_command_has_no_context(start: Callable[..., Up], control: Control) -> None:
    up = start(TOPOLOGY).ready()
    found = pids(control)
    assert found["first"] == found["second"] != found["alone"]
    assert up.process.pid not in found.values()
    threads = {Path(f"/proc/{up.process.pid}/task/{task}/comm").read_text().strip()
               for task in os.listdir(f"/proc/{up.process.pid}/task")}  # noqa: PTH208 - numbers, not paths
    assert not any(name.startswith("ZMQbg") for name in threads)
    up.stop()


@pytest.mark.parametrize(("number", "said", "how"), [
    (signal.SIGABRT, f"{ASSERTION}\n", f"by SIGABRT: {ASSERTION}"),
    (signal.SIGSEGV, "", "by SIGSEGV"),
    (signal.SIGKILL, "something\n", "by SIGKILL"),
])
def test_a_crash_ends_the_devices_of_its_worker_alone(
    start: Callable[..., Up], control: Control, net: Any, number: signal.Signals, said: str, how: str
) -> None:
    up = start(TOPOLOGY).ready()
    before = pids(control)
    with Path(f"/proc/{before['first']}/fd/2").open("w") as errors:
        errors.write(said)
    os.kill(before["first"], number)
    for name in ("first", "second"):
        up.wait_for(f"{name}: ended: process {before['first']} ended {how}; restarting in")
    net.until(lambda: set(control.states(code=None).values()) == {"running"})
    now = control.ps()
    assert now["alone"]["pid"] == before["alone"]
    assert {name: device["restarts"] for name, device in now.items()} == {"first": 1, "second": 1, "alone": 0}
    assert now["first"]["error"] == f"first: process {before['first']} ended {how}"
    push = net.socket(zmq.PUSH, connect=control.address("first.in"))
    pull = net.socket(zmq.PULL, connect=control.address("second.out"))
    push.send(b"x")
    assert net.receive(pull) == [b"x"]
    up.stop()


def test_an_assertion_of_libzmq_is_told_in_its_own_words(tmp_path: Path, net: Any) -> None:
    """Its option conflate is for messages of one frame, which a check says; a topology made by hand goes past it."""
    path = tmp_path / "it.yaml"
    path.write_text(f"devices: {{it: {{type: streamer, in: {ANY}, out: {ANY}}}}}")
    topology = zmqtopo.load(path)
    device = topology.devices["it"]
    device = replace(device, in_=replace(device.in_, options={"conflate": True}))
    with zmqtopo.up(replace(topology, devices={"it": device}), isolated=True) as running:
        push = net.socket(zmq.PUSH, connect=running.address("it.in"), sndhwm=2)

        def aborted() -> bool:
            if push.poll(50, zmq.POLLOUT):
                push.send_multipart([b"a", bytes(1 << 22)])     # the first frame is read before the second is there
            return "it" in running.errors

        net.until(aborted)
        assert "ended by SIGABRT: Assertion failed: !_more (" in running.errors["it"]
        net.until(lambda: running.states["it"] == "running")


def test_what_a_worker_prints_is_passed_on_harmless(start: Callable[..., Up], control: Control) -> None:
    up = start(TOPOLOGY).ready()
    with Path(f"/proc/{pids(control)['alone']}/fd/2").open("wb") as errors:
        errors.write(b"a library says \x1b[2Jthis\n")
    assert up.wait_for("a library says") == r"a library says \x1b[2Jthis"
    up.stop()


def test_a_starter_that_stands_still_holds_nobody_up(
    start: Callable[..., Up], control: Control, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    before = pids(control)
    starter, = children(up.process.pid)
    os.kill(starter, signal.SIGSTOP)
    os.kill(before["alone"], signal.SIGKILL)
    began = time.monotonic()
    net.until(lambda: control.ps(code=None)["alone"]["restarts"] > 0)
    net.until(lambda: set(control.states(code=None).values()) == {"running"})
    assert time.monotonic() - began < 8
    now = pids(control)
    assert now["first"] == before["first"]
    assert now["alone"] != before["alone"]
    up.stop()



@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
@pytest.mark.parametrize("stopped", [c for n in range(3) for c in itertools.combinations(("starter", "worker"), n)])
@pytest.mark.parametrize("killed", [("supervisor",), ("starter", "supervisor"), ("supervisor", "starter")])
def test_nothing_outlives_the_supervisor(
    start: Callable[..., Up], control: Control, net: Any, killed: tuple[str, ...], stopped: tuple[str, ...]
) -> None:
    up = start(TOPOLOGY).ready()
    starter, = children(up.process.pid)
    workers = up.workers()
    who = {"supervisor": [up.process.pid], "starter": [starter], "worker": workers}
    for name, number in [*((name, signal.SIGSTOP) for name in stopped), *((name, signal.SIGKILL) for name in killed)]:
        for pid in who[name]:
            os.kill(pid, number)
    for pid in (starter, *workers):
        net.until(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists(), f"the end of {pid}")
    for name in ("first.in", "second.out", "alone.in", "alone.out"):
        address = up.address(name)
        net.until(lambda address=address: is_free(address), f"{address} to be free")


def test_nobody_waits_for_a_process_that_starts_workers_and_stands_still(
    start: Callable[..., Up], control: Control, net: Any
) -> None:
    """The end of a worker is known when that one has been replaced; everything else goes on meanwhile."""
    up = start(TOPOLOGY).ready()
    before = pids(control)
    forkserver, = children(up.process.pid)
    os.kill(forkserver, signal.SIGSTOP)
    os.kill(before["first"], signal.SIGKILL)
    began = time.monotonic()
    control("pause", "alone")
    control("resume", "alone")
    assert control.states(code=None)["alone"] == "running"
    assert time.monotonic() < began + 2.5
    net.until(lambda: control.ps(code=None)["first"]["restarts"] == 1)
    net.until(lambda: set(control.states(code=None).values()) == {"running"})
    assert pids(control)["alone"] == before["alone"]
    up.stop()
