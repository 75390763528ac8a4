"""``zmqtopo up -d``: who starts it, who else wants its name, and what it has said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.control.ended import RECORD

from .brokers import ANY, TOPOLOGY, pump
from .conftest import COMMAND, DEADLINE, Control, is_free

Run = Callable[..., subprocess.CompletedProcess[str]]


# -- in the background ------------------------------------------------------------------------------------------------


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
    assert os.getsid(devices["jobs"]["pid"]) != os.getsid(0)
    assert "jobs: stopped; 100 messages in to out, 0 out to in\n" in control("down")
    # Processes that have ended have no port; by now another program may have got it.
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert all(is_free(address) for address in addresses if address.startswith("ipc"))
    assert [path.name for path in (state_folders / "zmqtopo").iterdir()] == [RECORD]
    control("down", code=69)
    control("ps", code=69)


@pytest.mark.parametrize("wait", ["--wait", "--wait=10", "--wait=10s"])
def test_wait_is_enough_to_say(wait: str, tmp_path: Path, zmqtopo: Run, control: Control) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    assert zmqtopo("up", wait, "it.yaml").returncode == 0
    assert set(control.states().values()) == {"running"}
    control("down", "--force")


def test_who_starts_it_may_be_a_program(in_background: Callable[..., Any]) -> None:
    started = in_background(TOPOLOGY, "--log-format", "json")
    assert started.returncode == 0
    assert json.loads(started.stderr.splitlines()[-1])["event"] == "ready"


def test_who_does_not_wait_can_end_it_at_once(in_background: Callable[..., Any], control: Control) -> None:
    for _ in range(3):
        started = in_background(TOPOLOGY, "--wait=0")
        assert started.returncode == 1
        assert "error: not ready within 0 s; process " in started.stderr
        assert control("down").count(": stopped; ") == 4
        control("ps", code=69)


def test_who_waits_for_what_is_stopped_meanwhile_hears_of_it(
    in_background: Callable[..., Any], control: Control, state_folders: Path, net: Any
) -> None:
    devices = "".join(f"  d{i}: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}\n" for i in range(60))
    with ThreadPoolExecutor() as pool:
        started = pool.submit(in_background, "devices:\n" + devices)
        net.until(lambda: (state_folders / "zmqtopo/it/control").exists())
        control("down")
    assert started.result().returncode == 1
    assert started.result().stderr.endswith("zmqtopo: error: it was stopped before it was ready\n")


def test_who_does_not_wait_hears_what_is_wrong_with_the_file(in_background: Callable[..., Any]) -> None:
    started = in_background("devices: {a: {type: steamer}}", "--wait=0")
    assert (started.returncode, "did you mean streamer" in started.stderr) == (78, True), started


@pytest.mark.parametrize("wait", ["--wait=soon", "--wait=-1", "--wait=nan"])
def test_a_wait_that_is_no_time(in_background: Callable[..., Any], wait: str) -> None:
    started = in_background(TOPOLOGY, wait)
    assert started.returncode == 2
    assert f"argument --wait: {wait.partition('=')[2]!r} is not a time such as 5s, 500ms or 2m\n" in started.stderr


def test_a_start_that_fails_is_told_to_who_started_it(
    in_background: Callable[..., Any], net: Any, control: Control, state_folders: Path
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
        assert list(state_folders.iterdir()) == []


def test_from_standard_input(tmp_path: Path, zmqtopo: Run) -> None:
    started = zmqtopo("up", "-d", "-", data=f"name: piped\n{TOPOLOGY}".encode())
    assert started.returncode == 0, started
    control = Control(zmqtopo, "piped")
    assert set(control.states().values()) == {"running"}
    control("down")


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_from_what_a_command_prints(tmp_path: Path, zmqtopo: Run, folder: str) -> None:
    readable, writable = os.pipe()
    os.write(writable, f"name: piped\n{TOPOLOGY}".encode())
    os.close(writable)
    started = subprocess.run([*COMMAND, "up", "-d", f"{folder}/{readable}"], cwd=tmp_path, pass_fds=[readable],
                             stderr=subprocess.PIPE, check=False, timeout=DEADLINE)
    os.close(readable)
    assert started.returncode == 0, started
    control = Control(zmqtopo, "piped")
    assert set(control.states().values()) == {"running"}
    control("down")
    missing = zmqtopo("up", "-d", f"{folder}/{readable}")
    assert (missing.returncode, "there is no such file" in missing.stderr) == (78, True)


def test_it_does_not_hold_on_to_who_started_it(tmp_path: Path, control: Control) -> None:
    # A shell waits for the end of the pipe that takes the output of $(...).
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    done = subprocess.run(
        [*COMMAND, "up", "-d", "it.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
        timeout=30,
    )
    assert b"ready" in done.stdout
    control("down")


# -- one name, one topology -------------------------------------------------------------------------------------------


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
        "end it with: zmqtopo down it, or run this one with --name and another name\n"
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


# -- logs -------------------------------------------------------------------------------------------------------------


def test_logs(in_background: Callable[..., Any], control: Control, zmqtopo: Run) -> None:
    in_background(TOPOLOGY)
    control("pause", "jobs")
    said = control("logs").splitlines()
    assert " jobs: paused by a command of pid " in said[-1]
    assert " it: ready, 4 devices in " in said[4]
    assert [line.split(" ")[1:3] for line in control("logs", "jobs").splitlines()][1:] == [["jobs:", "paused"]]
    told = [json.loads(line) for line in control("logs", "--format", "json", "jobs").splitlines()]
    assert [(entry["device"], entry["message"].split()[0], entry["state"]) for entry in told[1:]] == [
        ("jobs", "paused", "paused"),
    ]
    control("down")


def test_logs_go_on_until_the_end(in_background: Callable[..., Any], control: Control) -> None:
    in_background(TOPOLOGY)
    follower = subprocess.Popen([*COMMAND, "logs", "-f", "it", "jobs"], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert " jobs: streamer, thread; " in follower.stdout.readline()
    control("pause", "calls", "jobs")
    assert " jobs: paused by a command of pid " in follower.stdout.readline()
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
    assert f"a: failed: process {pid} ended by SIGKILL" in control("logs", code=69)
    assert in_background(TOPOLOGY).returncode == 0      # takes over
    assert "SIGKILL" not in control("logs")
