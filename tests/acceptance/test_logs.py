"""``zmqtopo logs``: the last lines, since when, of which devices and topologies, and who asked for what happened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Control, InTerminal, Up

Run = Callable[..., subprocess.CompletedProcess[str]]

A = f"""devices:
  a: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}
  b: {{type: queue, in: {ANY}, out: {ANY}}}
"""


@pytest.fixture
def shop(start: Callable[..., Up], control: Control) -> Iterator[Up]:
    """A topology ``it`` that has something to tell."""
    up = start(A).ready()
    control("pause", "b")
    control("resume")
    control("stop", "a")
    yield up
    control("down", code=None)
    up.end(0)


def told(text: str) -> list[str]:
    """The messages of lines as people see them, without their times."""
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_the_last_lines(shop: Up, zmqtopo: Run) -> None:
    lines = zmqtopo("logs", "it").stdout.splitlines()
    assert len(lines) > 5
    for number, option in ((3, ("-n", "3")), (1, ("--tail", "1")), (2, ("--tail=2",)), (0, ("-n", "0")),
                           (len(lines), ("--tail", "all")), (len(lines), ("-n", "1000000"))):
        assert zmqtopo("logs", "it", *option).stdout.splitlines() == lines[len(lines) - number:]
    assert zmqtopo("logs", "-n1", "it", "b").stdout.splitlines() == [[line for line in lines if " b: " in line][-1]]
    for bad in ("-1", "x", "1.5", "\u0663"):
        done = zmqtopo("logs", "it", f"--tail={bad}")
        assert (done.returncode, "is not a number of lines" in done.stderr) == (2, True)


def test_since_and_until(shop: Up, zmqtopo: Run) -> None:
    entries = [json.loads(line) for line in zmqtopo("logs", "it", "--format", "json").stdout.splitlines()]
    times = [entry["time"] for entry in entries]
    paused = next(entry["time"] for entry in entries if entry.get("state") == "paused")

    def found(*options: str) -> list[str]:
        done = zmqtopo("logs", "it", "--format", "json", *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["time"] for line in done.stdout.splitlines()]

    assert found("--since", paused) == [time for time in times if time >= paused]
    assert found("--until", paused) == [time for time in times if time < paused]
    local = datetime.fromisoformat(paused).astimezone().replace(tzinfo=None)
    assert found("--since", str(local)) == [time for time in times if time >= paused]
    for everything in ("5m", "1h", "2d", "5m ago", "yesterday", "300", "2020-01-01", "2020-01-01T12:00:00Z"):
        assert found("--since", everything) == times, everything
    for nothing in ("0s", "now", "0", (datetime.now(UTC) + timedelta(days=2)).date().isoformat()):
        assert found("--since", nothing) == [], nothing
    assert found("--until", "now", "--since", "1h") == times
    for bad in ("soon", "25:00", "5 minutes", "2026-13-01", "", "1e9h", "99999999999d"):
        done = zmqtopo("logs", "it", "--since", bad)
        assert (done.returncode, "is not a moment such as 5m (ago), 12:30" in done.stderr) == (2, True), bad


def test_several_devices_and_topologies(shop: Up, start: Callable[..., Up], zmqtopo: Run, tmp_path: Path) -> None:
    other = start(A.replace("  b:", "  it:"), name="other").ready()
    for words in (("it", "a", "b"), ("it", "b", "a"), ("--file", "it.yaml", "a", "b")):
        said = told(zmqtopo("logs", *words).stdout)
        assert {line.partition(":")[0] for line in said} == {"a", "b"}
    said = told(zmqtopo("logs", "it", "other").stdout)
    assert {line.partition(":")[0] for line in said} == {"it", "other"}
    assert [line for line in said if ": ready, 2 devices" in line][1].startswith("other: ready")
    assert any(line.startswith("it: b: paused") for line in said)
    times = [line.partition(" ")[0] for line in zmqtopo("logs", "it", "other").stdout.splitlines()]
    assert times == sorted(times)
    said = told(zmqtopo("logs", "it", "b", "other.yaml", "a").stdout)
    assert {tuple(line.split(": ")[:2]) for line in said} == {("it", "b"), ("other", "a")}
    assert told(zmqtopo("logs", "other", "it").stdout)[0].startswith("it: ")    # a device of the first comes first
    done = zmqtopo("logs", "it", "aa")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zmqtopo: error: there is no device 'aa'; did you mean a?\n"
    objects = [json.loads(line) for line in zmqtopo("logs", "it", "other", "--format", "json").stdout.splitlines()]
    assert {one["topology"] for one in objects} == {"it", "other"}
    other.stop()
    assert zmqtopo("logs", "a").stdout == zmqtopo("logs", "it", "a").stdout     # a device of the only one that runs


def test_every_line_has_a_level_and_an_event(
    in_background: Any, zmqtopo: Run, control: Control, state_folders: Path, net: Any
) -> None:
    in_background(A)
    os.kill(control.ps()["a"]["pid"], signal.SIGKILL)
    net.until(lambda: control.ps(code=None)["a"]["restarts"] == 1)
    with (state_folders / "zmqtopo" / "it" / "log").open("a") as log:
        log.write("Assertion failed: somebody else's \x1b[31m words\n{\"message\": \"from an older release\"}\n")
    lines = zmqtopo("logs", "it", "--format", "json").stdout.splitlines()
    objects = [json.loads(line) for line in lines]
    assert all(one["level"] in ("info", "warning", "error") and one["event"] for one in objects)
    assert [one["event"] for one in objects][:3] == ["started", "started", "ready"]
    ended = next(one for one in objects if "SIGKILL" in one["message"])
    assert (ended["level"], ended["event"], ended["state"]) == ("warning", "state", "backoff")
    assert (objects[-2]["event"], objects[-2]["level"], objects[-2]["topology"]) == ("output", "warning", "it")
    worse = [json.loads(line) for line in zmqtopo("logs", "it", "--level", "warning", "--format",
                                                  "json").stdout.splitlines()]
    assert worse == [one for one in objects if one["level"] != "info"]
    assert zmqtopo("logs", "it", "--level", "error").stdout == ""
    assert "\x1b" not in zmqtopo("logs", "it").stdout


def test_who_asked(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start(A).ready()

    def ask(*arguments: str) -> int:
        with subprocess.Popen([*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE) as process:
            assert process.wait(DEADLINE) == 0
            return process.pid

    for verb, words in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("start", "running")):
        by = f"by a command of pid {ask(verb, 'it', 'b')}, uid {os.geteuid()}"
        assert up.wait_for(f"b: {words}").endswith(f"{words} {by}")
    by = f"by a command of pid {ask('restart', 'it')}, uid {os.geteuid()}"
    assert up.wait_for("a: stopped").endswith(f"stopped {by}")
    assert up.wait_for(": running").endswith(f"running {by}")
    ask("start", "it")      # changes nothing
    by = f"by a command of pid {ask('reload', 'it')}, uid {os.geteuid()}"
    assert by in up.wait_for("reloading ")
    (worker,) = up.workers() - {up.worker("threads")}
    os.kill(worker, signal.SIGKILL)
    up.wait_for("a: ended")
    assert up.wait_for("a: running").endswith("a: running")     # nobody has asked for that
    by = f"by a command of pid {ask('down', 'it')}, uid {os.geteuid()}"
    assert up.wait_for("it: stopping") == f"zmqtopo: it: stopping {by}; a second signal skips the wait"
    up.end(0)


# -- following -------------------------------------------------------------------------------------------------------


def test_a_follower_notices_that_nobody_reads(shop: Up) -> None:
    with subprocess.Popen([*COMMAND, "logs", "it", "-f", "-n", "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        assert b"a: stopped" in follower.stdout.readline()
        follower.stdout.close()     # as head -1 does; nothing more is said
        assert follower.wait(DEADLINE) == 141
        assert follower.stderr is not None
        assert follower.stderr.read() == b""


def test_following_several(shop: Up, start: Callable[..., Up], control: Control) -> None:
    other = start(A, name="other").ready()
    with subprocess.Popen([*COMMAND, "logs", "it", "b", "other", "-f", "-n", "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert ": ready, " in follower.stdout.readline()
        control("pause", "b")
        seen = ""
        while "it: b: paused" not in seen:
            seen = follower.stdout.readline()
        other.stop()
        control("resume", "b")
        while "it: b: running" not in seen:
            seen = follower.stdout.readline()       # one has ended, and the other goes on
        control("down")
        rest = follower.stdout.read()
        assert follower.wait(DEADLINE) == 0
        assert "a: " not in rest


def test_colours_by_level(
    in_background: Any, in_terminal: Callable[..., InTerminal], control: Control, net: Any
) -> None:
    in_background(A)
    os.kill(control.ps()["a"]["pid"], signal.SIGKILL)
    net.until(lambda: control.ps(code=None)["a"]["restarts"] == 1)
    _, shown, _ = in_terminal("logs", "it", columns=200).end()
    assert re.search(r"^\x1b\[33m.*SIGKILL.*\x1b\[0m$", shown, re.MULTILINE)
    assert "\x1b[" not in in_terminal("logs", "it", "--no-color", columns=200).end()[1]


# -- the journal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
def test_priorities_when_the_journal_reads(tmp_path: Path, zmqtopo: Run, form: str) -> None:
    """systemd names the stream in JOURNAL_STREAM; somebody who has redirected it elsewhere gets no numbers."""
    (tmp_path / "it.yaml").write_text(A)
    for in_journal in (True, False):
        readable, writable = os.pipe()
        found = os.fstat(writable)
        stream = f"{found.st_dev}:{found.st_ino + (not in_journal)}"
        with subprocess.Popen([*COMMAND, "up", "it.yaml", "--log-format", form], cwd=tmp_path, stderr=writable,
                              env=os.environ | {"JOURNAL_STREAM": stream}) as up, os.fdopen(readable) as journal:
            os.close(writable)
            lines = []
            while not lines or "ready, 2 devices" not in lines[-1]:
                lines.append(journal.readline())
            (topology,) = json.loads(zmqtopo("ps", "it", "-o", "json").stdout)
            os.kill(topology["devices"][0]["pid"], signal.SIGKILL)
            while "SIGKILL" not in lines[-1]:
                lines.append(journal.readline())
            up.terminate()
            assert up.wait(DEADLINE) == 0
            journal.read()
        began = "{" if form == "json" else "zmqtopo: "
        assert all(line.startswith(f"<6>{began}" if in_journal else began) for line in lines[:-1])
        assert lines[-1].startswith(f"<4>{began}" if in_journal else began)


def test_errors_of_a_start_have_a_priority_too(tmp_path: Path) -> None:
    readable, writable = os.pipe()
    found = os.fstat(writable)
    done = subprocess.run([*COMMAND, "down", "none"], cwd=tmp_path, stderr=writable, check=False, timeout=DEADLINE,
                          env=os.environ | {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
    os.close(writable)
    with os.fdopen(readable) as journal:
        assert (done.returncode, journal.read()) == (69, "<3>zmqtopo: error: 'none' is not running\n")
