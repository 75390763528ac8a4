"""``zmqtopo ps`` and the names of topologies and devices."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from .brokers import ANY, SMALL, TOPOLOGY, pump
from .conftest import Control

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_ps_says_what_a_program_wants_to_know(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    flows(net, up)
    devices = control.ps()
    assert list(devices) == ["jobs", "calls", "one", "two"]
    for device in devices.values():
        assert list(device) == [
            "name", "type", "run", "state", "pid", "uptime", "restarts", "sockets", "endpoints", "counters", "error",
            "warning", "stops_within", "thread", "started",
        ]
        assert list(device["sockets"]) == ["in", "out", "mon"]
        assert list(device["endpoints"]) == ["in", "out", "mon"]
        assert device["uptime"] > 0
        assert device["error"] is None
        if sys.platform == "linux":
            assert Path(f"/proc/{device['pid']}/task/{device['thread']}").is_dir()
    assert len({device["thread"] for device in devices.values()}) == len(devices)
    assert devices["jobs"]["sockets"] == {"in": "PULL", "out": "PUSH", "mon": None}
    assert devices["jobs"]["pid"] == up.worker("threads")
    assert devices["calls"]["pid"] == up.worker("device calls")
    assert devices["one"]["pid"] == devices["two"]["pid"] == up.worker("group g")
    assert devices["two"]["run"] == "process/g"
    assert devices["one"]["endpoints"]["out"] == ["inproc://x"]
    counted = devices["jobs"]["counters"]["in_to_out"]
    assert (counted["messages"], counted["bytes"], counted["dropped"]) == (10, 10, 0)
    up.stop()


def flows(net: Any, up: Any) -> None:
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    pump(net, push, pull, range(10))


def test_ps_for_people(start: Callable[..., Any], zmqtopo: Run, net: Any) -> None:
    up = start(f"""
devices:
  jobs: {{type: streamer, in: {SMALL}, out: {SMALL}}}
  b: {{type: queue, in: {ANY}, out: {ANY}}}
""").ready()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"), sndhwm=1)
    net.fill(push, [bytes(10_000)])
    heads, jobs, b = zmqtopo("ps", "it").stdout.splitlines()
    assert heads.split()[:6] == ["DEVICE", "TYPE", "RUN", "STATE", "PID", "UPTIME"]
    assert "running, out full" in jobs
    assert " 0 (0/s) " in jobs
    assert f"in {up.addresses['jobs.in'][0]}; out {up.addresses['jobs.out'][0]}" in jobs
    assert "full" not in b
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            if push.poll(10, zmq.POLLOUT):
                push.send(b"x", zmq.DONTWAIT)
            while pull.poll(0):
                pull.recv()

    thread = threading.Thread(target=go_on)
    thread.start()
    jobs = zmqtopo("ps", "it").stdout.splitlines()[1]
    stop.set()
    thread.join()
    assert "(0/s) " not in jobs[: jobs.index("/s)") + 4]
    up.stop()


def test_all_topologies_in_short(
    start: Callable[..., Any], zmqtopo: Run, tmp_path: Path, state_folders: Path
) -> None:
    done = zmqtopo("ps")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == f"zmqtopo: error: no topology is running; looked in {state_folders}/zmqtopo\n"
    ups = [start(TOPOLOGY, name=name) for name in ("one", "two")]
    for up in ups:
        up.ready()
    done = zmqtopo("ps")
    assert done.returncode == 0
    pid = ups[0].process.pid
    assert done.stdout.splitlines()[1].split() == ["one", str(pid), "4", "of", "4", f"{tmp_path}/one.yaml"]
    assert zmqtopo("stop", "two", "jobs").returncode == 0
    found = json.loads(zmqtopo("ps", "--format", "json").stdout)
    assert [(topology["name"], topology["devices"]["jobs"]) for topology in found] == [
        ("one", "running"), ("two", "stopped"),
    ]
    assert zmqtopo("ps").returncode == 1
    for up in ups:
        up.stop()


def test_names_that_are_not_there(start: Callable[..., Any], zmqtopo: Run, control: Control) -> None:
    up = start(TOPOLOGY).ready()
    for arguments, code, words in (
        (("ps", "ti"), 69, "'ti' is not running; did you mean it?"),
        (("down", "other.yaml"), 69, "'other.yaml' is not running; running: it"),
        (("stop", "it", "job"), 2, "there is no device 'job'; did you mean jobs?"),
        (("logs", "it", "calsl"), 2, "there is no device 'calsl'; did you mean calls?"),
        (("pause", "it", "x\x1b[2J"), 2, r"there is no device 'x\x1b[2J'"),
        (("stop",), 2, "the following arguments are required: TOPOLOGY\n"),
        (("ps", "it", "jobs"), 2, "unexpected argument"),
    ):
        done = zmqtopo(*arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert words in done.stderr
    assert set(control.states().values()) == {"running"}
    up.stop()


def test_ps_starts_fast(start: Callable[..., Any]) -> None:

    up = start(TOPOLOGY).ready()
    script = "import sys; from zmqtopo.cli import main; main(['ps', 'it', '--format', 'json']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(done.stdout.split("]\n")[-1].split())
    assert "zmqtopo.control.client" in loaded
    assert not loaded & {"zmq", "yaml", "jsonschema", "networkx", "zmqtopo.devices", "zmqtopo.checks"}
    up.stop()
