"""``zmqtopo ps`` and the names of topologies and devices."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.report.visible import width

from .brokers import ANY, SMALL, TOPOLOGY, pump
from .conftest import COMMAND, DEADLINE, Control, InTerminal, Up

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
            "name", "type", "run", "state", "pid", "uptime", "restarts", "sockets", "security", "endpoints", "counters",
            "error", "warning", "stops_within", "thread", "started", "peers", "connections", "handshake_failures",
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
    jobs = devices["jobs"]
    assert jobs["peers"] == jobs["connections"] == {"in": 1, "out": 1}
    assert jobs["handshake_failures"]["in"] == dict.fromkeys(
        ("auth", "mechanism", "key", "protocol", "timeout", "incomplete"), 0)
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
    assert heads.index("PEERS") == jobs.index("1/0") == b.index("0/0")
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
    assert [(topology["topology"], topology["file"], topology["pid"], topology["devices"][0]["state"])
            for topology in found] == [
        (name, str(tmp_path / f"{name}.yaml"), up.process.pid, state)
        for name, up, state in zip(("one", "two"), ups, ("running", "stopped"), strict=True)
    ]
    (alone,) = json.loads(zmqtopo("ps", "two", "--format", "json").stdout)
    assert list(alone) == list(found[1])
    assert list(alone)[:3] == ["topology", "file", "pid"]
    assert [device["name"] for device in alone["devices"]] == ["jobs", "calls", "one", "two"]
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
        (("stop", "jobs"), 69, "it has a device of that name: did you mean it jobs?"),
        (("ps", "it", "jobs"), 69, "'jobs' is not running"),
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


# -- what a terminal has room for ------------------------------------------------------------------------------------

SGR = re.compile(r"\x1b\[[0-9;]*m")

BROKEN = f"""
devices:
  a-device-with-a-long-name: {{type: monitored_queue, run: process, in: {ANY}, out: {ANY}, mon: {ANY}}}
  broken: {{type: streamer, run: process, restart: never, in: {ANY}, out: {ANY}}}
  \u5bb6: {{type: streamer, in: {ANY}, out: {ANY}}}
"""


@pytest.fixture
def broken(start: Callable[..., Up], control: Control, zmqtopo: Run, net: Any) -> Iterator[Up]:
    """A topology of which one device has failed, one is paused and one runs."""
    up = start(BROKEN).ready()
    os.kill(control.ps()["broken"]["pid"], signal.SIGKILL)
    net.until(lambda: control.ps(code=None)["broken"]["state"] == "failed")
    control("pause", "\u5bb6")
    yield up
    control("down", code=1)
    up.end(1)


@pytest.mark.parametrize(("columns", "there", "gone"), [
    (40, ["DEVICE", "STATE"], ["ENDPOINTS", "PID", "TYPE", "RUN ", "LAST ERROR"]),
    (80, ["DEVICE", "STATE", "IN TO OUT"], ["ENDPOINTS"]),
    (200, ["DEVICE", "TYPE", "STATE", "PID", "IN TO OUT", "OUT TO IN", "ENDPOINTS", "LAST ERROR"], []),
])
def test_it_fits_the_terminal(
    broken: Up, in_terminal: Callable[..., InTerminal], columns: int, there: list[str], gone: list[str]
) -> None:
    code, shown, said = in_terminal("ps", "it", columns=columns).end()
    assert (code, said) == (1, "")
    plain = SGR.sub("", shown)
    lines = plain.splitlines()
    assert all(width(line) <= columns for line in lines)
    assert [head for head in there if head not in lines[0]] == []
    assert [head for head in gone if head in lines[0]] == []
    assert re.search(r"a-device-.* running ", lines[1])
    assert " failed" in lines[2]
    assert " paused" in lines[3]
    assert re.search(r"process \d+ ended by\s+SIGKILL", plain)     # why it failed has its place, or a line below
    # By name and state, each in its colour, and every column begins below its head.
    assert ("\x1b[32mrunning" in shown, "\x1b[33mpaused" in shown, "\x1b[1;31mfailed" in shown) == (True, True, True)
    at = lines[0].index("STATE")
    assert all(width(line[: line.index(word)]) == at
               for line, word in zip(lines[1:4], ("running", "failed", "paused"), strict=True))


@pytest.mark.parametrize(("arguments", "env", "coloured"), [
    ((), {}, True), ((), {"NO_COLOR": "1"}, False), (("--no-color",), {"FORCE_COLOR": "1"}, False),
    ((), {"TERM": "dumb"}, False), ((), {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ((), {"FORCE_COLOR": "0"}, False), ((), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
])
def test_colours(
    broken: Up, in_terminal: Callable[..., InTerminal], arguments: tuple[str, ...], env: dict[str, str],
    coloured: bool,
) -> None:
    _, shown, _ = in_terminal("ps", "it", *arguments, env=env).end()
    assert ("\x1b[" in shown) == coloured


def test_colours_without_a_terminal(broken: Up, tmp_path: Path) -> None:
    def shown(*arguments: str, **env: str) -> str:
        return subprocess.run([*COMMAND, *arguments], cwd=tmp_path, env=os.environ | env, capture_output=True,
                              text=True, check=False, timeout=DEADLINE).stdout

    assert "\x1b[" not in shown("ps", "it")
    assert "\x1b[32mrunning" in shown("ps", "it", FORCE_COLOR="1")
    assert "\x1b[" not in shown("--no-color", "ps", "it", FORCE_COLOR="1")
    assert "\x1b[1;31m" in shown("ps", "-a", FORCE_COLOR="1")
    assert shown("ps", "it", COLUMNS="60").startswith("DEVICE")
    assert max(map(width, shown("ps", "it", COLUMNS="60").splitlines())) > 150      # who reads it wants all there is


def test_wide_is_whole_in_any_terminal(broken: Up, in_terminal: Callable[..., InTerminal], control: Control) -> None:
    _, shown, _ = in_terminal("ps", "it", "-o", "wide", columns=60).end()
    heads = SGR.sub("", shown).splitlines()[0]
    assert all(head in heads for head in ("RUN", "PID", "RESTARTS", "DROPPED", "ENDPOINTS", "LAST ERROR"))
    assert all(address in shown for device in control.ps(code=1).values() for bound in device["endpoints"].values()
               for address in bound)


def test_what_has_ended_keeps_its_endpoints_and_its_name_stands_once(broken: Up, zmqtopo: Run) -> None:
    line = zmqtopo("ps", "it").stdout.splitlines()[2]
    assert f"in {broken.addresses['broken.in'][0]}; out {broken.addresses['broken.out'][0]}" in line
    assert line.count("broken") == 1
    assert re.search(r"  process \d+ ended by SIGKILL$", line)


def test_topologies_in_short_count_what_is_paused_apart(broken: Up, zmqtopo: Run) -> None:
    assert "  1 of 3, 1 paused, 1 failed  " in zmqtopo("ps", "--all").stdout


def test_names_only(broken: Up, start: Callable[..., Up], zmqtopo: Run) -> None:
    assert zmqtopo("ps", "-q").stdout == "it\n"
    other = start(TOPOLOGY, name="other").ready()
    assert zmqtopo("-q", "ps").stdout == "it\nother\n"
    assert zmqtopo("ps", "other", "--quiet").stdout == "jobs\ncalls\none\ntwo\n"
    assert json.loads(zmqtopo("ps", "-q", "--format", "json").stdout) == ["it", "other"]
    assert [topology["topology"] for topology in json.loads(zmqtopo("ps", "-o", "json").stdout)] == ["it", "other"]
    heads, *lines = zmqtopo("ps", "other", "it").stdout.splitlines()
    assert heads.split()[:2] == ["TOPOLOGY", "DEVICE"]
    assert [line.split()[0] for line in lines] == ["other"] * 4 + ["it"] * 3
    other.stop()


# -- again and again -------------------------------------------------------------------------------------------------


def test_watching_in_a_terminal(
    start: Callable[..., Up], in_terminal: Callable[..., InTerminal], control: Control
) -> None:
    up = start(TOPOLOGY).ready()
    watch = in_terminal("ps", "it", "--watch=50ms", columns=60, rows=5, stderr=True)
    watch.wait_for("... 2 more lines")
    control("stop", "jobs")
    watch.wait_for("stopped")
    assert watch.shown.count("\x1b[H\x1b[J") > 1
    assert all(width(line) <= 60 for line in SGR.sub("", watch.shown).replace("\x1b[H\x1b[J", "").splitlines())
    up.stop()
    code, shown, _ = watch.end()
    assert (code, shown.splitlines()[-1]) == (69, "zmqtopo: error: 'it' is not running")


def test_watching_for_programs(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start(TOPOLOGY).ready()
    with subprocess.Popen([*COMMAND, "ps", "it", "-w", "0.05", "-o", "json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        told = [json.loads(watch.stdout.readline()) for _ in range(3)]
        assert {topology["topology"] for (topology,) in told} == {"it"}
        uptimes = [topology["devices"][0]["uptime"] for (topology,) in told]
        assert uptimes == sorted(set(uptimes))
        watch.send_signal(signal.SIGINT)
        assert watch.wait(DEADLINE) == 130
        watch.stdout.read()
    with subprocess.Popen([*COMMAND, "ps", "it", "-w", "1h"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.stdout.close()        # as head -1 does: that is noticed before the hour is over
        assert watch.wait(DEADLINE) == 141
    up.stop()
