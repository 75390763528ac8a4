"""The supervisor's end of a worker."""

from __future__ import annotations

import itertools
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from zmqtopo.broker.counters import CounterBlock, Segment
from zmqtopo.checks import examine_text
from zmqtopo.config.model import ContextSettings, Topology
from zmqtopo.supervisor.forkserver import ForkserverThread
from zmqtopo.supervisor.requests import Callback
from zmqtopo.supervisor.workers import Worker, make_worker, ready
from zmqtopo.supervisor.workers.inbox import Inbox, Message, WorkerEnded
from zmqtopo.supervisor.workers.local import LocalWorker
from zmqtopo.supervisor.workers.process import ProcessWorker
from zmqtopo.worker.protocol import (
    Bind,
    Bound,
    Connect,
    End,
    Failed,
    Pause,
    Paused,
    Ready,
    Resume,
    Resumed,
    Stop,
    Stopped,
)

DEADLINE = 10.0


# -- the inbox ------------------------------------------------------------------------------------------------------


def test_events_come_in_the_order_in_which_they_were_posted() -> None:
    inbox = Inbox()
    for name in "abc":
        inbox.post(Ready(name))
    assert ready([], inbox, 0) == [Ready("a"), Ready("b"), Ready("c")]
    assert ready([], inbox, 0) == []
    inbox.close()


def test_an_event_from_another_thread_wakes() -> None:
    inbox = Inbox()
    thread = threading.Thread(target=inbox.post, args=[Ready("a")])
    thread.start()
    assert ready([], inbox, None) == [Ready("a")]
    thread.join()
    inbox.close()


def test_more_events_than_the_wakings_can_hold() -> None:
    inbox = Inbox()
    for i in range(10_000):
        inbox.post(Ready(str(i)))
    assert len(ready([], inbox, 0)) == 10_000
    inbox.post(Ready("last"))
    taken: list[Message] = []
    while not taken:
        taken = ready([], inbox, DEADLINE)
    assert taken == [Ready("last")]
    inbox.close()


def test_a_signal_handler_may_post() -> None:
    inbox = Inbox()
    before = signal.signal(signal.SIGALRM, lambda *_: inbox.post(Ready("a")))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert ready([], inbox, DEADLINE) == [Ready("a")]
    finally:
        signal.signal(signal.SIGALRM, before)
    inbox.close()


def test_a_closed_inbox_takes_events_and_nobody_hears_of_them() -> None:
    inbox = Inbox()
    inbox.close()
    inbox.post(Ready("a"))


# -- workers --------------------------------------------------------------------------------------------------------


def topology(run: str) -> Topology:
    found = examine_text(f"""
devices:
  d:
    type: streamer
    run: {run}
    in: {{bind: "tcp://127.0.0.1:*"}}
    out: {{bind: "tcp://127.0.0.1:*"}}
""").topology
    assert found is not None
    return found


class Told:
    """A worker for one streamer, and its events."""

    def __init__(self, run: str) -> None:
        self.topology = topology(run)
        self.device = self.topology.devices["d"]
        self.block = CounterBlock(Segment() if run != "thread" else None)
        self.inbox = Inbox()
        self.events: deque[Message] = deque()
        self.ends: list[int | None] = []
        self.forkserver = ForkserverThread(self.topology.name, self.inbox.post)
        self.worker: Worker = make_worker(self.device.process, self.topology, self.inbox, None, self.forkserver)

    def next(self) -> Message:
        self.take(self.events)
        return self.events.popleft()

    def take(self, wanted: Collection[object]) -> None:
        """Take events until there is what is wanted."""
        deadline = time.monotonic() + DEADLINE
        while not wanted:
            assert time.monotonic() < deadline
            for event in ready([self.worker], self.inbox, max(deadline - time.monotonic(), 0)):
                if isinstance(event, Callback):
                    event.do()
                else:
                    self.events.append(event)

    def start(self) -> None:
        binds = {s.role: tuple(address.text for address in s.bind) for s in self.device.sockets}
        self.worker.order(Bind(self.device, binds, self.block))
        assert isinstance(self.next(), Bound)
        self.worker.order(Connect("d", {"in": (), "out": ()}))
        assert self.next() == Ready("d")

    def close(self) -> None:
        self.forkserver.close()
        self.inbox.close()


@pytest.fixture
def process() -> Any:
    told = Told("process")
    yield told
    assert isinstance(told.worker, ProcessWorker)
    if told.worker.connection is not None:
        told.worker.kill()
        while not isinstance(told.next(), WorkerEnded):
            continue
    told.worker.errors.close()
    told.close()
    del told.block      # the fixture's value outlives the test


@pytest.mark.parametrize(("run", "kind", "name"), [
    ("thread", LocalWorker, ""),
    ("process", ProcessWorker, "device d"),
    ("process/g", ProcessWorker, "group g"),
])
def test_a_worker_does_as_it_is_told(run: str, kind: type, name: str) -> None:
    told = Told(run)
    assert type(told.worker) is kind
    assert told.worker.name == name
    told.start()
    told.worker.order(Stop("d", 5))
    assert told.next() == Stopped("d")
    assert told.block.state == "stopped"
    told.worker.order(End())
    end = told.next()
    assert isinstance(end, WorkerEnded)
    assert end.worker == name
    assert end.how == "end" or end.how.endswith("ended with exit code 0")
    told.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_is_reported_with_its_cause(process: Told, number: signal.Signals) -> None:
    process.start()
    pid = process.worker.pid
    os.kill(pid, number)
    assert process.next() == WorkerEnded("device d", f"process {pid} ended by {number.name}")
    process.worker.order(Stop("d", 5))      # it goes nowhere, and that is no error


def answers(worker: ProcessWorker) -> int:
    """How many whole answers wait to be taken: each has four bytes for its length before it."""
    assert worker.connection is not None
    with socket.socket(fileno=os.dup(worker.connection.fileno())) as connection:
        try:
            data = connection.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
    found, at = 0, 0
    while len(data) >= at + 4 and len(data) >= (at := at + 4 + int.from_bytes(data[at:at + 4], "big")):
        found += 1
    return found


def test_all_that_has_been_answered_is_taken_at_once(process: Told, net: Any) -> None:
    process.start()
    assert isinstance(process.worker, ProcessWorker)
    process.worker.order(Pause("d"))
    process.worker.order(Stop("d", 0))
    net.until(lambda: answers(process.worker) == 2, "both answers")     # one that is told to end answers no more
    process.worker.order(End())
    ended = os.pidfd_open(process.worker.pid)
    assert select.select([ended], [], [], DEADLINE)[0]
    os.close(ended)
    assert ready([process.worker], process.inbox, DEADLINE) == [Paused("d"), Stopped("d")]
    assert isinstance(process.next(), WorkerEnded)


def test_one_that_takes_no_orders_is_not_waited_for(process: Told) -> None:
    process.start()
    orders = 2000
    os.kill(process.worker.pid, signal.SIGSTOP)
    for number in range(orders):
        process.worker.order(Pause("d") if number % 2 else Resume("d"))
    assert process.worker.behind
    assert ready([process.worker], process.inbox, 0) == []
    os.kill(process.worker.pid, signal.SIGCONT)
    assert [process.next() for _ in range(orders)] == [Resumed("d"), Paused("d")] * (orders // 2)
    assert not process.worker.behind


def test_one_that_took_no_orders_can_be_killed(process: Told) -> None:
    process.start()
    os.kill(process.worker.pid, signal.SIGSTOP)
    while not process.worker.behind:
        process.worker.order(Resume("d"))
    process.worker.kill()
    assert isinstance(process.next(), WorkerEnded)
    assert not process.worker.behind


def test_one_that_had_to_be_killed_is_not_taken_for_the_work_of_others(process: Told) -> None:
    process.start()
    pid = process.worker.pid
    process.worker.kill()
    assert process.next() == WorkerEnded("device d", f"process {pid} did not stop in time and was killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_to_everybody_are_not_for_workers(process: Told, number: signal.Signals) -> None:
    process.start()
    os.kill(process.worker.pid, number)
    process.worker.order(Stop("d", 5))
    assert process.next() == Stopped("d")


def test_a_worker_has_a_process_group_of_its_own(process: Told) -> None:
    process.start()
    assert isinstance(process.worker, ProcessWorker)
    assert process.worker.pid is not None
    assert os.getpgid(process.worker.pid) == process.worker.pid != os.getpgid(0)


def test_an_error_comes_back_from_a_process(process: Told) -> None:
    process.worker.order(Bind(process.device, {"in": ("tcp://203.0.113.1:5000",), "out": ()}, process.block))
    assert process.next() == Failed("d", "d.in: cannot bind tcp://203.0.113.1:5000: Cannot assign requested address")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux sets the limits of another process")
@pytest.mark.parametrize("room", [0, 1, 2])
def test_too_many_open_files_are_the_end_of_nobody_else(process: Told, room: int) -> None:
    """Two descriptors are needed for the counters, and then more for sockets."""
    process.start()
    pid = process.worker.pid
    taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}  # noqa: PTH208 - numbers, not paths
    free = (number for number in itertools.count() if number not in taken)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    other, block = replace(process.device, name="e"), CounterBlock(Segment())
    order = Bind(other, {"in": ("tcp://127.0.0.1:*",), "out": ("tcp://127.0.0.1:*",)}, block)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(free, room, None)), before[1]))
    for _ in range(3):
        process.worker.order(order)
        failed = process.next()
        assert isinstance(failed, Failed)
        assert failed.name == "e"
        assert "Too many open files" in failed.error
    process.worker.order(Pause("d"))
    assert process.next() == Paused("d")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    process.worker.order(order)
    assert isinstance(process.next(), Bound)


def test_a_folder_with_modules_of_the_same_name_is_not_looked_into(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signal.py").write_text("raise SystemExit(77)")
    monkeypatch.chdir(tmp_path)
    told = Told("process")
    told.start()
    told.worker.order(Stop("d", 0))
    assert told.next() == Stopped("d")
    told.worker.order(End())
    assert isinstance(told.next(), WorkerEnded)
    told.close()


def test_a_process_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    told = Told("process")
    assert told.next() == WorkerEnded("device d", "cannot start: No such file or directory")
    told.close()


def test_a_worker_without_its_supervisor_ends(process: Told) -> None:
    process.start()
    assert isinstance(process.worker, ProcessWorker)
    assert process.worker.connection is not None
    process.worker.connection.close()
    process.worker.connection = None
    process.forkserver.wait(process.worker.pid, process.ends.append)
    process.take(process.ends)
    assert process.ends == [0]


def test_a_supervisor_that_dies_in_the_middle_of_an_order(process: Told) -> None:
    process.start()
    assert isinstance(process.worker, ProcessWorker)
    assert process.worker.connection is not None
    process.worker.connection.send(Bind(process.device, {"in": (), "out": ()}, None))   # a descriptor should follow
    process.worker.connection.close()
    process.worker.connection = None
    process.forkserver.wait(process.worker.pid, process.ends.append)
    process.take(process.ends)
    assert process.ends == [0]


def test_workers_have_nothing_of_each_other(process: Told) -> None:
    process.start()
    other = ProcessWorker("other", ContextSettings(), 0, process.inbox, process.forkserver)
    events: list[Message] = []
    while not events:
        for event in ready([other], process.inbox, DEADLINE):
            if isinstance(event, Callback):
                is_new = other.pid is None
                event.do()
                if is_new and other.pid is not None:
                    # Only when nobody else holds the other end of its connection, its own death ends that.
                    os.kill(other.pid, signal.SIGKILL)
            else:
                events.append(event)
    assert events == [WorkerEnded("other", f"process {other.pid} ended by SIGKILL")]
    assert ready([process.worker], process.inbox, 0) == []


def test_nobody_waits_for_a_forkserver_that_stands_still(process: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    process.start()
    forkserver = process.forkserver._forkserver
    assert forkserver._process is not None
    monkeypatch.setattr(forkserver, "_timeout", 0.5)
    os.kill(forkserver._process.pid, signal.SIGSTOP)
    other = ProcessWorker("other", ContextSettings(), 0, process.inbox, process.forkserver)
    process.worker.order(Pause("d"))
    assert process.next() == Paused("d")
    assert other.pid is None
    assert process.next() == WorkerEnded("other", "cannot start: the process that starts workers does not answer; "
                                         "another one takes its place")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_a_worker_ends_with_the_forkserver(process: Told) -> None:
    process.start()
    assert process.forkserver._forkserver._process is not None
    os.kill(process.worker.pid, signal.SIGSTOP)
    os.kill(process.forkserver._forkserver._process.pid, signal.SIGKILL)
    # It was the forkserver's child, and nobody else could have waited for it.
    assert process.next() == WorkerEnded("device d", f"process {process.worker.pid} ended")


def test_a_signal_wakes_the_inbox_before_its_handler_has_run() -> None:
    inbox = Inbox()
    handler = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        inbox.wake_on_signals()
        signal.raise_signal(signal.SIGUSR1)     # the byte is the C handler's; this Python handler posts nothing
        assert select.select([inbox.receiver], [], [], 10)[0]
        assert inbox.take() == []
    finally:
        inbox.close()
        signal.signal(signal.SIGUSR1, handler)
    assert signal.set_wakeup_fd(-1) == -1
