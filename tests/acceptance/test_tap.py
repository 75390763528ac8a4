"""``zmqtopo tap`` as a person uses it: what it shows, what it says of the rest, and how it ends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import COMMAND, DEADLINE, Up

TOPOLOGY = """
version: 1
devices:
  jobs: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
  requests: {type: queue, run: process, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""

ACCOUNT = re.compile(r"([\d,]+) shown \+ ([\d,]+) (?:not asked for or )?left out = ([\d,]+) messages? passed")


class Tap:
    """The command, once it looks on."""

    def __init__(self, *arguments: str, shell: str = "") -> None:
        words = [*COMMAND, "tap", "it", *arguments]
        self.process = subprocess.Popen(
            ["bash", "-c", f'"$@" {shell}', "tap", *words] if shell else words,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )
        assert self.process.stderr is not None
        self.first = self.process.stderr.readline().decode()
        self.read = {"out": b"", "err": b""}

    def until(self, words: str, name: str) -> None:
        """Read ``out`` or ``err`` until a line has what the pattern says."""
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        while not re.search(words.encode(), self.read[name]):
            assert select.select([stream], [], [], DEADLINE)[0], self.read[name]
            line = stream.readline()
            assert line, self.read[name]
            self.read[name] += line

    def end(self, number: int | None = signal.SIGINT, code: int | None = None) -> tuple[str, str]:
        """End it, or wait for its end; what it has printed."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        expected = 128 + number if number is not None else 0
        assert self.process.returncode == (expected if code is None else code), err
        assert b"Traceback" not in err
        return (self.read["out"] + out).decode(), (self.read["err"] + err).decode()


@pytest.fixture
def tap() -> Iterator[Callable[..., Tap]]:
    started: list[Tap] = []

    def tap(*arguments: str, **options: Any) -> Tap:
        started.append(Tap(*arguments, **options))
        assert re.fullmatch(r"zmqtopo: it: [12] devices?, from now on\n", started[-1].first)
        return started[-1]

    yield tap
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def up(start: Any) -> Up:
    running: Up = start(TOPOLOGY).ready()
    return running


@pytest.fixture
def pass_on(up: Up, net: Any) -> Callable[..., None]:
    """Passes messages through the streamer."""
    push, pull = (net.socket(kind, connect=up.address(f"jobs.{role}"), rcvhwm=0, sndhwm=0)
                  for kind, role in ((zmq.PUSH, "in"), (zmq.PULL, "out")))

    def pass_on(*messages: list[bytes]) -> None:
        for message in messages:
            push.send_multipart(message)
        for message in messages:
            assert net.receive(pull) == message

    return pass_on


def account(said: str) -> tuple[int, int, int]:
    found = ACCOUNT.search(said)
    assert found, said
    shown, left_out, passed = (int(number.replace(",", "")) for number in found.groups())
    assert shown + left_out == passed
    return shown, left_out, passed


def test_messages_as_lines(tap: Any, pass_on: Any) -> None:
    shown = tap("--count", "3")
    pass_on([b"topic", struct.pack(">Q", 5), b"\x81\xa1a\x93\x01\x02\x03"], [b"\x1b[31mred"], [b"", b"x" * 300])
    out, err = shown.end(None)
    lines = out.splitlines()
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{6} jobs in_to_out #1  topic \| 0x0000000000000005 \| {"a": \[1, 2, 3\]}', lines[0])
    assert lines[1].endswith("#2  0x1b5b33316d726564")
    assert lines[2].endswith(f"#3   | {'x' * 256}… (300 B)")
    assert account(err) == (3, 0, 3)


def test_messages_as_json(tap: Any, pass_on: Any) -> None:
    shown = tap("jobs", "--format", "json", "--for", "2s", "--decode", "utf8,auto")
    pass_on([b"\xff", b'{"a": "\\u001b"}'], [b"\x1b\xc3\xa4"])
    out, err = shown.end(None)
    messages = [json.loads(line) for line in out.splitlines()]
    assert [message["frames"] for message in messages] == [
        [{"size": 1, "hex": "ff"}, {"size": 15, "json": {"a": "\x1b"}}], [{"size": 3, "text": "\x1bä"}]]
    assert [(message["device"], message["flow"], message["number"]) for message in messages] == [
        ("jobs", "in_to_out", 1), ("jobs", "in_to_out", 2)]
    assert account(err) == (2, 0, 2)


def test_bytes_as_they_are(tap: Any, pass_on: Any) -> None:
    shown = tap("--format", "raw", "--count", "1")
    pass_on([b"a", b"\x1b\n\0"])
    assert shown.end(None)[0] == "a\n\x1b\n\0\n"


def test_only_what_is_asked_for(tap: Any, pass_on: Any) -> None:
    first, second, sampled = tap("--match", r"e\x75."), tap("--match", "eu", "--frame", "-1"), tap("--sample", "1/2")
    pass_on([b"eu.1", b"x"], [b"us.1", b"eu"], [b"eu.2"], [b"eu"])
    for shown, last in ((first, "#3"), (second, "#4"), (sampled, "#4")):
        shown.until(last, "out")
    for shown, numbers in ((first, [1, 3]), (second, [2, 3, 4]), (sampled, [2, 4])):
        out, err = shown.end()
        assert [int(number) for number in re.findall(r"#(\d+)", out)] == numbers
        assert account(err) == (len(numbers), 4 - len(numbers), 4)
        assert "not asked for" in err


def test_what_is_too_much_for_a_person_is_counted(tap: Any, pass_on: Any) -> None:
    shown = tap("--rate", "10")
    for _ in range(20):
        pass_on(*[[b"sixteen bytes..."]] * 5000)
    shown.until("#1", "out")
    out, err = shown.end()
    lines = out.splitlines()
    numbers = [int(match[1]) for line in lines if (match := re.search(r"#(\d+)", line))]
    missing = [int(line.split()[1].replace(",", "")) for line in lines if line.startswith("… ")]
    assert len(numbers) + len(missing) == len(lines)
    assert sum(missing) == numbers[-1] - numbers[0] + 1 - len(numbers)
    assert account(err) == (len(numbers), 100_000 - len(numbers), 100_000)
    assert len(numbers) < 1000


def test_a_report_counts_all(tap: Any, pass_on: Any) -> None:
    shown, as_json = tap("--report", "--count", "40"), tap("--report", "--format", "json", "--count", "40")
    pass_on(*[[b"often", b"12345"]] * 30, *[[b"seldom"]] * 10)
    out, err = shown.end(None)
    rows = [line.split() for line in out.splitlines()]
    assert rows[1:] == [["30", "75.0%", "300", "10", "jobs", "in_to_out", "often"],
                        ["10", "25.0%", "60", "6", "jobs", "in_to_out", "seldom"]]
    assert account(err) == (40, 0, 40)
    assert json.loads(as_json.end(None)[0])["top"][0]["messages"] == 30


def test_a_pipe_that_closes_ends_it(tap: Any, pass_on: Any, net: Any, state_folders: Path) -> None:
    shown = tap(shell="| head -n 1; exit ${PIPESTATUS[0]}")
    pass_on([b"one"], [b"two"])
    out, _ = shown.end(None, code=141)
    assert "#1" in out
    net.until(lambda: not list(state_folders.rglob("tap-*")))


def test_what_becomes_of_the_devices_is_told(up: Up, tap: Any, pass_on: Any, control: Any, tmp_path: Path) -> None:
    shown = tap()
    pass_on([b"one"])
    control("pause", "jobs")
    shown.until("jobs: paused", "err")
    control("resume", "jobs")
    shown.until("jobs: is running", "err")
    os.kill(up.worker("requests"), signal.SIGKILL)
    shown.until("requests: restarted", "err")
    more = "  more: {type: streamer, in: {bind: \"tcp://127.0.0.1:*\"}, out: {bind: \"tcp://127.0.0.1:*\"}}\n"
    (tmp_path / "it.yaml").write_text(re.sub(r"  requests:.*\n", more, TOPOLOGY))
    control("reload")
    shown.until("more: added", "err")
    control("down")
    out, err = shown.end(None)
    assert "#1" in out
    for said in ("jobs: paused", "jobs: is running", "requests: restarted: process", "requests: removed", "more: added",
                 "it has ended"):
        assert f"zmqtopo: {said}" in err
    assert account(err) == (1, 0, 1)


@pytest.mark.parametrize(("verb", "words"), [("stop", "is stopped"), ("pause", "is paused")])
def test_that_nothing_can_pass_is_told_at_the_beginning(
    up: Up, tap: Any, control: Any, tmp_path: Path, verb: str, words: str
) -> None:
    control(verb, "jobs")
    said = f"zmqtopo: jobs: {words}, nothing passes it now\n"
    assert said in tap("jobs", "--for", "500ms").end(None)[1]
    assert said not in tap("requests", "--for", "500ms").end(None)[1]
    done = subprocess.run([*COMMAND, "record", "it", "jobs", "-o", "a.mcap", "--for", "500ms"], cwd=tmp_path,
                          capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert said in done.stderr


def test_a_device_that_has_failed_is_told_with_its_reason(start: Any, zmqtopo: Any) -> None:
    up = start(TOPOLOGY.replace("run: process,", "run: process, restart: {policy: never},")).ready()
    os.kill(up.worker("requests"), signal.SIGKILL)
    up.wait_for("requests: failed")
    done = zmqtopo("tap", "it", "requests", "--for", "500ms")
    assert "zmqtopo: requests: has failed, nothing passes it now: process" in done.stderr


def test_two_at_a_time(tap: Any, pass_on: Any) -> None:
    one, other = tap("--count", "2"), tap("--count", "2")
    pass_on([b"one"], [b"two"])
    assert one.end(None)[0] == other.end(None)[0]


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (("it", "job"), 2, "there is no device 'job'; did you mean jobs?"),
    (("it", "jobs", "x" * 200), 2, "there is no device 'xxx"),
    (("its",), 69, "'its' is not running; did you mean it?"),
    (("it", "--flow", "in"), 2, "invalid choice: 'in'"),
    (("it", "--frame", "0"), 2, "frames are counted from 1, or from -1 at the end"),
    (("it", "--frame", "x"), 2, "'x' is not a frame"),
    (("it", "--decode", "auto,utf-8"), 2,
     "'utf-8' is not one of auto, utf8, hex, json, msgpack, size; did you mean utf8?"),
    (("it", "--head", "1 KB"), 2, "'1 KB' is not a size: write 100, 4KiB or 1MB"),
    (("it", "--count", "0"), 2, "at least 1"),
    (("it", "--for", "soon"), 2, "'soon' is not a time such as 5s, 500ms or 2m"),
    (("it", "--sample", "10"), 2, "'10' is not a share: write 1/10 for one message of ten"),
    (("it", "--rate", "nan"), 2, "'nan' is not a number of messages a second; 0 is for all"),
    (("it", "--match", r"\xZ"), 2, r"'\xZ' has a backslash that begins no byte: a byte is written \xNN"),
    (("it", "--report", "--format", "raw"), 2, "a report is text or json"),
    (("it", "--matches", "x"), 2, "there is no option '--matches'; did you mean '--match'?"),
])
def test_mistakes(up: Up, zmqtopo: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = zmqtopo("tap", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_nothing_runs(zmqtopo: Any) -> None:
    done = zmqtopo("tap", "it")
    assert (done.returncode, done.stderr) == (69, "zmqtopo: error: 'it' is not running\n")


def test_too_few_came_in_time(up: Up, zmqtopo: Any) -> None:
    done = zmqtopo("tap", "it", "--count", "1", "--for", "100ms")
    assert (done.returncode, done.stdout) == (1, "")
    assert account(done.stderr) == (0, 0, 0)


@pytest.mark.slow
def test_more_devices_than_a_process_may_usually_have_files(start: Any, tap: Any, net: Any) -> None:
    devices = "".join(
        f'  d{i}: {{type: streamer, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{bind: "tcp://127.0.0.1:*"}}}}\n'
        for i in range(600))
    up = start(f"devices:\n{devices}")
    up.wait_for(": ready, ", within=60)
    shown = Tap("--count", "1")
    assert shown.first == "zmqtopo: it: 600 devices, from now on\n"
    push = net.socket(zmq.PUSH, connect=up.address("d599.in"))
    pull = net.socket(zmq.PULL, connect=up.address("d599.out"))
    push.send(b"x")
    assert net.receive(pull) == [b"x"]
    out, err = shown.end(None)
    assert " d599 in_to_out #1  x\n" in out
    assert account(err) == (1, 0, 1)


def test_a_device_whose_process_is_stopped_is_named(up: Up, tap: Any) -> None:
    worker = up.worker("requests")
    os.kill(worker, signal.SIGSTOP)
    try:
        shown = tap("--for", "1s")
        _, err = shown.end(None)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert "requests: does not answer; what passes until it does is left out" in err
    assert account(err) == (0, 0, 0)
