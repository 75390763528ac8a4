"""Looking on at running devices, as a program does it: what is seen, and exactly how much is not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.control.client import connect
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.tap.reader import Tapped, TapReader, UnknownTapError

from .conftest import DEADLINE, Up

STREAMER = """
version: 1
devices:
  jobs: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}, RUN}
"""

QUEUE = """
version: 1
devices:
  jobs: {type: queue, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""

ROUTERS = """
version: 1
devices:
  jobs:
    type: monitored_queue
    in: {type: ROUTER, bind: "tcp://127.0.0.1:*"}
    out: {type: ROUTER, bind: "tcp://127.0.0.1:*"}
    mon: {bind: "tcp://127.0.0.1:*"}
"""

RUNS = {"thread": "run: thread", "process": "run: process", "group": "run: process/group"}

Look = Callable[..., TapReader]


@pytest.fixture
def look() -> Iterator[Look]:
    """Looks on at the topology; all readers are closed after the test."""
    readers: list[TapReader] = []

    def look(*devices: str, **options: Any) -> TapReader:
        readers.append(TapReader(connect("it"), devices, **options))
        return readers[-1]

    yield look
    for reader in readers:
        reader.close()


def receive(reader: TapReader, count: int) -> list[Tapped]:
    """The next messages, so many at least."""
    got: list[Tapped] = []
    deadline = time.monotonic() + DEADLINE
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count} came"
        got += reader.receive(0.2)
    return got


def pair(net: Any, up: Up) -> tuple[Any, Any]:
    """The ends of a streamer."""
    return net.socket(zmq.PUSH, connect=up.address("jobs.in")), net.socket(zmq.PULL, connect=up.address("jobs.out"))


def pass_on(push: Any, pull: Any, *messages: list[bytes]) -> None:
    for message in messages:
        push.send_multipart(message)
    for message in messages:
        assert pull.poll(int(DEADLINE * 1000))
        assert pull.recv_multipart() == message


def pass_many(push: Any, pull: Any, count: int) -> None:
    def send() -> None:
        for _ in range(count):
            push.send(b"sixteen bytes...")

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(count):
        pull.recv()
    sender.join()


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_what_passes_is_seen_with_number_and_time(start: Any, net: Any, look: Look, run: str) -> None:
    push, pull = pair(net, start(STREAMER.replace("RUN", run)).ready())
    pass_on(push, pull, [b"before anybody looks"])
    reader = look()
    before = time.time_ns()
    pass_on(push, pull, [b"one"], [b"topic", b"", b"\xff\0" * 1000], [b"x" * 1_000_000])
    got = receive(reader, 3)
    assert [tapped.frames for tapped in got] == [[b"one"], [b"topic", b"", b"\xff\0" * 1000], [b"x" * 1_000_000]]
    assert [tapped[:3] for tapped in got] == [("jobs", "in_to_out", number) for number in (2, 3, 4)]
    assert all(before <= tapped.time <= time.time_ns() for tapped in got)
    reader.settle()
    assert (reader.shown, reader.left_out, reader.passed) == (3, 0, 3)


def test_both_flows_of_a_queue(start: Any, net: Any, look: Look) -> None:
    up = start(QUEUE).ready()
    client, server = (net.socket(kind, connect=up.address(f"jobs.{role}"))
                      for kind, role in ((zmq.REQ, "in"), (zmq.REP, "out")))
    both, there, back = look(), look(flow="in_to_out"), look(flow="out_to_in")
    client.send(b"question")
    assert net.receive(server) == [b"question"]
    server.send(b"answer")
    assert net.receive(client) == [b"answer"]
    asked, answered = receive(both, 2)
    assert (asked.flow, asked.frames[1:]) == ("in_to_out", [b"", b"question"])
    assert (answered.flow, answered.frames[1:]) == ("out_to_in", [b"", b"answer"])
    assert receive(there, 1) == [asked]
    assert receive(back, 1) == [answered]
    assert there.receive(0) == back.receive(0) == []


def test_between_two_routers_the_destination_comes_first_as_the_device_sends_it(
    start: Any, net: Any, look: Look
) -> None:
    up = start(ROUTERS).ready()
    ends = {name: net.socket(zmq.DEALER, routing_id=name.encode(), connect=up.address(f"jobs.{name}"))
            for name in ("in", "out")}
    reader = look()
    # Until each has been heard of, a ROUTER knows nobody of that name.
    net.until(lambda: [ends["in"].send_multipart([b"out", b"ask"]), ends["out"].poll(20)][1])
    ends["out"].send_multipart([b"in", b"tell"])
    assert net.receive(ends["in"]) == [b"out", b"tell"]
    got = receive(reader, 2)
    assert got[0].frames == [b"out", b"in", b"ask"]
    assert got[-1].frames == [b"in", b"out", b"tell"]


def test_only_what_begins_as_asked_for(start: Any, net: Any, look: Look) -> None:
    push, pull = pair(net, start(STREAMER.replace("RUN", RUNS["thread"])).ready())
    long = b"a prefix that is longer than what a header has of it"
    short, longer, nothing = look(prefix=b"eu."), look(prefix=long), look(prefix=b"\0\0")
    sent = [[b"eu.one"], [b"us.one"], [b"eu"], [b""], [b"eu.two", b"us."], [long + b"!"], [long[:20]], [long]]
    pass_on(push, pull, *sent)
    assert [tapped.frames for tapped in receive(short, 2)] == [[b"eu.one"], [b"eu.two", b"us."]]
    assert [tapped.frames for tapped in receive(longer, 2)] == [[long + b"!"], [long]]
    for reader, shown in ((short, 2), (longer, 2), (nothing, 0)):
        reader.settle()
        assert not reader.receive(0)
        assert (reader.shown, reader.left_out) == (shown, len(sent) - shown)


@pytest.mark.parametrize("readers", [1, 2])
def test_a_slow_reader_is_told_exactly_what_it_has_missed(start: Any, net: Any, look: Look, readers: int) -> None:
    count = 100_000
    push, pull = pair(net, start(STREAMER.replace("RUN", RUNS["process"])).ready())
    slow = [look() for _ in range(readers)]
    pass_many(push, pull, count)
    for reader in slow:
        numbers = [tapped.number for tapped in receive(reader, 1000)]
        while more := reader.receive(0.1):
            numbers += [tapped.number for tapped in more]
        reader.settle()
        numbers += [tapped.number for tapped in reader.receive(0)]
        assert numbers == sorted(set(numbers))
        assert reader.shown == len(numbers) < count
        assert (reader.shown + reader.left_out, reader.passed) == (count, count)


def test_a_device_that_waits_for_its_readers_leaves_nothing_out(start: Any, net: Any, look: Look) -> None:
    count = 20_000
    push, pull = pair(net, start(STREAMER.replace("RUN", RUNS["process"])).ready())
    waited_for, other = look(overflow="block"), look(overflow="block", flow="in_to_out")
    passing = threading.Thread(target=pass_many, args=(push, pull, count))
    passing.start()
    for reader in (waited_for, other):
        # The one that is not read holds up the device too.
        assert not reader.left_out
    got: dict[TapReader, list[Tapped]] = {waited_for: [], other: []}
    while min(map(len, got.values())) < count:
        for reader, taken in got.items():
            taken += reader.receive(0.01)
    passing.join()
    for reader, taken in got.items():
        assert [tapped.number for tapped in taken] == list(range(1, count + 1))
        reader.settle()
        assert reader.left_out == 0


def test_an_unknown_device_is_named(start: Any, look: Look) -> None:
    start(STREAMER.replace("RUN", RUNS["thread"])).ready()
    with pytest.raises(UnknownTapError, match="there is no device 'job'; did you mean jobs"):
        look("job")


def test_it_goes_on_when_the_device_is_restarted(start: Any, net: Any, look: Look, control: Any) -> None:
    up = start(STREAMER.replace("RUN", "run: process, restart: {policy: always, backoff: [50ms, 50ms]}")).ready()
    push, pull = pair(net, up)
    reader = look()
    pass_on(push, pull, [b"one"])
    receive(reader, 1)
    os.kill(up.worker("jobs"), signal.SIGKILL)
    up.wait_for("jobs: running")
    notes: list[str] = []
    net.until(lambda: [reader.receive(0.05), notes.extend(reader.notes()), notes][2])
    assert notes[-1].startswith("jobs: restarted") or "is running" in notes[-1]
    sent = 1
    while not (got := reader.receive(0.1)):
        pass_on(push, pull, [b"two"])
        sent += 1
    assert got[0].frames == [b"two"]
    control("restart", "jobs")
    pass_on(push, pull, [b"three"])
    reader.receive(0.2)
    reader.settle()
    assert reader.passed == reader.shown + reader.left_out == sent + 1 == control.ps()["jobs"]["counters"][
        "in_to_out"]["messages"]


def test_the_path_of_the_state_folder_may_be_long(
    start: Any, net: Any, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 40)
    long.mkdir()
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(long))
    up = start(STREAMER.replace("RUN", RUNS["process"])).ready()
    push, pull = pair(net, up)
    reader = look()
    pass_on(push, pull, [b"one"])
    assert receive(reader, 1)[0].frames == [b"one"]
    os.kill(up.worker("jobs"), signal.SIGKILL)
    up.wait_for("jobs: running")
    net.until(lambda: [pass_on(push, pull, [b"two"]), reader.receive(0.05)][1])


def test_the_state_folder_may_be_removed_meanwhile(
    start: Any, net: Any, look: Look, state_folders: Path, control: Any
) -> None:
    up = start(STREAMER.replace("RUN", RUNS["process"])).ready()
    push, pull = pair(net, up)
    before = look()
    folder, = (path.parent for path in state_folders.rglob("control"))
    shutil.rmtree(folder)
    up.wait_for("its state folder was removed")
    after = look()
    pass_on(push, pull, [b"one"])
    assert receive(before, 1) == receive(after, 1)
    control("restart", "jobs")
    deadline = time.monotonic() + DEADLINE
    seen: set[str] = set()
    while seen != {"before", "after"}:
        assert time.monotonic() < deadline
        pass_on(push, pull, [b"two"])
        seen |= {name for name, reader in (("before", before), ("after", after)) if reader.receive(0.1)}


FROZEN = """
import sys, time
from zmqtopo.control.client import connect
from zmqtopo.observe.tap.reader import TapReader
reader = TapReader(connect("it"), overflow=sys.argv[1])
print("looks on", flush=True)
time.sleep(60)
"""


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """A program that looks on and never reads."""
    started: list[subprocess.Popen[str]] = []

    def start(overflow: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", FROZEN, overflow], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "looks on\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def fill(push: Any) -> None:
    """Send until nothing moves any more."""
    with contextlib.suppress(zmq.Again):
        while True:
            push.send(b"x" * 1000)


def taps(state_folders: Path) -> list[str]:
    return [path.name for path in state_folders.rglob("tap-*")]


@pytest.mark.parametrize("overflow", ["drop", "block"])
def test_nothing_is_left_of_a_reader_that_was_killed(
    start: Any, net: Any, frozen: Any, state_folders: Path, overflow: str
) -> None:
    up = start(STREAMER.replace("RUN", RUNS["process"])).ready()
    push, pull = pair(net, up)
    pass_on(push, pull, [b"x"])
    opened = Path(f"/proc/{up.worker('jobs')}/fd")
    before = len(list(opened.iterdir()))
    reader = frozen(overflow)
    assert taps(state_folders)
    reader.kill()
    net.until(lambda: not taps(state_folders))
    net.until(lambda: len(list(opened.iterdir())) == before)
    pass_many(push, pull, 10_000)


@pytest.mark.parametrize("verb", ["stop", "down", "restart"])
def test_a_device_that_waits_for_a_frozen_reader_can_be_stopped(
    start: Any, net: Any, frozen: Any, control: Any, verb: str
) -> None:
    up = start(STREAMER.replace("RUN", "run: process, stop_timeout: 5s")).ready()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"), sndtimeo=200)
    net.socket(zmq.PULL, connect=up.address("jobs.out"), rcvhwm=0)      # takes everything
    reader = frozen("block")
    reader.send_signal(signal.SIGSTOP)
    fill(push)
    assert control.ps()["jobs"]["counters"]["in_to_out"]["waiting"]
    before = time.monotonic()
    control(verb, *(["jobs"] if verb != "down" else []))
    assert time.monotonic() - before < 4
    reader.send_signal(signal.SIGCONT)


def test_the_end_of_the_topology_ends_it_with_the_last_numbers(
    start: Any, net: Any, look: Look, control: Any, state_folders: Path
) -> None:
    push, pull = pair(net, start(STREAMER.replace("RUN", RUNS["thread"])).ready())
    reader = look()
    pass_on(push, pull, *[[b"x"]] * 10)
    control("down")
    assert len(receive(reader, 10)) == 10
    net.until(lambda: [reader.receive(0.1), reader.ended][1])
    assert reader.ended == "it has ended"
    assert (reader.shown, reader.left_out) == (10, 0)
    assert not taps(state_folders)


def test_a_topology_that_does_not_run_any_more_is_no_place_to_look(start: Any) -> None:
    up = start(STREAMER.replace("RUN", RUNS["thread"])).ready()
    client = connect("it")
    up.stop()
    with pytest.raises(ControlError, match="has ended"):
        TapReader(client)
