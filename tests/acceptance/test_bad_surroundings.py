"""What goes wrong around a topology that runs is told in a clear message, and its devices never notice."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY, TOPOLOGY, pump
from .conftest import COMMAND, DEADLINE, Control, Up, is_free

Run = Callable[..., subprocess.CompletedProcess[str]]

VERBS = ("ps", "logs", "down", "stop", "start", "restart", "pause", "resume", "reload")

OF_DEVICES = ("logs", "stop", "start", "restart", "pause", "resume")


def streamers(*names: str) -> str:
    return "devices:\n" + "".join(f"  {name}: {{type: streamer, in: {ANY}, out: {ANY}}}\n" for name in names)


@pytest.fixture
def up(start: Callable[..., Up], net: Any, control: Control) -> Iterator[Up]:
    """A topology that runs, through which messages pass before and after all that is done to it."""
    up = start(TOPOLOGY).ready()
    ends = net.socket(zmq.PUSH, connect=up.address("jobs.in")), net.socket(zmq.PULL, connect=up.address("jobs.out"))
    pids = {name: device["pid"] for name, device in control.ps().items()}
    pump(net, *ends, range(10))
    yield up
    pump(net, *ends, range(10, 20))
    assert {name: (device["state"], device["pid"]) for name, device in control.ps().items()} == {
        name: ("running", pid) for name, pid in pids.items()}
    up.stop()


# -- names -----------------------------------------------------------------------------------------------------------


def test_names_of_topologies_that_are_not_there(up: Up, zmqtopo: Run) -> None:
    for verb in VERBS:
        for name, hint in (*((near, "; did you mean it?") for near in ("ti", "It", "x/it.yml")),
                           *((far, "; running: it") for far in ("feed", "", "é" * 200))):
            done = zmqtopo(verb, name)
            assert (done.returncode, done.stdout) == (69, ""), done
            assert done.stderr == f"zmqtopo: error: '{name}' is not running{hint}\n"


def test_names_of_devices_that_are_not_there(up: Up, zmqtopo: Run) -> None:
    for verb in OF_DEVICES:
        for name, hint in (("job", "; did you mean jobs?"), ("CALLS", "; did you mean calls?"), ("zebra", "")):
            done = zmqtopo(verb, "it", *(["jobs"] if verb != "logs" else []), name)
            assert (done.returncode, done.stdout) == (2, "[]" if done.stdout else ""), done
            assert done.stderr == f"zmqtopo: error: there is no device '{name}'{hint}\n"


# -- whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("which", ["zmqtopo", "zmqtopo/it"])
def test_a_state_folder_of_another_user(up: Up, zmqtopo: Run, state_folders: Path, tmp_path: Path, which: str) -> None:
    path = state_folders / which
    os.chown(path, 12345, -1)
    for verb in VERBS:
        done = zmqtopo(verb, "it")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"zmqtopo: error: {path} belongs to another user (uid 12345); be that user, or set ZMQTOPO_STATE_DIR to a "
            "folder of your own\n"
        )
    done = zmqtopo("up", "it.yaml")
    assert (done.returncode, " belongs to another user (uid 12345); " in done.stderr) == (1, True)
    os.chown(path, os.geteuid(), -1)


def test_a_state_folder_that_others_could_look_into(start: Callable[..., Up], state_folders: Path) -> None:
    (state_folders / "zmqtopo/it").mkdir(parents=True)
    for path in (state_folders / "zmqtopo", state_folders / "zmqtopo/it"):
        path.chmod(0o777)
    up = start(TOPOLOGY).ready()
    for path in (state_folders / "zmqtopo", state_folders / "zmqtopo/it"):
        assert path.stat().st_mode & 0o777 == 0o700
    up.stop()


def test_the_end_of_a_connection_is_not_taken_for_a_port_that_is_left() -> None:
    """The tests look for ports that are left, and the system gives the free ones to whoever connects to something."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        address = f"tcp://127.0.0.1:{client.getsockname()[1]}"
        with client, server.accept()[0]:
            assert is_free(address)
        client.close()
        assert is_free(address)
        assert not is_free(f"tcp://127.0.0.1:{server.getsockname()[1]}")


def test_a_state_folder_that_is_removed_while_it_runs(
    start: Callable[..., Up], zmqtopo: Run, state_folders: Path, net: Any
) -> None:
    up = start(TOPOLOGY).ready()
    shutil.rmtree(state_folders / "zmqtopo")
    assert zmqtopo("ps", "it").stderr == "zmqtopo: error: 'it' is not running\n"
    up.send(signal.SIGHUP)
    up.wait_for("nothing has changed")
    pump(net, net.socket(zmq.PUSH, connect=up.address("jobs.in")),
         net.socket(zmq.PULL, connect=up.address("jobs.out")), range(10))
    up.stop()


# -- what it is asked ------------------------------------------------------------------------------------------------


def ask(state_folders: Path, question: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(state_folders / "zmqtopo/it/control"))
        with connection.makefile("rb") as lines:
            assert json.loads(lines.readline())["zmqtopo"] == 1
            connection.sendall(question + b"\n")
            answer: dict[str, Any] = json.loads(lines.readline())
            return answer


@pytest.mark.parametrize("version", [b"0", b"2", b"1.5", b"-1", b'"1"', b"true", b"null", b"[1]", b"9" * 4000, b"NaN"])
def test_a_client_of_another_version(up: Up, state_folders: Path, version: bytes) -> None:
    answer = ask(state_folders, b'{"zmqtopo": %b, "verb": "down"}' % version)
    assert (answer["ok"], answer["reason"]) == (False, "version")
    assert "speaks version 1 of the control protocol" in answer["errors"][0]
    assert len(answer["errors"][0]) < 200


def test_a_client_without_a_version(up: Up, state_folders: Path) -> None:
    answer = ask(state_folders, b'{"verb": "down"}')
    assert (answer["ok"], answer["reason"]) == (False, "version")


@pytest.mark.parametrize(("greeting", "words"), [
    (b'{"zmqtopo": 0, "release": "0.0.1"}', "it runs zmqtopo 0.0.1, whose control protocol has version 0; this one "
     "speaks version 1: use the command of the same release"),
    (b'{"zmqtopo": 9, "release": "4.2"}', "it runs zmqtopo 4.2, whose control protocol has version 9; this one speaks "
     "version 1: use the command of the same release"),
    (b'{"release": "4.2"}', "does not speak as zmqtopo does"),
    (b'{"zmqtopo": "1"}', "does not speak as zmqtopo does"),
    (b"HTTP/1.1 400 Bad Request", "does not speak as zmqtopo does"),
])
def test_a_topology_of_another_version(zmqtopo: Run, state_folders: Path, greeting: bytes, words: str) -> None:
    (state_folders / "zmqtopo/it").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(state_folders / "zmqtopo/it/control"))
        listener.listen()
        for verb in VERBS:
            asked = subprocess.Popen([*COMMAND, verb, "it"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting + b"\n")
                out, said = asked.communicate(timeout=DEADLINE)
            assert (asked.returncode, out) == (1, "")
            assert said.startswith("zmqtopo: error: ")
            assert said.endswith(f"{words}\n")
            assert said.count("\n") == 1


# -- a file that is replaced while it is read ------------------------------------------------------------------------


def replaced(path: Path) -> None:
    path.with_name("new").write_text(streamers("a", *(f"more{n}" for n in range(50))))
    path.with_name("new").replace(path)


def written_in_place(path: Path) -> None:
    with path.open("w", buffering=1) as file:       # a write for each line
        file.writelines(streamers("a", "b").splitlines(keepends=True))


def cut(path: Path) -> None:
    os.truncate(path, 12)


def removed(path: Path) -> None:
    path.unlink()


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put(path: Path, text: str) -> None:
    """Make a file of whatever is there."""
    if path.is_dir():
        path.rmdir()
    elif path.is_fifo():
        path.unlink()
    path.write_text(text)


def test_a_file_that_becomes_something_else_again_and_again(
    start: Callable[..., Up], zmqtopo: Run, control: Control, net: Any, tmp_path: Path
) -> None:
    up = start(streamers("a"), "--watch").ready()
    ends = net.socket(zmq.PUSH, connect=up.address("a.in")), net.socket(zmq.PULL, connect=up.address("a.out"))
    path, done = tmp_path / "it.yaml", threading.Event()

    def change() -> None:
        while not done.is_set():
            for way in (replaced, written_in_place, cut, replaced, removed, made_a_folder, made_a_pipe):
                put(path, streamers("a"))
                way(path)
                done.wait(0.001)

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for number in range(20):
            up.send(signal.SIGHUP)
            answer = zmqtopo("reload", "it")
            assert answer.returncode in (0, 78), answer
            assert "Traceback" not in answer.stderr
            assert (answer.returncode == 0) == (not answer.stderr), answer
            pump(net, *ends, range(number * 10, number * 10 + 10))
    finally:
        done.set()
        writer.join()
    put(path, streamers("a", "b"))
    assert zmqtopo("reload", "it").returncode == 0
    assert list(control.ps()) == ["a", "b"]
    pump(net, *ends, range(10))
    up.stop()


@pytest.fixture
def from_pipe(tmp_path: Path) -> Iterator[Up]:
    path = tmp_path / "it.yaml"
    os.mkfifo(path)
    feed = threading.Thread(target=path.write_text, args=(streamers("a"),))
    feed.start()
    up = Up([str(path)], tmp_path, {})
    yield up.ready()
    feed.join()
    up.clean_up()


def test_a_pipe_is_read_once_and_never_waited_for(
    from_pipe: Up, zmqtopo: Run, control: Control, tmp_path: Path
) -> None:
    up, path = from_pipe, tmp_path / "it.yaml"
    up.send(signal.SIGHUP)
    words = f"{path}:1:1: error: this is a pipe or a device and not a file [unreadable-file]"
    up.wait_for(words)
    up.wait_for("cannot run, and nothing is changed")
    done = zmqtopo("reload", "it")
    assert (done.returncode, words in done.stderr) == (78, True)
    assert zmqtopo("reload", "it", "it.yaml").stderr == (
        "zmqtopo: error: a running topology cannot read what comes from it.yaml; name a file\n")
    assert zmqtopo("up", "--watch", "it.yaml").stderr == (
        "zmqtopo: error: --watch needs a file, and it.yaml is not one\n")
    (tmp_path / "file.yaml").write_text(streamers("a", "b"))
    assert zmqtopo("reload", "it", "file.yaml").returncode == 0
    assert list(control.ps()) == ["a", "b"]
    up.stop()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_secret_that_would_have_to_be_waited_for(
    up: Up, zmqtopo: Run, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "secret")
    (tmp_path / "new.yaml").write_text(streamers("a").replace(
        "}, out", f", options: {{plain_password: {{file: {tmp_path}/secret}}}}}}, out"))
    done = zmqtopo("reload", "it", "new.yaml")
    why = "a pipe or a device and not a file"
    assert (done.returncode, done.stderr) == (1, f"zmqtopo: error: cannot read {tmp_path}/secret: {why}\n")
    done = zmqtopo("up", "new.yaml")
    assert done.returncode == 1
    assert f"a.in: cannot read plain_password from {tmp_path}/secret ({why}) [option-file]\n" in done.stderr


# -- a log that cannot be written ------------------------------------------------------------------------------------


def full_at(size: int) -> Callable[[], None]:
    """A disk on which no file gets larger than so many bytes; Python ignores SIGXFSZ, so that writing fails."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_full_disk_for_the_log(
    start: Callable[..., Up], zmqtopo: Run, control: Control, net: Any, state_folders: Path
) -> None:
    up = start(TOPOLOGY, preexec_fn=full_at(2000)).ready()
    ends = net.socket(zmq.PUSH, connect=up.address("jobs.in")), net.socket(zmq.PULL, connect=up.address("jobs.out"))
    for number in range(8):
        control("pause")
        control("resume")
        pump(net, *ends, range(number * 10, number * 10 + 10))
    assert (state_folders / "zmqtopo/it/log").stat().st_size == 2000
    resource.prlimit(up.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    up.send(signal.SIGHUP)
    up.wait_for("nothing has changed")
    said = zmqtopo("logs", "it").stdout
    assert " messages could not be written here: File too large\n" in said
    assert said.endswith(" it: reloaded; nothing has changed\n")
    up.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only some systems have a device that is always full")
def test_a_full_disk_for_standard_error(zmqtopo: Run, control: Control, tmp_path: Path, net: Any) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen([*COMMAND, "up", "it.yaml"], cwd=tmp_path, stderr=full)
        net.until(lambda: "ready, 4 devices" in zmqtopo("logs", "it").stdout)
        assert set(control.states().values()) == {"running"}
        control("down")
        assert process.wait(DEADLINE) == 0


def test_a_full_disk_at_the_start(start: Callable[..., Up], state_folders: Path) -> None:
    said = start(TOPOLOGY, preexec_fn=full_at(0)).end(1)
    assert said == (
        f"zmqtopo: error: cannot use the state folder {state_folders}/zmqtopo/it: File too large; "
        "set ZMQTOPO_STATE_DIR to one with room"
    )
    assert list(state_folders.iterdir()) == []


@pytest.mark.parametrize("away", [Path.unlink, lambda path: path.rename(path.with_name("log-20260101"))])
def test_a_log_that_somebody_takes_away(
    in_background: Callable[..., Any], control: Control, state_folders: Path, away: Callable[[Path], object]
) -> None:
    in_background(TOPOLOGY)
    follower = subprocess.Popen([*COMMAND, "logs", "-f", "it"], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    while ": ready, 4 devices in " not in follower.stdout.readline():
        continue
    away(state_folders / "zmqtopo/it/log")
    control("pause", "jobs")
    assert " jobs: paused by a command of pid " in follower.stdout.readline()
    assert [line.split(" ")[1:3] for line in control("logs").splitlines()] == [["jobs:", "paused"]]
    control("down")
    assert " jobs: stopped; " in follower.communicate(timeout=DEADLINE)[0]


# -- a clock that jumps ----------------------------------------------------------------------------------------------


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <sys/time.h>
#include <time.h>

static long jump(void) {
    static volatile long *seconds;
    if (!seconds) seconds = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, open(getenv("CLOCK_JUMP"), O_RDONLY), 0);
    return *seconds;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(clock, at);
    if (clock == CLOCK_REALTIME) at->tv_sec += jump();
    return rc;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
"""A library that lets the clock of a process jump by the seconds in a file, but not the one that only counts."""


@pytest.fixture
def clock(tmp_path: Path) -> tuple[dict[str, str], Callable[[int], None]]:
    """The environment of a process with such a clock, and how to let it jump."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/proc/self").exists():
        pytest.skip("needs a C compiler and Linux")
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    jump = tmp_path / "jump"
    jump.write_bytes(bytes(8))

    def set_(seconds: int) -> None:
        with jump.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    return {"LD_PRELOAD": str(tmp_path / "clock.so"), "CLOCK_JUMP": str(jump)}, set_


@pytest.mark.parametrize("seconds", [-10 * 365 * 86400, -3600, 3600, 10 * 365 * 86400])
def test_a_clock_that_jumps(
    start: Callable[..., Up], zmqtopo: Run, control: Control, net: Any, seconds: int,
    clock: tuple[dict[str, str], Callable[[int], None]],
) -> None:
    env, jump = clock
    up = start(TOPOLOGY, "--watch", env=env).ready()
    ends = net.socket(zmq.PUSH, connect=up.address("jobs.in")), net.socket(zmq.PULL, connect=up.address("jobs.out"))
    pump(net, *ends, range(10))
    before = control.ps()
    jump(seconds)
    pump(net, *ends, range(10))
    now = control.ps()
    for name, device in now.items():
        assert (device["state"], device["pid"], device["restarts"]) == ("running", before[name]["pid"], 0)
        assert 0 <= device["uptime"] - before[name]["uptime"] < DEADLINE
    # What the clock of the system says is shown as it is.
    last = now["jobs"]["counters"]["in_to_out"]["last"]
    assert abs(last - time.time() - seconds) < DEADLINE
    control("pause", "jobs")
    stamp = json.loads(zmqtopo("logs", "--format", "json", "it", "jobs").stdout.splitlines()[-1])["time"]
    assert abs((datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds() - seconds) < DEADLINE
    control("resume", "jobs")
    # Nothing waits for hours, or not at all: a killed worker comes back after its 100 ms, and a stop has its time.
    os.kill(now["calls"]["pid"], signal.SIGKILL)
    up.wait_for("calls: running")
    jump(0)
    pump(net, *ends, range(10))
    assert set(control.states().values()) == {"running"}
    began = time.monotonic()
    up.stop()
    assert time.monotonic() - began < DEADLINE


# -- a service manager that goes, and limits -------------------------------------------------------------------------


def test_a_service_manager_that_goes_and_comes_back(start: Callable[..., Up], control: Control, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(DEADLINE)
        # Nobody reads: soon there is no room for more.
        up = start(TOPOLOGY, env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000"}).ready()
        for _ in range(20):
            assert set(control.states().values()) == {"running"}
    path.unlink()
    up.send(signal.SIGHUP)
    up.wait_for("nothing has changed")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(DEADLINE)
        while manager.recv(4096) != b"WATCHDOG=1":      # perhaps first that the reload is done
            pass
        up.stop()
