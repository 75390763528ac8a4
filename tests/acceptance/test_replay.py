"""``zmqtopo replay``: the messages of a recording, sent again to a device or an address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY
from .conftest import COMMAND, DEADLINE
from .recordings import record

Run = Callable[..., subprocess.CompletedProcess[str]]

JOBS = f"devices:\n  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}\n"


class Replay:
    """The command while it runs."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen([*COMMAND, "replay", *arguments], cwd=folder, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, **options)

    def end(self, code: int = 0) -> str:
        """What it has said on stderr."""
        self.out, said = self.process.communicate(timeout=DEADLINE * 3)
        assert self.process.returncode == code, said
        assert "Traceback" not in said
        return said


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Callable[..., Replay]]:
    started: list[Replay] = []

    def replay(*arguments: str, **options: Any) -> Replay:
        started.append(Replay(tmp_path, *arguments, **options))
        return started[-1]

    yield replay
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


MESSAGES = [[b"%d" % number, b"", b"\0" * number] for number in range(50)]


def test_to_a_device(zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    up = start(JOBS).ready()
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    record(tmp_path / "a.mcap", MESSAGES)
    for to in ("jobs.in", "it/jobs.in", "it.yaml/jobs.in"):
        done = zmqtopo("replay", "a.mcap", "--to", to)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith("zmqtopo: 50 messages to jobs.in in 0.")
        assert "late by" in done.stderr
        assert net.receive_all(pull, 50) == MESSAGES
    told = json.loads(zmqtopo("replay", "a.mcap", "--to", "jobs.in", "--speed", "max", "--format", "json").stdout)
    assert (told["sent"], told["refused"], told["blocked"], told["late_p99"]) == (50, 0, 0, None)
    assert net.receive_all(pull, 50) == MESSAGES
    up.stop()


def test_of_several_topologies_one_is_named(
    zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path
) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    for name in ("one", "two"):
        start(JOBS, name=name).ready()
    done = zmqtopo("replay", "a.mcap", "--to", "jobs.in")
    assert done.returncode == 2
    assert "one and two have a device 'jobs': write one/jobs.in" in done.stderr
    assert zmqtopo("replay", "a.mcap", "--to", "two/jobs.in").returncode == 0


def test_to_nothing(zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    assert "no running topology has a device 'jobs'" in zmqtopo("replay", "a.mcap", "--to", "jobs.in").stderr
    assert zmqtopo("replay", "a.mcap", "--to", "it/jobs.in").returncode == 69
    up = start(f"""
devices:
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
  inside: {{type: streamer, in: {{bind: "inproc://a"}}, out: {ANY}}}
  connects: {{type: streamer, in: {{connect: "tcp://127.0.0.1:9"}}, out: {ANY}}}
""").ready()
    for to, words in {
        "jobs": "'jobs' is not a socket of a device: write DEVICE.in or TOPOLOGY/DEVICE.in",
        "job.in": "no running topology has a device 'job'",
        "it/job.in": "it has no device 'job'; did you mean jobs?",
        "jobs.out": "jobs.out is a PUSH, which only sends; messages go to jobs.in",
        "jobs.mon": "jobs.mon takes no messages: a mon only sends; write jobs.in",
        "inside.in": "inside.in binds only inproc, which nothing outside of its process reaches",
        "connects.in": "connects.in binds no address; where it connects to, --bind can take its messages' place",
    }.items():
        done = zmqtopo("replay", "a.mcap", "--to", to)
        assert (done.returncode, done.stderr) == (2, f"zmqtopo: error: {words}\n")
    zmqtopo("stop", "it", "jobs")
    assert "jobs is stopped: start it first" in zmqtopo("replay", "a.mcap", "--to", "jobs.in").stderr
    up.stop()


def test_to_an_address(zmqtopo: Run, net: Any, replay: Callable[..., Replay], tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    pull, address = net.end(zmq.PULL)
    assert zmqtopo("replay", "a.mcap", "--connect", address, "--type", "push").returncode == 0
    assert net.receive_all(pull, 50) == MESSAGES
    pair, address = net.end(zmq.PAIR, "ipc")
    assert zmqtopo("replay", "a.mcap", "--connect", address, "--type", "PAIR").returncode == 0
    assert net.receive_all(pair, 50) == MESSAGES
    # Bound, it waits for whoever comes.
    address = f"ipc://{tmp_path}/bound"
    bound = replay("a.mcap", "--bind", address, "--type", "PUB")
    sub = net.socket(zmq.SUB, connect=address, subscribe=b"1")
    bound.end()
    wanted = [message for message in MESSAGES if message[0].startswith(b"1")]
    assert net.receive_all(sub, len(wanted)) == wanted


def test_nobody_is_there(zmqtopo: Run, net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    unused = f"ipc://{tmp_path}/nobody"
    for way, type_, words in (("--connect", "PUSH", "nobody answers"), ("--bind", "PUSH", "nobody connects")):
        done = zmqtopo("replay", "a.mcap", way, unused, "--type", type_, "--wait", "0.2")
        assert (done.returncode, done.stderr) == (1, f"zmqtopo: error: {unused}: {words} within 0.2 s\n")
    _, address = net.end(zmq.PULL)
    done = zmqtopo("replay", "a.mcap", "--bind", address, "--type", "PUSH")
    assert done.returncode == 1
    assert f"cannot bind {address}: Address already in use" in done.stderr
    for arguments, words in {
        (): "say where to send: --to DEVICE.in",
        ("--connect", address): "--connect and --bind need --type",
        ("--to", "a.in", "--type", "PUSH"): "--type is for --connect and --bind",
        ("--connect", "tcp://*:9", "--type", "PUSH"): "is for --bind",
        ("--connect", "tcp:/x", "--type", "PUSH"): "has no '://'",
        ("--connect", "inproc://x", "--type", "PUSH"): "nothing else reaches it",
        ("--connect", address, "--type", "PULL"): "invalid choice",
        ("--connect", address, "--type", "ROUTER"): "use --keep-identities",
        ("--connect", address, "--type", "PUSH", "--keep-identities"): "is for --type ROUTER",
        ("--connect", address, "--type", "PUSH", "--speed", "0"): "is not a speed",
        ("--connect", address, "--type", "PUSH", "--to", "a.in"): "not allowed with",
        ("--connect", address, "--type", "PUSH", "--from", "2s", "--until", "1s"): "--until is not after --from",
    }.items():
        done = zmqtopo("replay", "a.mcap", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    assert "read once" in zmqtopo("replay", "-", "--loop", "2", "--connect", address, "--type", "PUSH").stderr


def test_subscriptions_are_waited_for(zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES, devices=["events"], types=("XSUB", "XPUB"))
    up = start(f"devices:\n  events: {{type: forwarder, in: {ANY}, out: {ANY}}}\n").ready()
    done = zmqtopo("replay", "a.mcap", "--to", "events.in", "--speed", "max")
    assert done.returncode == 1
    assert "nobody subscribes yet; messages that nobody subscribes to are dropped" in done.stderr
    assert "50 messages went when nobody had subscribed" in done.stderr
    subs = [net.socket(zmq.SUB, connect=up.address("events.out"), subscribe=topic) for topic in (b"1", b"2", b"")]
    # libzmq does not tell when subscriptions have come: a publisher who is told does.
    publisher = net.socket(zmq.XPUB, connect=up.address("events.in"))
    assert {net.receive(publisher)[0] for _ in range(3)} == {b"\x011", b"\x012", b"\x01"}
    assert zmqtopo("replay", "a.mcap", "--to", "events.in", "--speed", "max").returncode == 0
    assert net.receive_all(subs[2], 50) == MESSAGES
    assert net.receive_all(subs[0], 11) == [message for message in MESSAGES if message[0].startswith(b"1")]
    up.stop()


def test_identities_stay_behind(zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    recorded = [[b"client", b"", b"%d" % number] for number in range(20)]
    record(tmp_path / "a.mcap", recorded, devices=["calls"], types=("ROUTER", "DEALER"))
    up = start(f"devices:\n  calls: {{type: queue, in: {ANY}, out: {ANY}}}\n").ready()
    worker = net.socket(zmq.DEALER, connect=up.address("calls.out"))
    assert zmqtopo("replay", "a.mcap", "--to", "calls.in").returncode == 0
    came = net.receive_all(worker, 20)
    assert [message[1:] for message in came] == [message[1:] for message in recorded]
    assert {message[0] for message in came}.isdisjoint({b"client"})
    # A ROUTER sends to whom they name.
    dealer, address = net.end(zmq.DEALER, routing_id=b"client")
    arguments = ("replay", "a.mcap", "--connect", address, "--type", "ROUTER", "--keep-identities")
    assert zmqtopo(*arguments).returncode == 0
    assert net.receive_all(dealer, 20) == [message[1:] for message in recorded]
    _, address = net.end(zmq.DEALER, routing_id=b"somebody else")
    done = zmqtopo("replay", "a.mcap", "--connect", address, "--type", "ROUTER", "--keep-identities")
    assert done.returncode == 1
    assert "0 messages" in done.stderr
    assert "20 messages not sent: no peer has that identity" in done.stderr
    up.stop()


def test_a_recording_of_several_devices(zmqtopo: Run, start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES, devices=["jobs", "more"])
    up = start(JOBS).ready()
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    assert zmqtopo("replay", "a.mcap", "--to", "jobs.in").returncode == 0   # those of the device of that name
    assert net.receive_all(pull, 50) == MESSAGES
    assert zmqtopo("replay", "a.mcap", "--to", "jobs.in", "--device", "more", "--until", "10ms").returncode == 0
    assert net.receive_all(pull, 10) == MESSAGES[:10]
    done = zmqtopo("replay", "a.mcap", "--connect", up.address("jobs.in"), "--type", "PUSH")
    assert done.returncode == 2
    assert "the recording has messages of jobs and more: say with --device whose are meant" in done.stderr
    up.stop()


def test_loops_and_parts(zmqtopo: Run, net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    pull, address = net.end(zmq.PULL)
    to = ("--connect", address, "--type", "PUSH", "--speed", "max")
    assert zmqtopo("replay", "a.mcap", *to, "--loop", "3").returncode == 0
    assert net.receive_all(pull, 150) == MESSAGES * 3
    assert zmqtopo("replay", "a.mcap", *to, "--match", "4", "--from", "40ms").returncode == 0
    assert net.receive_all(pull, 10) == MESSAGES[40:]
    # A part of nothing, however often, ends.
    done = zmqtopo("replay", "a.mcap", *to, "--match", "x", "--loop", "0")
    assert (done.returncode, done.stderr[:19]) == (0, "zmqtopo: 0 messages")
    assert done.stderr.endswith("\nzmqtopo: no message of a.mcap fits --match\n")


def test_steps(net: Any, replay: Callable[..., Replay], tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", [[b"a\x1b"], [b"b"], [b"c"]])
    pull, address = net.end(zmq.PULL)
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, b"\n\n\x04")     # Ctrl-D ends the input
        said = replay("a.mcap", "--connect", address, "--type", "PUSH", "--step", stdin=terminal).end()
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert net.receive_all(pull, 2) == [[b"a\x1b"], [b"b"]]
    assert r"'a\x1b'  [Enter sends]" in said
    assert "2 messages" in said
    assert not pull.poll(0)


@pytest.mark.parametrize("shell", ["</dev/null", "<&-", "< <(echo)"])
def test_steps_need_a_terminal(tmp_path: Path, shell: str) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    words = [*COMMAND, "replay", "a.mcap", "--connect", "tcp://127.0.0.1:9", "--type", "PUSH", "--step"]
    done = subprocess.run(["bash", "-c", f'"$@" {shell}', "replay", *words], cwd=tmp_path, capture_output=True,
                          text=True, check=False, timeout=DEADLINE)
    assert done.returncode == 2
    assert "--step needs a terminal" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_sent(
    net: Any, replay: Callable[..., Replay], tmp_path: Path, number: int
) -> None:
    record(tmp_path / "a.mcap", [[b"first"], [b"second"]], interval=3600)
    pull, address = net.end(zmq.PULL)
    running = replay("a.mcap", "--connect", address, "--type", "PUSH")
    assert net.receive(pull) == [b"first"]
    running.process.send_signal(number)
    assert "zmqtopo: 1 message to tcp://" in running.end(130)
    waiting = replay("a.mcap", "--bind", f"ipc://{tmp_path}/nobody", "--type", "PUSH")
    net.until(lambda: (tmp_path / "nobody").exists())
    waiting.process.send_signal(number)
    assert "zmqtopo: 0 messages" in waiting.end(130)


def test_a_device_that_takes_nothing_is_waited_for(
    zmqtopo: Run, start: Callable[..., Any], net: Any, replay: Callable[..., Replay], tmp_path: Path
) -> None:
    messages = [[b"%d" % number, bytes(1000)] for number in range(10_000)]
    record(tmp_path / "a.mcap", messages)
    up = start(JOBS).ready()
    zmqtopo("pause", "it")
    running = replay("a.mcap", "--to", "jobs.in", "--speed", "max", "--format", "json")
    assert running.process.stderr is not None
    assert running.process.stderr.readline() == (
        "zmqtopo: jobs.in takes no messages: it is full, paused or gone; waiting for it\n")
    zmqtopo("resume", "it")
    pull = net.socket(zmq.PULL, connect=up.address("jobs.out"))
    assert net.receive_all(pull, 10_000) == messages
    running.end()
    told = json.loads(running.out)
    assert told["sent"] == 10_000
    assert told["blocked"] >= 1
    assert told["blocked_seconds"] > 1
    up.stop()


def test_a_recording_that_a_kill_has_cut(zmqtopo: Run, net: Any, tmp_path: Path) -> None:
    record(tmp_path / "a.mcap", MESSAGES)
    os.truncate(tmp_path / "a.mcap", (tmp_path / "a.mcap").stat().st_size - 100)
    pull, address = net.end(zmq.PULL)
    done = zmqtopo("replay", "a.mcap", "--connect", address, "--type", "PUSH")
    assert done.returncode == 0
    assert "a.mcap is cut at byte" in done.stderr
    assert net.receive_all(pull, 50) == MESSAGES


@pytest.mark.slow
def test_the_spacing_is_that_of_the_recording(net: Any, replay: Callable[..., Replay], tmp_path: Path) -> None:
    """Of 100,000 messages in 20 seconds, within 5 ms at p99; other work of the machine may spoil a try or two."""
    record(tmp_path / "a.mcap", [[b"%d" % each] for each in range(100_000)], interval=0.0002)
    tries = []
    while not tries or (max(tries[-1]) >= 0.005 and len(tries) < 3):
        tries.append(lateness_and_spacing(net, replay))
    assert max(tries[-1]) < 0.005, tries


def lateness_and_spacing(net: Any, replay: Callable[..., Replay]) -> tuple[float, float]:
    """How late replay says that it was, and how far what came was from its place, both at p99 in seconds."""
    pull, address = net.end(zmq.PULL, rcvhwm=0)
    came: list[float] = []

    def receive() -> None:
        for each in range(100_000):
            assert net.receive(pull) == [b"%d" % each]
            came.append(time.monotonic())

    thread = threading.Thread(target=receive)
    thread.start()
    running = replay("a.mcap", "--connect", address, "--type", "PUSH", "--format", "json")
    thread.join(60)
    running.end()
    told = json.loads(running.out)
    assert told["sent"] == len(came) == 100_000
    spacing = sorted(abs(at - came[0] - each * 0.0002) for each, at in enumerate(came))
    return told["late_p99"], spacing[99_000]
