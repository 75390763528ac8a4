"""``zmqtopo up`` and signals: everything ends in time, nothing stays, and what was received is passed on."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

RUNS = ["thread", "process"]

SLACK = 3.0
"""Seconds that a busy machine may take beyond what is promised."""


def streamer(run: str, timeout: str = "10s", hwm: int = 100) -> str:
    return f"""
devices:
  jobs:
    type: streamer
    run: {run}
    stop_timeout: {timeout}
    in: {{bind: "tcp://127.0.0.1:*", options: {{hwm: {hwm}}}}}
    out: {{bind: "tcp://127.0.0.1:*", options: {{hwm: {hwm}}}}}
"""


EVERYTHING = """
devices:
  a: {{type: queue, in: {{bind: ["tcp://127.0.0.1:*", "ipc://{folder}/a"]}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
  b: {{type: forwarder, run: process, in: {{bind: "ipc://{folder}/b"}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
  c: {{type: streamer, run: process/g, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{bind: inproc://x}}}}
  d:
    type: monitored_queue
    run: process/g
    in: {{type: PULL, connect: c.out}}
    out: {{type: PUSH, bind: "tcp://127.0.0.1:*"}}
    mon: {{bind: "ipc://{folder}/d"}}
"""


@pytest.mark.parametrize(("number", "group"), [
    (signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True),
])
def test_a_signal_ends_everything(start: Callable[..., Any], tmp_path: Path, number: int, group: bool) -> None:
    up = start(EVERYTHING.format(folder=tmp_path)).ready()
    began = time.monotonic()
    (up.send_group if group else up.send)(number)
    said = up.end(0)
    assert time.monotonic() - began < SLACK
    for name in "abcd":
        assert f"zmqtopo: {name}: stopped; 0 messages in to out" in said
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]


def test_a_signal_to_everybody_that_is_there_ends_it_as_one_to_the_supervisor_does(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    # As the end of a service does it: every process of a control group gets the signal.
    up = start(EVERYTHING.format(folder=tmp_path)).ready()
    for pid in (*up.workers(), up.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert "ended by" not in up.end(0)


def test_what_a_parent_ignores_stays_ignored(start: Callable[..., Any]) -> None:
    up = start(streamer("thread"), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)).ready()
    up.send(signal.SIGHUP)
    up.send(signal.SIGTERM)
    assert "second" in up.end(0)     # of two signals that counted, the second would have ended it with 130


def test_sigint_ends_what_a_shell_has_put_in_the_background(start: Callable[..., Any]) -> None:
    # A shell without job control starts such a program with SIGINT ignored.
    up = start(streamer("thread"), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)).ready()
    up.send(signal.SIGINT)
    up.end(0)


@pytest.mark.parametrize(("number", "workers"), [
    (signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGINT, 3), (signal.SIGTERM, 4),
])
def test_a_signal_while_it_starts(
    start: Callable[..., Any], net: Any, tmp_path: Path, number: int, workers: int
) -> None:
    up = start(EVERYTHING.format(folder=tmp_path) + "".join(
        f"  e{i}: {{type: streamer, run: process, in: {{connect: d.out}}, out: {{bind: 'tcp://127.0.0.1:*'}}}}\n"
        for i in range(2)
    ))
    net.until(lambda: len(up.workers()) >= workers)
    up.send_group(number)
    up.end(0)
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]


# -- what was received ----------------------------------------------------------------------------------------------


BALLAST = bytes(20_000)
"""So that the buffers of the system hold few messages."""


def numbered(pull: Any, net: Any) -> list[int]:
    """Everything until nothing more comes."""
    numbers = []
    while pull.poll(1000):
        numbers.append(int.from_bytes(net.receive(pull)[0], "big"))
    return numbers


def fill(net: Any, address: str) -> int:
    """Push numbers into a device until it takes no more; how many it has taken."""
    push = net.socket(zmq.PUSH, connect=address, sndhwm=1, linger=0)
    count = 0
    while push.poll(300, zmq.POLLOUT):
        push.send_multipart([count.to_bytes(4, "big"), BALLAST], zmq.DONTWAIT)
        count += 1
    return count


@pytest.mark.parametrize(("run", "number"), [("thread", signal.SIGTERM), ("process", signal.SIGINT)])
def test_what_was_received_is_passed_on_in_order(
    start: Callable[..., Any], net: Any, run: str, number: int
) -> None:
    up = start(streamer(run)).ready()
    # A consumer that takes little and stands still: the device has both of its queues full and a message in hand.
    pull = net.socket(zmq.PULL, rcvhwm=1, connect=up.address("jobs.out"))
    taken = fill(net, up.address("jobs.in"))
    up.send(number)
    up.wait_for("stopping")
    numbers = numbered(pull, net)
    said = up.end(0)
    # What the system's buffers of the producer still held had not been received.
    assert numbers == list(range(len(numbers)))
    assert 200 < len(numbers) <= taken
    assert f"jobs: stopped; {len(numbers):,} messages in to out" in said


@pytest.mark.parametrize("run", RUNS)
def test_a_dead_consumer_does_not_hold_up_the_end(start: Callable[..., Any], net: Any, run: str) -> None:
    up = start(streamer(run, "500ms")).ready()
    net.socket(zmq.PULL, rcvhwm=1, connect=up.address("jobs.out"))
    fill(net, up.address("jobs.in"))
    began = time.monotonic()
    up.send(signal.SIGTERM)
    said = up.end(0)
    assert 0.4 < time.monotonic() - began < 0.5 + SLACK
    assert "dropped" in said


@pytest.mark.parametrize("run", RUNS)
def test_without_any_consumer(start: Callable[..., Any], net: Any, run: str) -> None:
    up = start(streamer(run, "300ms")).ready()
    assert fill(net, up.address("jobs.in")) > 10
    began = time.monotonic()
    up.stop()
    assert time.monotonic() - began < 0.3 + SLACK


@pytest.mark.parametrize("run", RUNS)
def test_a_second_signal_skips_the_wait(start: Callable[..., Any], net: Any, run: str) -> None:
    up = start(streamer(run, "1h")).ready()
    net.socket(zmq.PULL, rcvhwm=1, connect=up.address("jobs.out"))
    fill(net, up.address("jobs.in"))
    up.send(signal.SIGINT)
    up.wait_for("zmqtopo: it: stopping; a second signal skips the wait")
    began = time.monotonic()
    up.send(signal.SIGTERM)
    up.end(130)
    assert time.monotonic() - began < SLACK


def test_a_second_signal_while_sockets_linger(start: Callable[..., Any], net: Any) -> None:
    # The device has passed on everything to its socket, which has nobody to send it to.
    up = start(streamer("process", "1h")).ready()
    dealer = net.socket(zmq.PULL, rcvhwm=1, connect=up.address("jobs.out"))
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"))
    for _ in range(900):
        push.send(b"x" * 10_000)
    assert net.receive(dealer)
    up.send(signal.SIGINT)
    up.wait_for("stopping")
    began = time.monotonic()
    up.send(signal.SIGINT)
    up.end(130)
    assert time.monotonic() - began < SLACK


PRODUCER = """
import sys, zmq
socket = zmq.Context().socket(zmq.PUSH)
socket.linger = 0
socket.connect(sys.argv[1])
while True:
    socket.send(b"x" * 100)
"""

CONSUMER = """
import sys, zmq
socket = zmq.Context().socket(zmq.PULL)
socket.connect(sys.argv[1])
socket.recv()
print(flush=True)
while True:
    socket.recv()
"""


@pytest.fixture
def client() -> Iterator[Callable[[str, str], subprocess.Popen[bytes]]]:
    clients: list[subprocess.Popen[bytes]] = []

    def client(program: str, address: str) -> subprocess.Popen[bytes]:
        clients.append(subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE))
        return clients[-1]

    yield client
    for process in clients:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("run", RUNS)
def test_a_producer_that_never_rests_does_not_hold_up_the_end(
    start: Callable[..., Any], net: Any, client: Callable[[str, str], Any], run: str
) -> None:
    up = start(streamer(run, "1h")).ready()
    client(PRODUCER, up.address("jobs.in"))
    consumer = client(CONSUMER, up.address("jobs.out"))
    assert select.select([consumer.stdout], [], [], 30)[0]
    up.send(signal.SIGTERM)
    began = time.monotonic()
    up.end(0)
    assert time.monotonic() - began < 1 + SLACK


# -- the end of one that cannot say goodbye -------------------------------------------------------------------------


def test_workers_do_not_outlive_a_killed_supervisor(start: Callable[..., Any], net: Any, tmp_path: Path) -> None:
    text = "".join(f"""
  {name}:
    type: streamer
    run: {run}
    stop_timeout: 1h
    in: {{bind: "tcp://127.0.0.1:*"}}
    out: {{bind: ["ipc://{tmp_path}/{name}", "ipc://*"]}}
""" for name, run in (("a", "process"), ("b", "process/g"), ("c", "process/g"), ("full", "process")))
    up = start(f"devices:{text}").ready()
    assert len(up.workers()) == 3
    fill(net, up.address("full.in"))        # one of them has much to pass on, and nobody wants it
    up.process.kill()
    began = time.monotonic()
    up.end(-signal.SIGKILL)                 # the end of stderr is that of the last of them
    assert time.monotonic() - began < 2
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]


def test_nor_does_a_worker_that_stands_still(start: Callable[..., Any]) -> None:
    up = start(streamer("process")).ready()
    pid, = up.workers()
    os.kill(pid, signal.SIGSTOP)
    up.process.kill()
    began = time.monotonic()
    up.end(-signal.SIGKILL)
    assert time.monotonic() - began < 2


def test_a_worker_that_stands_still_is_killed_in_the_end(start: Callable[..., Any]) -> None:
    up = start(streamer("process", "200ms")).ready()
    pid, = up.workers()
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    said = up.stop()
    assert time.monotonic() - began < 0.2 + 1 + SLACK
    assert f"jobs: stopped (process {pid} did not stop in time and was killed)" in said


def test_a_worker_that_is_killed_while_it_stops(start: Callable[..., Any], net: Any) -> None:
    up = start(streamer("process", "1h")).ready()
    fill(net, up.address("jobs.in"))
    pid, = up.workers()
    up.send(signal.SIGTERM)
    up.wait_for("stopping")
    os.kill(pid, signal.SIGKILL)
    assert "jobs: stopped" in up.end(0)


def test_nobody_reads_what_it_says(start: Callable[..., Any], net: Any) -> None:
    # In `zmqtopo up FILE 2>&1 | tee log`, Ctrl-C ends tee, and then there are still messages to pass on.
    up = start(streamer("thread")).ready()
    address = up.address("jobs.in")
    pull = net.socket(zmq.PULL, rcvhwm=1, connect=up.address("jobs.out"))
    push = net.socket(zmq.PUSH, connect=address)
    for number in range(500):
        push.send(number.to_bytes(4, "big"))
    net.receive(pull)
    up.process.stderr.close()
    up.send(signal.SIGINT)
    assert numbered(pull, net) == list(range(1, 500))
    assert up.process.wait(10) == 0
