"""No growth: a topology that has been restarted, reloaded and asked a thousand times is as small as after ten."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.control.client import Client, connect

from .brokers import ANY, pump
from .conftest import DEADLINE, Up, children

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells what other processes have"
)

# KiB of anonymous memory, swapped out or not, that a process may have gained; the rest of what it has is pages of
# files, which the system gives and takes as it likes. CPython keeps what it has needed once: up to 2,000 empty tuples
# of each length, and up to 4,096 names in its cache of attributes, where everything that is unpickled adds some. A
# supervisor fills these in about a thousand steps and then stays as it is; so much has been measured: 1,060, 1,710 and
# 1,600 KiB, of which the next thousand steps add 30 to 160. If 1 KiB of each step were kept, that would come to 750 to
# 1,500 KiB more, which no bound has room for.
CLIENTS = 1400
RESTARTS = 2200
RELOADS = 3_000

MAPS = 30
"""What malloc may add to them in arenas, and the system in stacks of threads; one for each restart were a thousand."""


@dataclass(frozen=True)
class Size:
    """What one process has."""

    memory: int
    maps: int
    descriptors: int
    threads: int
    children: int

    @classmethod
    def of(cls, pid: int) -> Size:
        process = Path(f"/proc/{pid}")
        amounts = dict(line.split(":") for line in (process / "smaps_rollup").read_text().splitlines()[1:])
        return cls(
            memory=sum(int(amounts[name].split()[0]) for name in ("Anonymous", "Swap")),
            maps=len((process / "maps").read_text().splitlines()),
            descriptors=len(os.listdir(process / "fd")),  # noqa: PTH208 - as in tests/conftest.py
            threads=len(list((process / "task").iterdir())),
            children=len(children(pid)),
        )


class Scale:
    """Weighs a topology and all that belongs to it: its processes, by name, and its files."""

    def __init__(self, net: Any, up: Up, asked: Client, *folders: Path) -> None:
        """Descriptors, threads, processes and files have to be those that there are now whenever it is weighed."""
        self._net = net
        self._up = up
        self._asked = asked
        self._folders = [asked.path, *folders]
        self._weighed: dict[str, Size] = {}
        self._numbers = self._count()

    def weigh(self) -> dict[str, Size]:
        # libzmq's threads close what has been closed a moment later.
        self._net.until(lambda: self._count() == self._numbers, f"{self._numbers}")
        return self._weighed

    def _count(self) -> Any:
        self._weighed = self._look()
        files = sorted(path for folder in self._folders for path in folder.iterdir())
        return {name: (size.descriptors, size.threads, size.children) for name, size in self._weighed.items()}, files

    def _look(self) -> dict[str, Size]:
        supervisor = self._up.process.pid
        pids = {"supervisor": supervisor}
        pids |= {f"forkserver {number}": pid for number, pid in enumerate(sorted(children(supervisor)))}
        for device in self._asked.ask("ps", timeout=DEADLINE)["devices"]:
            assert device["state"] == "running", device
            if device["pid"] != supervisor:
                pids[device["name"]] = device["pid"]
        return {name: Size.of(pid) for name, pid in pids.items()}


def compare(before: dict[str, Size], now: dict[str, Size], memory: int) -> None:
    """Fail if a process has gained that much memory, in KiB."""
    for name, size in now.items():
        assert size.memory - before[name].memory < memory, (name, before[name], size)
        assert size.maps - before[name].maps < MAPS, (name, before[name], size)


@pytest.mark.parametrize("run", ["thread", "process", "process/g"])
def test_a_thousand_restarts(start: Callable[..., Up], net: Any, tmp_path: Path, run: str) -> None:
    """Ten at a time: each loop that ends waits 20 ms for what may still come."""
    files = tmp_path / "ipc"
    files.mkdir()
    names = [f"d{number}" for number in range(10)]
    up = start(f"devices:\n  stays: {{type: streamer, run: {run}, in: {ANY}, out: {ANY}}}\n" + "".join(
        f"  {name}: {{type: streamer, run: {run}, in: {ANY}, out: {{bind: 'ipc://{files}/{name}'}}}}\n"
        for name in names
    )).ready()
    ends = [net.socket(type_, connect=up.address(f"d0.{role}"), reconnect_ivl=1)
            for type_, role in ((zmq.PUSH, "in"), (zmq.PULL, "out"))]
    with connect("it") as asked:
        pump(net, *ends, range(1))
        scale = Scale(net, up, asked, files)

        def restart() -> None:
            answer = asked.ask("restart", *names, timeout=DEADLINE)
            assert answer["ok"], answer
            pump(net, *ends, range(1))

        restart()
        before = scale.weigh()
        for _ in range(99):
            restart()
        compare(before, scale.weigh(), RESTARTS)
    up.stop()


def test_a_thousand_reloads(start: Callable[..., Up], net: Any, tmp_path: Path) -> None:
    """Each changes something: devices come with new names, get new sockets or other prefixes, and go."""
    def topology(number: int) -> str:
        turn, step = divmod(number, 4)
        kept = [
            f"  a: {{type: streamer, in: {ANY}, out: {ANY}}}\n",
            f"  b: {{type: streamer, run: process/g, in: {ANY}, out: {ANY}}}\n",
            f"  m: {{type: monitored_queue, run: process, in: {ANY}, out: {ANY}, mon: {{bind: 'tcp://127.0.0.1:*', "
            f"prefix: {{in: p{number}}}}}}}\n",
        ]
        out = f"{{bind: 'tcp://127.0.0.1:*', options: {{sndhwm: {100 + step // 2}}}}}"
        fresh = [f"  {name}{turn}: {{type: streamer, run: {run}, in: {ANY}, out: {out}}}\n"
                 for name, run in (("x", "thread"), ("y", "process/g"))]
        return "devices:\n" + "".join([*kept, *(fresh if step else [])])

    up = start(topology(0)).ready()
    with connect("it") as asked:
        for number in range(1, 1001):
            (tmp_path / "new").write_text(topology(number))
            (tmp_path / "new").rename(tmp_path / "it.yaml")
            answer = asked.ask("reload", timeout=DEADLINE)
            assert (answer["ok"], answer["result"]) == (True, "done"), answer
            if number == 12:
                # By now counters lie where they stay: those of new devices in a segment of their own.
                scale = Scale(net, up, asked)
                before = scale.weigh()
        compare(before, scale.weigh(), RELOADS)
    up.stop()


def test_ten_thousand_clients(start: Callable[..., Up], net: Any) -> None:
    """Fifty at a time, who all leave at once; most have not read their answers, some have only half asked."""
    up = start(f"""
devices:
  a: {{type: streamer, in: {ANY}, out: {ANY}}}
  b: {{type: streamer, run: process, in: {ANY}, out: {ANY}}}
""").ready()
    question = b'{"zmqtopo": 1, "verb": "ps"}\n'
    sent = [b"", question, question[:20], question * 3, b"garbage\n", question.replace(b"ps", b"resume")]
    with connect("it") as asked:
        scale = Scale(net, up, asked)
        there: deque[socket.socket] = deque()

        def leave() -> None:
            while there:
                there.popleft().close()

        def visit(count: int) -> None:
            for number in range(count):
                visitor = socket.socket(socket.AF_UNIX)
                there.append(visitor)
                visitor.settimeout(DEADLINE)
                visitor.connect(os.fspath(asked.path / "control"))
                visitor.sendall(sent[number % len(sent)])
                if number % 7 == 0:
                    visitor.recv(4096)
                if len(there) == 50:
                    leave()
                    # Those who have gone have asked all the same; the next ones wait until that is done with.
                    assert asked.ask("ps", timeout=DEADLINE)["ok"]
            leave()

        try:
            visit(10)
            before = scale.weigh()
            visit(10_000)
            compare(before, scale.weigh(), CLIENTS)
        finally:
            leave()
    up.stop()
