"""What is said, how often, and what a log that cannot be written does to who says it: nothing."""

from __future__ import annotations

import json
import logging
import os
import pty
import select
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from zmqtopo.service.log.messages import BURST, INTERVAL, Log
from zmqtopo.supervisor.log_writer import WRITE_TIMEOUT

NOON = 1_700_000_000.25     # 2023-11-14T22:13:20.250Z


class Clock:
    """Two clocks that go when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = NOON

    def log(self, fd: int, **options: Any) -> Log:
        return Log("feed", fd=fd, clock=lambda: self.now, wall=lambda: self.wall, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue    # by the test


def said(reader: int) -> list[str]:
    """The lines that wait in a pipe."""
    data = b""
    while select.select([reader], [], [], 0)[0]:
        chunk = os.read(reader, 65536)
        if not chunk:
            break
        data += chunk
    assert not data or data.endswith(b"\n")
    return data.decode().splitlines()


# -- forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "facts", "line"), [
    ("ready, 3 devices in 0.01 s", {"event": "ready"}, "zmqtopo: feed: ready, 3 devices in 0.01 s"),
    ("running again", {"device": "in-1", "state": "running"}, "zmqtopo: in-1: running again"),
    ("in.bind: taken", {"event": "error"}, "zmqtopo: error: in.bind: taken"),
    ("a\nb\x1b[31m", {}, "zmqtopo: feed: a\\nb\\x1b[31m"),
    ("naïve \udc80", {}, "zmqtopo: feed: naïve \\udc80"),
])
def test_text(clock: Clock, pipe: tuple[int, int], text: str, facts: dict[str, str], line: str) -> None:
    clock.log(pipe[1]).say(text, **facts)
    clock.log(pipe[1], stamps=True).say(text, **facts)
    assert said(pipe[0]) == [line, f"2023-11-14T22:13:20.250Z {line}"]


@pytest.mark.parametrize(("text", "facts", "expected"), [
    ("ready", {"event": "ready"}, {"event": "ready", "level": "info"}),
    ("running\nagain", {"device": "in-1", "state": "running"},
     {"device": "in-1", "event": "state", "state": "running", "level": "info"}),
    ("failed: why", {"device": "in-1", "state": "failed", "level": logging.ERROR},
     {"device": "in-1", "event": "state", "state": "failed", "level": "error"}),
    ("naïve \udc80", {}, {"event": "message", "level": "info"}),
])
def test_json(clock: Clock, pipe: tuple[int, int], text: str, facts: dict[str, Any], expected: dict[str, str]) -> None:
    clock.log(pipe[1], form="json").say(text, **facts)
    line, = said(pipe[0])
    assert json.loads(line) == {"time": "2023-11-14T22:13:20.250Z", "topology": "feed", "message": text} | expected


@pytest.mark.parametrize(("level", "priority"), [
    (logging.DEBUG, 6), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 3),
])
def test_priorities_for_journald(clock: Clock, pipe: tuple[int, int], level: int, priority: int) -> None:
    clock.log(pipe[1], priorities=True).say("as it is", level=level)
    clock.log(pipe[1], priorities=True, form="json").say("as it is", level=level)
    text, json_ = said(pipe[0])
    assert text == f"<{priority}>zmqtopo: feed: as it is"
    assert json_.startswith(f'<{priority}>{{"time": ')


# -- too much --------------------------------------------------------------------------------------------------------


def test_a_device_that_says_too_much(clock: Clock, pipe: tuple[int, int]) -> None:
    log = clock.log(pipe[1])
    for number in range(BURST + 3):
        log.say(f"{number}", device="a")
    log.say("other", device="b")
    log.say("mine")
    assert said(pipe[0]) == [*(f"zmqtopo: a: {number}" for number in range(BURST)), "zmqtopo: b: other",
                             "zmqtopo: feed: mine"]
    assert log.timer.due() == log.due == clock.now + INTERVAL
    log.tick()
    assert said(pipe[0]) == []
    clock.now += INTERVAL
    log.timer.do()
    log.tick()
    assert said(pipe[0]) == ["zmqtopo: a: 3 similar messages left out"]
    assert log.due is None


def test_what_was_left_out_is_said_before_what_comes_next(clock: Clock, pipe: tuple[int, int]) -> None:
    log = clock.log(pipe[1], form="json")
    for _ in range(BURST + 1):
        log.say("again", device="a", state="backoff")
    log.say("it has failed", device="a", state="failed")
    told = [json.loads(line) for line in said(pipe[0])][BURST:]
    assert [(t["event"], t["message"]) for t in told] == [
        ("left-out", "1 similar message left out"), ("state", "it has failed")]


def test_all_is_said_at_the_end(clock: Clock, pipe: tuple[int, int]) -> None:
    log = clock.log(pipe[1])
    for _ in range(BURST + 2000):
        log.say("again", device="a")
    log.close()
    log.close()
    assert said(pipe[0])[BURST:] == ["zmqtopo: a: 2,000 similar messages left out"]


def test_a_device_that_was_quiet_has_its_burst_again_and_no_more(clock: Clock, pipe: tuple[int, int]) -> None:
    log = clock.log(pipe[1])
    for _ in range(2):
        for _ in range(BURST):
            log.say("x", device="a")
        clock.now += 1000 * BURST * INTERVAL
    for _ in range(BURST + 1):
        log.say("x", device="a")
    assert len(said(pipe[0])) == 3 * BURST
    assert log.due == clock.now + INTERVAL


@pytest.mark.parametrize("jump", [-10 * 365 * 86400.0, 3600.0, 10 * 365 * 86400.0])
def test_a_clock_that_jumps_changes_stamps_only(clock: Clock, pipe: tuple[int, int], jump: float) -> None:
    log = clock.log(pipe[1], form="json")
    for number in range(BURST + 1):
        clock.wall = NOON + jump * (number % 2)
        log.say("x", device="a")
    lines = [json.loads(line)["time"] for line in said(pipe[0])]
    assert len(lines) == BURST
    assert len(set(lines)) == 2
    assert log.due == clock.now + INTERVAL


# -- what cannot be written ------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_for_a_while(clock: Clock, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    fd = os.open("/dev/full", os.O_WRONLY)
    log = clock.log(fd)
    for number in range(3):
        log.say(f"{number}")
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, fd)
    log.say("there is room again")
    log.say("and still")
    assert (tmp_path / "log").read_text().splitlines() == [
        "zmqtopo: feed: 3 messages could not be written here: No space left on device",
        "zmqtopo: feed: there is room again", "zmqtopo: feed: and still"]
    os.close(file)
    os.close(fd)


def test_a_disk_that_is_full_in_the_middle_of_a_line(tmp_path: Path) -> None:
    script = dedent("""
        import os, resource, sys
        from zmqtopo.service.log.messages import Log
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        log = Log("feed", fd=fd)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
        log.say("it is cut in the middle of what it says here, and ends")
        log.say("no byte of this")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        log.say("whole")
    """)
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "log"], capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = (tmp_path / "log").read_text().splitlines()
    assert len(first) == 50
    assert others == ["zmqtopo: feed: 2 messages could not be written here: File too large", "zmqtopo: feed: whole"]


def test_a_reader_that_is_gone(clock: Clock, pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    log = clock.log(pipe[1])
    log.say("unheard")
    log.close()


def test_a_terminal_that_is_gone(clock: Clock) -> None:
    ours, theirs = pty.openpty()
    log = clock.log(theirs)
    log.say("heard")
    assert b"heard" in os.read(ours, 1000)
    os.close(ours)
    log.say("unheard")
    os.close(theirs)
    log.say("unheard too")


def test_a_reader_that_stops_reading_is_waited_for_once(clock: Clock, pipe: tuple[int, int]) -> None:
    log = clock.log(pipe[1])
    said_whole = 0
    start = time.monotonic()
    for number in range(5000):      # 500 kB, more than any pipe holds
        log.say(f"{number:05} " + 80 * "x")
    assert time.monotonic() - start < WRITE_TIMEOUT + 5
    lines = said(pipe[0])
    said_whole = len(lines)
    assert 0 < said_whole < 5000
    log.say("it reads again")
    lost = 5000 - said_whole
    assert said(pipe[0]) == [f"zmqtopo: feed: {lost:,} messages could not be written here: nobody read them",
                             "zmqtopo: feed: it reads again"]
    assert os.get_blocking(pipe[1])


def test_devices_that_say_no_more_are_forgotten(clock: Clock) -> None:
    with Path(os.devnull).open("wb") as nowhere:
        log = clock.log(nowhere.fileno())
        log.say("running", device="first")
        tracemalloc.start()
        try:
            for number in range(1000):
                clock.now += INTERVAL
                log.say("running", device=f"d{number}")
            ours = tracemalloc.Filter(True, "*/zmqtopo/service/log/messages.py")
            kept = tracemalloc.take_snapshot().filter_traces([ours])
        finally:
            tracemalloc.stop()
    assert sum(trace.size for trace in kept.traces) < 20_000     # a thousand buckets have more than 100,000
