"""A topology that runs is looked after by its name: who sees what, and what the commands do to real messages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import COMMAND, DEADLINE, is_free

Run = Callable[..., subprocess.CompletedProcess[str]]

ANY = '{bind: "tcp://127.0.0.1:*"}'

SMALL = '{bind: "tcp://127.0.0.1:*", options: {hwm: 100}}'

TOPOLOGY = f"""
devices:
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
  calls: {{type: queue, run: process, in: {ANY}, out: {ANY}}}
  one: {{type: streamer, run: process/g, in: {ANY}, out: {{bind: inproc://x}}}}
  two: {{type: streamer, run: process/g, in: {{connect: one.out}}, out: {ANY}}}
"""


class Control:
    """The commands, for one topology."""

    def __init__(self, run: Run, name: str = "it") -> None:
        self._run = run
        self.name = name

    def __call__(self, verb: str, *arguments: str, code: int = 0) -> str:
        done = self._run(verb, self.name, *arguments)
        assert done.returncode == code, done
        return done.stdout

    def ps(self, code: int = 0) -> dict[str, dict[str, Any]]:
        return {device["name"]: device for device in json.loads(self("ps", "--format", "json", code=code))}

    def states(self, code: int = 0) -> dict[str, str]:
        return {name: device["state"] for name, device in self.ps(code).items()}

    def address(self, socket: str) -> str:
        device, _, role = socket.partition(".")
        address: str = self.ps()[device]["endpoints"][role][0]
        return address


@pytest.fixture
def control(zmqtopo: Run) -> Control:
    return Control(zmqtopo)


@pytest.fixture
def in_background(tmp_path: Path, zmqtopo: Run) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Start a topology with ``up -d``; it is ended after the test."""
    def start(text: str, *arguments: str, name: str = "it") -> subprocess.CompletedProcess[str]:
        (tmp_path / f"{name}.yaml").write_text(text)
        return zmqtopo("up", "-d", f"{name}.yaml", *arguments)

    yield start
    for topology in json.loads(zmqtopo("ps", "--format", "json").stdout or "[]"):
        zmqtopo("down", "--force", topology["name"])


def pump(net: Any, push: Any, pull: Any, numbers: range) -> None:
    for number in numbers:
        push.send(b"%d" % number)
    assert [int(net.receive(pull)[0]) for _ in numbers] == list(numbers)


# -- in the background ----------------------------------------------------------------------------------------------


def test_up_d_returns_when_it_is_ready_and_down_when_it_has_ended(
    in_background: Callable[..., Any], control: Control, net: Any, state_folders: Path
) -> None:
    started = in_background(TOPOLOGY)
    assert started.returncode == 0
    assert started.stdout == ""
    assert "zmqtopo: it: ready, 4 devices in " in started.stderr
    devices = control.ps()
    assert {device["state"] for device in devices.values()} == {"running"}
    addresses = [address for device in devices.values() for some in device["endpoints"].values() for address in some]
    for first, last in (("jobs", "jobs"), ("one", "two")):
        push = net.socket(zmq.PUSH, connect=devices[first]["endpoints"]["in"][0])
        pull = net.socket(zmq.PULL, connect=devices[last]["endpoints"]["out"][0])
        pump(net, push, pull, range(100))
    pids = {device["pid"] for device in devices.values()}
    assert len(pids) == 3
    assert os.getsid(devices["jobs"]["pid"]) == devices["jobs"]["pid"]
    assert "jobs: stopped; 100 messages in to out, 0 out to in\n" in control("down")
    assert all(address.startswith("inproc") or is_free(address) for address in addresses)
    assert list((state_folders / "zmqtopo").iterdir()) == []
    control("down", code=69)
    control("ps", code=69)


@pytest.mark.parametrize("wait", ["--wait", "--wait=10", "--wait=10s"])
def test_wait_is_enough_to_say(wait: str, tmp_path: Path, zmqtopo: Run, control: Control) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    assert zmqtopo("up", wait, "it.yaml").returncode == 0
    assert set(control.states().values()) == {"running"}
    control("down", "--force")


def test_no_time_to_wait(in_background: Callable[..., Any], control: Control, net: Any) -> None:
    started = in_background(TOPOLOGY, "--wait=0")
    assert started.returncode == 1
    assert "error: not ready within 0 s; process " in started.stderr
    net.until(lambda: control._run("ps", "it").returncode == 0)


@pytest.mark.parametrize("wait", ["--wait=soon", "--wait=-1", "--wait=nan"])
def test_a_wait_that_is_no_time(in_background: Callable[..., Any], wait: str) -> None:
    started = in_background(TOPOLOGY, wait)
    assert started.returncode == 2
    assert "--wait" in started.stderr


def test_a_start_that_fails_is_told_to_who_started_it(
    in_background: Callable[..., Any], net: Any, control: Control
) -> None:
    _, taken = net.end(zmq.PULL)
    for text, code, words in (
        (f"devices: {{a: {{type: streamer, in: {ANY}, out: {{bind: '{taken}'}}}}}}", 1, "in use"),
        (f"devices: {{a: {{type: streamer, in: {ANY}, out: {{bind: 'tcp://203.0.113.1:1000'}}}}}}", 1, "203.0.113.1"),
        ("devices: {a: {type: steamer}}", 78, "streamer"),
        ("devices: {}", 0, "nothing to run"),
    ):
        started = in_background(text)
        assert (started.returncode, words in started.stderr) == (code, True), started
        control("ps", code=69)


def test_from_standard_input(tmp_path: Path, zmqtopo: Run) -> None:
    started = zmqtopo("up", "-d", "-", data=f"name: piped\n{TOPOLOGY}".encode())
    assert started.returncode == 0, started
    control = Control(zmqtopo, "piped")
    assert set(control.states().values()) == {"running"}
    control("down")


def test_it_does_not_hold_on_to_who_started_it(tmp_path: Path, control: Control) -> None:
    # A shell waits for the end of the pipe that takes the output of $(...).
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    done = subprocess.run(
        [*COMMAND, "up", "-d", "it.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
        timeout=30,
    )
    assert b"ready" in done.stdout
    control("down")


# -- one name, one topology -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [("up", "it.yaml"), ("up", "-d", "it.yaml")])
def test_a_second_up_is_refused_with_the_process_of_the_first(
    start: Callable[..., Any], zmqtopo: Run, control: Control, again: tuple[str, ...]
) -> None:
    # A fixed port: that the name is taken says more than that the port is.
    up = start(f"devices: {{a: {{type: streamer, in: {ANY}, out: {ANY}}}}}").ready()
    refused = zmqtopo(*again)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"zmqtopo: error: a topology it is running already as process {up.process.pid}; "
        "end it with: zmqtopo down it, or give this one another name\n"
    )
    assert control.states() == {"a": "running"}
    up.stop()


def test_what_a_killed_supervisor_has_left_is_taken_over(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    up.process.kill()
    up.end(-signal.SIGKILL)
    control("ps", code=69)
    control("stop", code=69)
    up = start(TOPOLOGY).ready()
    assert set(control.states().values()) == {"running"}
    up.stop()
    control("ps", code=69)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(start: Callable[..., Any], state_folders: Path) -> None:
    (state_folders / "zmqtopo").mkdir()
    os.chown(state_folders / "zmqtopo", 12345, -1)
    assert "belongs to another user (uid 12345)" in start(TOPOLOGY).end(1)


# -- who is there ---------------------------------------------------------------------------------------------------


def test_ps_says_what_a_program_wants_to_know(
    start: Callable[..., Any], control: Control, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    flows(net, up)
    devices = control.ps()
    assert list(devices) == ["jobs", "calls", "one", "two"]
    for device in devices.values():
        assert list(device) == [
            "name", "type", "run", "state", "pid", "uptime", "restarts", "endpoints", "counters", "error",
        ]
        assert list(device["endpoints"]) == ["in", "out", "mon"]
        assert device["uptime"] > 0
        assert device["error"] is None
    assert devices["jobs"]["pid"] == up.process.pid
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


def test_all_topologies_in_short(start: Callable[..., Any], zmqtopo: Run, tmp_path: Path) -> None:
    assert zmqtopo("ps").returncode == 69
    assert "no topology is running" in zmqtopo("ps").stderr
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


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (("ps", "ti"), 69, "'ti' is not running; did you mean it?"),
    (("down", "other.yaml"), 69, "'other.yaml' is not running; running: it"),
    (("stop", "it", "job"), 2, "there is no device 'job'; did you mean jobs?"),
    (("logs", "it", "calsl"), 2, "there is no device 'calsl'; did you mean calls?"),
    (("pause", "it", "x\x1b[2J"), 2, r"there is no device 'x\x1b[2J'"),
    (("stop",), 2, "TOPOLOGY"),
    (("ps", "it", "jobs"), 2, "one argument too many"),
])
def test_names_that_are_not_there(
    start: Callable[..., Any], zmqtopo: Run, control: Control, arguments: tuple[str, ...], code: int, words: str
) -> None:
    up = start(TOPOLOGY).ready()
    done = zmqtopo(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert set(control.states().values()) == {"running"}
    up.stop()


def test_ps_starts_fast(start: Callable[..., Any]) -> None:
    import sys

    up = start(TOPOLOGY).ready()
    script = "import sys; from zmqtopo.cli import main; main(['ps', 'it', '--format', 'json']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(done.stdout.split("]\n")[-1].split())
    assert "zmqtopo.control.client" in loaded
    assert not loaded & {"zmq", "yaml", "jsonschema", "networkx", "zmqtopo.devices", "zmqtopo.checks"}
    up.stop()


# -- stop, start, restart -------------------------------------------------------------------------------------------


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
    assert between["jobs"]["endpoints"] == {"in": [], "out": [], "mon": []}
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
    assert "jobs: stopped\n" in up.stop() + "\n"


def test_everything_may_be_stopped_and_started_again(start: Callable[..., Any], control: Control, net: Any) -> None:
    up = start(TOPOLOGY).ready()
    control("stop")
    assert set(control.states(code=1).values()) == {"stopped"}
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


# -- pause ----------------------------------------------------------------------------------------------------------


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


# -- down -----------------------------------------------------------------------------------------------------------


def test_down_ends_what_runs_in_a_terminal(start: Callable[..., Any], zmqtopo: Run) -> None:
    up = start(TOPOLOGY).ready()
    done = zmqtopo("down", "it.yaml", "--format", "json")
    assert [device["state"] for device in json.loads(done.stdout)] == ["stopped"] * 4
    assert "jobs: stopped; 0 messages" in up.end(0)


def test_the_name_is_free_after_down(in_background: Callable[..., Any], control: Control) -> None:
    for _ in range(5):
        assert in_background(TOPOLOGY).returncode == 0
        control("down")


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


# -- a stop out of time ---------------------------------------------------------------------------------------------


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
    assert "a: stopped; 0 messages in to out, 0 out to in, 700 dropped, its time was over" in said


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
    assert "a: stopped; 500 messages in to out, 0 out to in, its time was over before all of them were sent" in said


# -- logs -----------------------------------------------------------------------------------------------------------


def test_logs(in_background: Callable[..., Any], control: Control, zmqtopo: Run) -> None:
    in_background(TOPOLOGY)
    control("pause", "jobs")
    said = control("logs").splitlines()
    assert [line.split(" ", 1)[1] for line in said][-2:] == [
        said[-2].split(" ", 1)[1], "jobs: paused",
    ]
    assert " it: ready, 4 devices in " in said[4]
    assert [line.split(" ", 2)[1:] for line in control("logs", "jobs").splitlines()][1:] == [["jobs:", "paused"]]
    told = [json.loads(line) for line in control("logs", "--format", "json", "jobs").splitlines()]
    assert [(entry["device"], entry["message"], entry.get("state")) for entry in told[1:]] == [
        ("jobs", "paused", "paused"),
    ]
    control("down")


def test_logs_go_on_until_the_end(in_background: Callable[..., Any], control: Control) -> None:
    in_background(TOPOLOGY)
    follower = subprocess.Popen([*COMMAND, "logs", "-f", "it", "jobs"], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert " jobs: streamer, thread; " in follower.stdout.readline()
    control("pause", "calls", "jobs")
    assert follower.stdout.readline().endswith(" jobs: paused\n")
    control("down")
    rest = follower.communicate(timeout=DEADLINE)[0]
    assert rest.endswith(" jobs: stopped; 0 messages in to out, 0 out to in\n")
    assert follower.returncode == 0


def test_the_last_words_of_what_failed_in_the_background(
    in_background: Callable[..., Any], control: Control, net: Any
) -> None:
    in_background(f"devices: {{a: {{type: streamer, restart: never, run: process, in: {ANY}, out: {ANY}}}}}")
    pid = control.ps()["a"]["pid"]
    os.kill(pid, signal.SIGKILL)
    net.until(lambda: control._run("ps", "it").returncode == 69)
    assert f"a: failed: a: process {pid} ended by SIGKILL" in control("logs", code=69)
    assert in_background(TOPOLOGY).returncode == 0      # takes over
    assert "SIGKILL" not in control("logs")
