"""``zmqtopo record``: what passes the devices of a running topology, in a file that others read."""

from __future__ import annotations

import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from mcap.reader import make_reader

from zmqtopo.observe.recording.frames import unpack
from zmqtopo.observe.recording.reader import Recording

from .brokers import ANY
from .conftest import COMMAND, DEADLINE, Control

Run = Callable[..., subprocess.CompletedProcess[str]]

JOBS = f"""
devices:   # a comment of mine
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
"""


class Record:
    """The command while it runs, from the moment on when it records."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen([*COMMAND, "record", *arguments], cwd=folder, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, **options)
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        assert self.said.startswith("zmqtopo: recording "), self.said + self.process.stderr.read()

    def end(self, number: int | None = signal.SIGINT, code: int = 0) -> str:
        """What it has said on stderr."""
        if number is not None:
            self.process.send_signal(number)
        self.out, said = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == code, said
        assert "Traceback" not in said
        return said

    def totals(self, number: int | None = signal.SIGINT, code: int = 0) -> dict[str, Any]:
        """What it has said as JSON."""
        self.end(number, code)
        told: dict[str, Any] = json.loads(self.out)
        assert told["recorded"] + told["left_out"] == told["passed"]
        return told

    def wait_for(self, words: str) -> str:
        """The next line on stderr with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return line
        pytest.fail(f"it has not said {words!r}")


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., Record]]:
    started: list[Record] = []

    def record(*arguments: str, **options: Any) -> Record:
        started.append(Record(tmp_path, *arguments, **options))
        return started[-1]

    yield record
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


class Jobs:
    """A streamer with somebody at both ends."""

    def __init__(self, start: Callable[..., Any], net: Any, text: str = JOBS) -> None:
        self._net = net
        self.up = start(text).ready()
        self.push = net.socket(zmq.PUSH, connect=self.up.address("jobs.in"))
        self.pull = net.socket(zmq.PULL, connect=self.up.address("jobs.out"))

    def pass_on(self, messages: list[list[bytes]]) -> None:
        """Send messages, and receive them."""
        for first in range(0, len(messages), 500):
            for message in messages[first : first + 500]:
                self.push.send_multipart(message)
            assert self._net.receive_all(self.pull, len(messages[first : first + 500])) == messages[first : first + 500]


@pytest.fixture
def jobs(start: Callable[..., Any], net: Any) -> Jobs:
    return Jobs(start, net)


def some(count: int, first: int = 0) -> list[list[bytes]]:
    return [[b"%d" % number, b"", b"\xff" * (number % 300)] for number in range(first, first + count)]


def read(path: Path) -> list[list[bytes]]:
    with Recording(str(path)) as recording:
        return [message.frames for message in recording.messages()]


# -- what is recorded ------------------------------------------------------------------------------------------------


def test_what_passes_is_in_a_file_that_others_read(
    record: Callable[..., Record], jobs: Jobs, zmqtopo: Run, tmp_path: Path
) -> None:
    jobs.pass_on(some(10))      # before anybody looks
    recording = record("it", "-o", "a.mcap", "--overflow", "block")
    assert recording.said == "zmqtopo: recording it to a.mcap; Ctrl-C ends it\n"
    jobs.pass_on(some(1000))
    assert recording.end() == "zmqtopo: 1,000 messages in a.mcap; 1,000 passed, 0 left out\n"
    with (tmp_path / "a.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        found = list(reader.iter_messages())
        assert [unpack(message.data) for _, _, message in found] == some(1000)
        assert [message.sequence for _, _, message in found] == list(range(11, 1011))
        times = [message.log_time for _, _, message in found]
        assert times == sorted(times)
        channel = found[0][1]
        assert (channel.topic, channel.message_encoding) == ("jobs.in_to_out", "msgpack")
        said = channel.metadata
        assert (said["type"], said["in"], said["out"]) == ("streamer", "PULL", "PUSH")
        assert said["in_endpoints"] == jobs.up.address("jobs.in")
        (attachment,) = reader.iter_attachments()
        assert (attachment.name, attachment.data.decode()) == ("topology.yaml", (tmp_path / "it.yaml").read_text())
        first, last = [metadata.metadata for metadata in reader.iter_metadata()]
        assert (first["topology"], first["libzmq"], first["overflow"]) == ("it", zmq.zmq_version(), "block")
        assert (last["passed"], last["recorded"], last["left_out"]) == ("1000", "1000", "0")
    assert (tmp_path / "a.mcap").stat().st_mode & 0o777 == 0o600
    told = zmqtopo("recording", "info", "a.mcap").stdout
    assert "passed 1000, recorded 1000, left out 0" in told


def test_both_ways_and_only_what_is_wanted(
    record: Callable[..., Record], start: Callable[..., Any], net: Any, tmp_path: Path
) -> None:
    up = start(f"devices:\n  calls: {{type: queue, in: {ANY}, out: {ANY}}}\n"
               f"  other: {{type: queue, in: {ANY}, out: {ANY}}}\n").ready()
    client, worker = (net.socket(type_, connect=up.address(f"calls.{role}"))
                      for type_, role in ((zmq.REQ, "in"), (zmq.REP, "out")))
    running = {
        "all": record("it", "-o", "all.mcap"),
        "back": record("it", "calls", "-o", "back.mcap", "--flow", "out_to_in"),
        "other": record("it", "other", "-o", "other.mcap"),
    }
    for number in range(20):
        client.send(b"question %d" % number)
        worker.send(net.receive(worker)[0].replace(b"question", b"answer"))
        net.receive(client)
    for each in running.values():
        each.end(signal.SIGTERM)
    with Recording(str(tmp_path / "all.mcap")) as recording:
        found = [(message.flow.topic, message.frames[-1]) for message in recording.messages()]
    assert found.count(("calls.in_to_out", b"question 7")) == found.count(("calls.out_to_in", b"answer 7")) == 1
    assert len(found) == 40
    assert [frames[-1] for frames in read(tmp_path / "back.mcap")] == [b"answer %d" % number for number in range(20)]
    assert read(tmp_path / "other.mcap") == []


def test_the_beginning_the_number_and_the_time(
    record: Callable[..., Record], jobs: Jobs, tmp_path: Path
) -> None:
    counted = record("it", "-o", "counted.mcap", "--count", "7", "--format", "json")
    matched = record("it", "-o", "matched.mcap", "--match", "1")
    timed = record("it", "-o", "timed.mcap", "--for", "4s")     # the last, so that its time is for the messages
    jobs.pass_on(some(50))
    told = counted.totals(None)
    assert (told["recorded"], told["reason"]) == (7, "7 messages recorded")
    assert read(tmp_path / "counted.mcap") == some(7)
    assert "zmqtopo: 50 messages in timed.mcap; 50 passed, 0 left out; time is up\n" in timed.end(None)
    assert "zmqtopo: 11 messages in matched.mcap; 50 passed, 39 left out or not matching\n" in matched.end()
    assert read(tmp_path / "matched.mcap") == [message for message in some(50) if message[0][:1] == b"1"]


def test_what_was_left_out_is_counted_and_missing_in_the_numbers(
    record: Callable[..., Record], jobs: Jobs, zmqtopo: Run
) -> None:
    recording = record("it", "-o", "a.mcap", "--format", "json")
    os.kill(recording.process.pid, signal.SIGSTOP)      # as slow as can be
    jobs.pass_on([[b"x" * 500]] * 20_000)
    os.kill(recording.process.pid, signal.SIGCONT)
    told = recording.totals()
    assert told["passed"] == 20_000
    assert told["left_out"] > 5000
    (flow,) = json.loads(zmqtopo("recording", "info", "a.mcap", "--format", "json").stdout)["flows"]
    assert flow["messages"] == told["recorded"]
    assert flow["missing"] <= told["left_out"]


def test_several_files(record: Callable[..., Record], jobs: Jobs, zmqtopo: Run, tmp_path: Path) -> None:
    messages = [[os.urandom(5000)] for _ in range(1000)]
    recording = record("it", "-o", "a.mcap", "--rotate", "1MB", "--overflow", "block", "--format", "json")
    jobs.pass_on(messages)
    told = recording.totals()
    assert told["files"][:2] == ["a-00001.mcap", "a-00002.mcap"]
    assert 3 <= len(told["files"]) <= 5
    assert [message for file in told["files"] for message in read(tmp_path / file)] == messages
    done = zmqtopo("record", "it", "-o", "a.mcap", "--rotate", "1h")
    assert (done.returncode, done.stderr) == (1, "zmqtopo: error: a-00001.mcap already exists; --force replaces it\n")


def test_record_to_replay(
    record: Callable[..., Record], jobs: Jobs, net: Any, tmp_path: Path
) -> None:
    """By a pipe, without a file."""
    record_and_replay(record, jobs, net, tmp_path, 2000)


@pytest.mark.slow
def test_record_to_replay_of_100_000(
    record: Callable[..., Record], jobs: Jobs, net: Any, tmp_path: Path
) -> None:
    record_and_replay(record, jobs, net, tmp_path, 100_000)


def record_and_replay(record: Callable[..., Record], jobs: Jobs, net: Any, folder: Path, number: int) -> None:
    pull, address = net.end(zmq.PULL, rcvhwm=0)
    messages = some(number)
    reading, writing = os.pipe()
    replay = subprocess.Popen([*COMMAND, "replay", "-", "--connect", address, "--type", "PUSH", "--speed", "max"],
                              cwd=folder, stdin=reading, stderr=subprocess.PIPE, text=True)
    os.close(reading)
    recorder = subprocess.Popen([*COMMAND, "record", "it", "-o", "-", "--overflow", "block", "--count", str(number)],
                                cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert recorder.stderr is not None
    assert recorder.stderr.readline() == "zmqtopo: recording it to standard output; Ctrl-C ends it\n"
    sender = threading.Thread(target=jobs.pass_on, args=(messages,))
    sender.start()
    came = net.receive_all(pull, number)
    sender.join()
    assert came == messages
    _, said = recorder.communicate(timeout=DEADLINE)
    assert said == (f"zmqtopo: {number:,} messages in standard output; {number:,} passed, 0 left out; "
                    f"{number:,} messages recorded\n")
    _, said = replay.communicate(timeout=DEADLINE)
    assert said.startswith(f"zmqtopo: {number:,} messages to {address}")
    assert (recorder.returncode, replay.returncode) == (0, 0)


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_kill_costs_a_second_at_most(
    record: Callable[..., Record], jobs: Jobs, net: Any, zmqtopo: Run, tmp_path: Path
) -> None:
    recording = record("it", "-o", "a.mcap")
    jobs.pass_on(some(100))

    def written() -> bool:
        return len(read(tmp_path / "a.mcap")) == 100

    net.until(written, "all in the file")
    recording.process.kill()
    recording.process.wait()
    told = zmqtopo("recording", "info", "a.mcap").stdout
    assert "cut at byte" in told
    assert "  100  " in told
    jobs.pass_on(some(100))     # the device has not noticed
    # Nor does a second one find anything in its way.
    again = record("it", "-o", "b.mcap")
    jobs.pass_on(some(10))
    again.end()
    assert read(tmp_path / "b.mcap") == some(10)


def test_a_full_disk_ends_the_recording_and_not_the_device(
    record: Callable[..., Record], jobs: Jobs, zmqtopo: Run, tmp_path: Path
) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))

    recording = record("it", "-o", "a.mcap", "--overflow", "block", "--format", "json", preexec_fn=small)
    jobs.pass_on([[os.urandom(20_000)] for _ in range(200)])
    line = recording.wait_for("the recording has ended")
    assert line == (
        "zmqtopo: error: the recording has ended: cannot write a.mcap: File too large; devices keep running\n")
    told = recording.totals(None, code=1)
    assert 50 <= told["recorded"] < 200
    assert len(read(tmp_path / "a.mcap")) == told["recorded"]
    assert "bytes, whole" in zmqtopo("recording", "info", "a.mcap").stdout
    jobs.pass_on(some(100))
    full = record("it", "-o", "b.mcap", "--free", "100000GiB")
    assert "bytes are free where b.mcap is; devices keep running" in full.end(None, code=1)
    done = zmqtopo("record", "it", "-o", "/dev/full", "--force")
    assert done.returncode == 1
    assert done.stderr == "zmqtopo: error: cannot write /dev/full: No space left on device\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("mounting is tried on Linux alone")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"no file system can be mounted: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full(
    record: Callable[..., Record], jobs: Jobs, small_disk: Path
) -> None:
    recording = record("it", "-o", "small/a.mcap", "--overflow", "block", "--format", "json")
    jobs.pass_on([[os.urandom(20_000)] for _ in range(200)])
    line = recording.wait_for("the recording has ended")
    assert line.endswith("cannot write small/a.mcap: the disk is full; devices keep running\n")
    told = recording.totals(None, code=1)
    with Recording(str(small_disk / "a.mcap")) as whole:
        assert len(list(whole.messages())) == told["recorded"]
        assert whole.cut is None
    jobs.pass_on(some(100))


def test_it_goes_on_over_restarts_and_ends_with_the_topology(
    record: Callable[..., Record], jobs: Jobs, control: Control, net: Any, tmp_path: Path
) -> None:
    recording = record("it", "-o", "a.mcap", "--format", "json")
    jobs.pass_on(some(10))
    control("restart", "jobs")
    recording.wait_for("jobs")
    jobs.push.disconnect(jobs.push.last_endpoint)
    jobs.push.connect(control.address("jobs.in"))
    jobs.pull.connect(control.address("jobs.out"))
    jobs.pass_on(some(10, 10))
    jobs.up.stop()
    told = recording.totals(None)
    assert told["reason"] == "it has ended"
    assert told["recorded"] == 20
    assert read(tmp_path / "a.mcap") == some(20)


def test_a_device_that_is_removed_or_added(
    record: Callable[..., Record], jobs: Jobs, control: Control, net: Any, tmp_path: Path
) -> None:
    recording = record("it", "-o", "a.mcap")
    jobs.pass_on(some(10))
    (tmp_path / "it.yaml").write_text(JOBS.replace("jobs", "more"))
    control("reload")
    recording.wait_for("jobs")
    push = net.socket(zmq.PUSH, connect=control.address("more.in"))
    pull = net.socket(zmq.PULL, connect=control.address("more.out"))

    def seen() -> bool:
        push.send(b"x")
        net.receive(pull)
        with Recording(str(tmp_path / "a.mcap")) as so_far:
            return any(message.flow.device == "more" for message in so_far.messages())

    net.until(seen, "the new device in the recording")
    recording.end()
    with Recording(str(tmp_path / "a.mcap")) as whole:
        topics = [message.flow.topic for message in whole.messages()]
        assert topics[:10] == ["jobs.in_to_out"] * 10
        assert set(topics[10:]) == {"more.in_to_out"}
        assert {flow.metadata.get("in") for flow in whole.flows.values()} == {"PULL"}
    jobs.up.stop()


def test_who_reads_it_goes(jobs: Jobs, tmp_path: Path) -> None:
    recorder = subprocess.Popen([*COMMAND, "record", "it", "-o", "-"], cwd=tmp_path, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
    assert recorder.stdout is not None
    assert recorder.stderr is not None
    recorder.stderr.readline()
    recorder.stdout.close()
    jobs.pass_on(some(10))
    said = recorder.stderr.read()
    recorder.stderr.close()
    assert recorder.wait(DEADLINE) == 1
    assert b"the recording has ended: the reader closed the pipe; devices keep running" in said


def test_bad_input(jobs: Jobs, zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for arguments, code, words in (
        (("it", "-o", "mine"), 1, "mine already exists; --force replaces it"),
        (("it", "-o", "missing/a.mcap"), 1, "cannot write missing/a.mcap: No such file or directory"),
        (("it", "-o", "."), 1, ". is a folder and not a file"),
        (("it", "job", "-o", "a.mcap"), 2, "there is no device 'job'; did you mean jobs?"),
        (("nothing", "-o", "a.mcap"), 69, "'nothing' is not running"),
        (("it",), 2, "the following arguments are required: -o"),
        (("it", "-o", "a.mcap", "--rotate", "5"), 2, "'5' is not a size from 10kB on or a time from 1s on"),
        (("it", "-o", "a.mcap", "--rotate", "1B"), 2, "is not a size"),
        (("it", "-o", "a.mcap", "--free", "much"), 2, "'much' is not a size, such as 500MB"),
        (("it", "-o", "a.mcap", "--for", "soon"), 2, "'soon' is not a time such as 5s"),
        (("it", "-o", "a.mcap", "--count", "0"), 2, "'0' is not a number from 1 on"),
        (("it", "-o", "-", "--rotate", "1h"), 2, "-o - is standard output"),
    ):
        done = zmqtopo("record", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "a.mcap").exists()


def test_a_terminal_gets_no_recording(jobs: Jobs, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run([*COMMAND, "record", "it", "-o", "-"], cwd=tmp_path, stdout=follower, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=60)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 2
    assert "a recording is not for a terminal" in done.stderr
