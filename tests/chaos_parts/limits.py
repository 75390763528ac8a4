"""Limits of the system: descriptors, disks, and processes that others stop."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos_parts.wire import Stranger
from chaos_parts.world import DEADLINE, Excuse, World

SPARE = 3
"""Descriptors that a worker may still open."""

SMALL = """\
version: 1
name: small-{number}
devices:
  only: {{type: streamer, run: process, in: {{bind: 'tcp://127.0.0.1:*'}}, out: {{bind: 'tcp://127.0.0.1:*'}}}}
  other: {{type: queue, run: process, in: {{bind: 'tcp://127.0.0.1:*'}}, out: {{bind: 'tcp://127.0.0.1:*'}}}}
"""


def few_descriptors(world: World) -> list[Excuse]:
    """A worker that can open hardly anything, and connections by tcp: what is there goes on and obeys."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"few descriptors for {', '.join(sorted(devices))}")
    with _few_descriptors(pid), ExitStack() as stack:
        for address in _bound(world, devices, "tcp"):
            for _ in range(10):
                stack.enter_context(Stranger(address))
        world.flow()
        world.running.pause(*devices)
        world.running.resume(*devices)
        world.flow()
    return []


def few_descriptors_ipc(world: World) -> list[Excuse]:
    """The same by ipc, where libzmq aborts: its devices come back, and the cause is told."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"few descriptors, ipc, for {', '.join(sorted(devices))}")
    with _few_descriptors(pid), ExitStack() as stack:
        for address in _bound(world, devices, "ipc"):
            for _ in range(10):
                stack.enter_context(Stranger(address))
        world.flow(but=devices)
    world.until(lambda: all(s.state == "running" for s in world.running.status), "all run")
    for name in devices:
        error = world.running.errors.get(name, "")
        if not _runs(pid) and "SIGABRT" not in error:
            world.fault(f"{name} has ended and says {error!r}")
    return [Excuse(devices)]


def stop_starter(world: World) -> list[Excuse]:
    """SIGSTOP the process that starts the workers: all that runs goes on and obeys."""
    starter = next((parent for parent in map(_parent, world.processes()) if _parent(parent) == os.getpid()), None)
    if starter is None:
        return []
    world.story.append("SIGSTOP of the process that starts the workers")
    os.kill(starter, signal.SIGSTOP)
    try:
        world.flow()
        began = time.monotonic()
        device = world.random.choice(world.devices)
        world.running.pause(device)
        world.running.resume(device)
        if time.monotonic() > began + 2:
            world.fault(f"pause and resume have taken {time.monotonic() - began:.1f} s")
    finally:
        os.kill(starter, signal.SIGCONT)
    return []


def full_disk(world: World) -> list[Excuse]:
    """The folder of the log is full: the program goes on and obeys. Needs the right to mount."""
    folder = world.folder / "full"
    folder.mkdir(exist_ok=True)
    mounted = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mounted, capture_output=True, check=False).returncode:
        world.story.append("no disk to fill")
        return []
    world.story.append("a full disk")
    try:
        with _up(world, folder) as (run, pid):
            with (folder / "filling").open("wb", buffering=0) as filling, contextlib.suppress(OSError):
                while True:
                    filling.write(bytes(1024))
            _expect(world, run("pause", "only"), 0)
            for worker in _children_of_children(pid):
                os.kill(worker, signal.SIGKILL)         # that they are back is said in the log
            world.until(lambda: all(device["restarts"] for topology in json.loads(run("ps", "--format", "json").stdout)
                                    for device in topology["devices"]), "workers are started again")
            _expect(world, run("resume", "only"), 0)
            world.until(lambda: run("ps").returncode == 0, "every device runs")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
    return []


def kill_supervisor(world: World) -> list[Excuse]:
    """SIGKILL the program, or stop the starter before: no worker stays."""
    folder = world.folder / "killed"
    folder.mkdir(exist_ok=True)
    with _up(world, folder) as (_, pid):
        starters = _children(pid)
        workers = {worker for starter in starters for worker in _children(starter)}
        hows = ["the supervisor", "the starter and the supervisor", "the supervisor, workers stopped"]
        how = world.random.choice(hows)
        world.story.append(f"SIGKILL of {how}")
        if how == hows[1]:
            for starter in starters:
                os.kill(starter, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        if how == hows[2]:
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGSTOP)
        world.until(lambda: not any(map(_runs, {pid} | workers | starters)), "all have ended with the program")
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    return []


LIMITS: dict[str, Callable[[World], list[Excuse]]] = {
    "limit-descriptors": few_descriptors,
    "limit-ipc-descriptors": few_descriptors_ipc,
    "limit-starter-stopped": stop_starter,
    "limit-disk": full_disk,
    "limit-supervisor-killed": kill_supervisor,
}


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def _few_descriptors(pid: int) -> Iterator[None]:
    """Let a process open no more than a few descriptors, meanwhile."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only their number counts
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + SPARE, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def _bound(world: World, devices: frozenset[str], transport: str) -> list[str]:
    return [
        address for name in sorted(devices) for addresses in world.running.endpoints[name].values()
        for address in addresses if address.startswith(f"{transport}:")
    ]


@contextmanager
def _up(world: World, folder: Path) -> Iterator[tuple[Run, int]]:
    """A small topology in the background, its commands, and its process; it is ended."""
    name = f"small-{world.episodes}-{len(world.story)}"
    file = world.folder / f"{name}.yaml"
    file.write_text(SMALL.format(number=name.partition("-")[2]))
    env = os.environ | {"XDG_RUNTIME_DIR": str(folder), "ZMQTOPO_STATE_DIR": ""}
    env = {key: value for key, value in env.items() if value}

    def run(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        target = [str(file)] if verb == "up" else [name]
        command = [sys.executable, "-m", "zmqtopo", verb, *target, *arguments]
        try:
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, -1, "", f"not within {DEADLINE:g} s")

    _expect(world, run("up", "-d"), 0)
    pid = _child_with(str(file))
    try:
        yield run, pid
    finally:
        if _runs(pid):
            _expect(world, run("down"), 0)


def _expect(world: World, done: subprocess.CompletedProcess[str], code: int) -> None:
    if done.returncode != code or "Traceback" in done.stderr:
        world.fault(f"{' '.join(done.args[2:])} has ended with {done.returncode}: {done.stderr.strip()}")


def _child_with(file: str) -> int:
    """The process of the background whose arguments name a file."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and file.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return min(found)


def _children(pid: int) -> set[int]:
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def _children_of_children(pid: int) -> set[int]:
    return {worker for starter in _children(pid) for worker in _children(starter)}


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _runs(pid: int) -> bool:
    """Whether a process is there and more than a name that waits to be taken note of."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
