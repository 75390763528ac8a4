"""What a Python program hears of its topology on the logger `zmqtopo`."""

from __future__ import annotations

import logging
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

import zmqtopo

TOPOLOGY = """
devices:
  calm: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  wild:
    type: streamer
    run: process
    restart: {policy: POLICY, backoff: [10ms, 1s]}
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "feed.yaml"
    path.write_text(TOPOLOGY.replace("POLICY", "always"))
    return path


class Heard(logging.Handler):
    """Keeps what it hears, and tells when it has heard something."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._more = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._more:
            self.records.append(record)
            self._more.notify_all()

    def wait_for(self, **about: str) -> logging.LogRecord:
        def found() -> logging.LogRecord | None:
            return next((r for r in self.records if vars(r).items() >= about.items()), None)

        with self._more:
            record = self._more.wait_for(found, 20)
        assert record is not None, [r.getMessage() for r in self.records]
        return record

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(record.levelname, record.getMessage()) for record in self.records]


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    logger = logging.getLogger("zmqtopo")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def kill(running: zmqtopo.Running, device: str) -> None:
    pid, = (status.pid for status in running.status if status.name == device)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_life(path: Path, heard: Heard) -> None:
    with zmqtopo.up(path) as running:
        told = heard.lines      # ready when it returns, and so is what it has said
        assert [level for level, _ in told] == ["INFO"] * 3
        assert re.fullmatch(r"calm: streamer, thread; in PULL tcp://127\.0\.0\.1:\d+; out PUSH tcp://.*", told[0][1])
        assert told[1][1].startswith("wild: streamer, process; in PULL tcp://")
        assert re.fullmatch(r"ready, 2 devices in \d\.\d\d s", told[2][1])
        kill(running, "wild")
        again = heard.wait_for(device="wild", state="running")
        running.pause("calm")
        running.resume("calm")
    told = heard.lines[3:]
    assert told[0][0] == "WARNING"
    assert re.fullmatch(r"wild: ended: process \d+ ended by SIGKILL; restarting in 0\.0\d+ s", told[0][1])
    assert told[1:] == [
        ("INFO", "wild: running"), ("INFO", "calm: paused"), ("INFO", "calm: running"), ("INFO", "stopping"),
        *told[5:7], ("INFO", "stopped"),
    ]
    assert {line.partition(";")[0] for _, line in told[5:7]} == {"calm: stopped", "wild: stopped"}
    assert {(r.name, vars(r)["topology"]) for r in heard.records} == {("zmqtopo.feed", "feed")}
    assert (vars(again)["event"], vars(again)["text"]) == ("state", "running")
    assert [vars(r)["event"] for r in heard.records if not vars(r)["device"]] == ["ready", "stopping", "stopped"]


def test_a_device_that_fails_for_good(path: Path, heard: Heard) -> None:
    path.write_text(TOPOLOGY.replace("POLICY", "never"))
    with zmqtopo.up(path) as running:
        kill(running, "wild")
        failed = heard.wait_for(device="wild", state="failed")
        assert failed.levelname == "ERROR"
        assert "ended by SIGKILL" in failed.getMessage()
        assert running.states["calm"] == "running"


def test_pytest_shows_it(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "zmqtopo"), zmqtopo.up(path):
        assert "ready, 2 devices" in caplog.text


def test_a_start_that_fails(path: Path, heard: Heard) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        path.write_text(TOPOLOGY.replace("POLICY", "always").replace("127.0.0.1:*", f"127.0.0.1:{port}", 1))
        with pytest.raises(zmqtopo.StartError):
            zmqtopo.up(path)
    assert [record.levelname for record in heard.records] == ["ERROR", "INFO"]
    assert f"127.0.0.1:{port}" in heard.lines[0][1]
    assert heard.lines[1][1] == "not started; what had been started is undone"


def test_a_reload(path: Path, heard: Heard) -> None:
    with zmqtopo.up(path) as running:
        running.reload(path)
        path.write_text(path.read_text().partition("  wild:")[0])
        running.reload(path)
        heard.wait_for(event="reloaded", text="reloaded")
    lines = [line for _, line in heard.lines]
    assert lines[3] == "reloaded; nothing has changed"
    assert lines[4].startswith("wild: stopped")
    assert lines[5] == "reloaded"


def test_a_level_for_one_topology(path: Path, heard: Heard) -> None:
    logger = logging.getLogger("zmqtopo.feed")
    logger.setLevel(logging.ERROR)
    try:
        with zmqtopo.up(path) as running:
            kill(running, "wild")
            running.pause("calm")
    finally:
        logger.setLevel(logging.NOTSET)
    assert heard.records == []


# -- handlers that do what they should not ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_raises_ends_nothing(path: Path, heard: Heard) -> None:
    def fault(record: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger = logging.getLogger("zmqtopo.feed")
    logger.addFilter(fault)
    try:
        with zmqtopo.up(path) as running:
            assert set(running.states.values()) == {"running"}
            logger.removeFilter(fault)
            running.pause("calm")
            heard.wait_for(device="calm", state="paused")
    finally:
        logger.removeFilter(fault)


def test_a_handler_may_ask_and_stop_what_it_hears_of(path: Path) -> None:
    asked: list[list[str]] = []
    done = threading.Event()

    class Asks(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if vars(record)["state"] == "backoff":
                asked.append([status.name for status in running.status])
                running.stop()
                done.set()

    handler = Asks()
    logger = logging.getLogger("zmqtopo")
    logger.addHandler(handler)
    try:
        running = zmqtopo.up(path)
        kill(running, "wild")
        assert done.wait(20)
    finally:
        logger.removeHandler(handler)
    assert asked == [["calm", "wild"]]
    assert set(running.states.values()) == {"stopped"}


def test_a_handler_that_hangs_keeps_no_device_waiting(path: Path) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    class Hangs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hangs.set()
            go_on.wait(60)

    handler = Hangs()
    logger = logging.getLogger("zmqtopo")
    logger.addHandler(handler)
    try:
        with zmqtopo.up(path) as running:
            kill(running, "wild")
            assert hangs.wait(20)
            running.pause("calm")
            assert running.states["calm"] == "paused"
            running.stop()
            assert set(running.states.values()) == {"stopped"}
    finally:
        go_on.set()
        logger.removeHandler(handler)


# -- programs --------------------------------------------------------------------------------------------------------

PROGRAM = """
import logging, os, signal, sys, time
import zmqtopo
{setup}
with zmqtopo.up(sys.argv[1]) as running:
    os.kill(running.status[1].pid, signal.SIGKILL)
    while running.status[1].restarts == 0 or running.states["wild"] != "running":
        time.sleep(0.01)
"""


@pytest.fixture
def program(path: Path, tmp_path: Path) -> Callable[[str], str]:
    def run(setup: str) -> str:
        (tmp_path / "program.py").write_text(PROGRAM.format(setup=setup))
        done: Any = subprocess.run([sys.executable, "program.py", "feed.yaml"], cwd=tmp_path, check=True, timeout=60,
                                   capture_output=True, text=True)
        assert done.stdout == ""
        return str(done.stderr)

    return run


def test_a_program_that_configures_nothing_prints_nothing(program: Callable[[str], str]) -> None:
    assert program("") == ""


def test_a_program_with_the_usual_configuration_prints_what_is_wrong(program: Callable[[str], str]) -> None:
    line, = program("logging.basicConfig()").splitlines()
    assert re.fullmatch(r"WARNING:zmqtopo\.feed:wild: ended: process \d+ ended by SIGKILL; restarting in .* s", line)


def test_a_program_that_logs_its_fields(program: Callable[[str], str]) -> None:
    told = program("logging.basicConfig(level='INFO', format='%(topology)s|%(device)s|%(event)s|%(state)s')")
    assert told.splitlines()[:6] == [
        "feed|calm|started|", "feed|wild|started|", "feed||ready|", "feed|wild|state|backoff",
        "feed|wild|state|running", "feed||stopping|",
    ]
    assert told.endswith("feed||stopped|\n")
