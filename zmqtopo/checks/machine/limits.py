"""Whether the system lets processes have as many sockets, open files and threads as their devices need."""

from __future__ import annotations

import contextlib
import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Address, Device, Reference, Topology

LIBZMQ_LIMIT: Final = 65535  # ZMQ_SOCKET_LIMIT, which zmq_ctx_get(3) tells; the same in every build

SUPERVISOR: Final = "supervisor"     # no worker has this name

# What was counted in /proc at topologies of 1 to 1000 devices, and some to spare: a test counts again.
_FILES_OF_A_PROCESS: Final = 36     # streams, wake-up, a context, the state folder and some of its clients
_FILES_OF_A_WORKER: Final = 4       # in the supervisor: the connection to it, and what tells that it has ended
_FILES_OF_A_DEVICE: Final = 2       # to be told what to do
_FILES_OF_A_SEGMENT: Final = 2      # the counters of a worker's devices, in both processes
_FILES_OF_AN_IO_THREAD: Final = 2
_FILES_OF_A_MONITOR: Final = 1      # to note the peers of a socket
_FILES_OF_PEERS: Final = 3          # and of what reads the monitors of a process
_THREADS_OF_A_PROCESS: Final = 4    # its own, the reaper of libzmq, and what helps at the end
_THREADS_OF_PEERS: Final = 1


@rule(
    "machine", "too-many-sockets", "error",
    finds="A process with more sockets than `context.max_sockets`, libzmq or the limit of open files allows.",
    why="The last devices would fail to start. Without a file for a connection, now or later, libzmq may end the "
    "whole process by an assertion.",
    bad="""
        context: {max_sockets: 1}
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        context: {max_sockets: 2}
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def too_many_sockets(graph: Graph) -> Iterator[Finding]:
    """Count sockets and open files by process; told at the first device of it."""
    topology = graph.topology
    allowed = min(topology.context.max_sockets or LIBZMQ_LIMIT, LIBZMQ_LIMIT)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    together = _together(topology)
    for process, needed in open_files(topology).items():
        devices = together.get(process, [])
        sockets = sum(1 for device in devices for _ in device.sockets)
        place = devices[0].place if devices else _first(topology).place
        who = _process(devices)
        if sockets > allowed:
            by = "context.max_sockets" if topology.context.max_sockets == allowed else "libzmq"
            yield Finding(place, f"{who} has {sockets} sockets, and {by} allows {allowed}",
                          "raise context.max_sockets, or leave it out" if by != "libzmq" else
                          "spread the devices over several processes (run: process/NAME)")
        elif files != resource.RLIM_INFINITY and needed > files:
            yield Finding(place, f"{who} needs {needed} open files, and the system allows a process {files}",
                          f"raise the hard limit: ulimit -n {2 * needed} as root, or LimitNOFILE={2 * needed} in a "
                          "systemd unit")


def open_files(topology: Topology) -> dict[str, int]:
    """How many descriptors each worker (see `Device.process`) needs, with a client for each address that it binds.

    The supervisor's own process is there as SUPERVISOR.
    """
    together = _together(topology)
    needed = {}
    if together:
        needed[SUPERVISOR] = _FILES_OF_A_PROCESS + (_FILES_OF_A_WORKER + _FILES_OF_A_SEGMENT) * len(together)
    for process, devices in together.items():
        count = _FILES_OF_A_PROCESS + _FILES_OF_A_SEGMENT + _FILES_OF_AN_IO_THREAD * (topology.context.io_threads - 1)
        count += _FILES_OF_PEERS if _notes_peers(devices) else 0
        for device in devices:
            count += _FILES_OF_A_DEVICE
            for socket in device.sockets:
                count += 1      # each socket of ZeroMQ has a descriptor to wake it
                count += _FILES_OF_A_MONITOR if device.peers else 0
                count += sum(2 for address in socket.bind if not _is_inproc(address))
                count += sum(1 for to in socket.connect if not _is_inproc(to))
        needed[process] = count
    return needed


@rule(
    "machine", "too-many-threads", "error",
    finds="A topology with more threads than a user, a container, a systemd unit or the kernel may have.",
    why="Each device has a thread and each process some more. Without one libzmq ends its process at once, and "
    "a limit that others share is reached at any time.",
    bad="""
        context: {io_threads: 1024}  # and this user may have 1000 threads: ulimit -u 1000
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def too_many_threads(graph: Graph) -> Iterator[Finding]:
    """Count threads of all processes together; told at the first device, about the first limit that is too low."""
    topology = graph.topology
    if not topology.devices:
        return
    needed = threads(topology) - (threads(graph.present.topology) if graph.present else 0)
    for name, allowed, taken, hint in _thread_limits():
        if taken + needed > allowed:
            yield Finding(_first(topology).place, f"the topology needs {needed} threads, and {name} allows {allowed}, "
                          f"of which {taken} are taken", hint.format(taken + 2 * needed))
            return


def threads(topology: Topology) -> int:
    """How many threads all processes of the topology have together."""
    together = _together(topology)
    of_workers = len(together) * (_THREADS_OF_A_PROCESS + topology.context.io_threads)
    of_workers += _THREADS_OF_PEERS * sum(map(_notes_peers, together.values()))
    return len(topology.devices) + of_workers + _THREADS_OF_A_PROCESS


class _Limit(NamedTuple):
    name: str
    allowed: int
    taken: int
    hint: str


def _thread_limits(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Iterator[_Limit]:
    """The limits of threads that hold for this process; Linux alone tells them."""
    if not (proc / "loadavg").exists():
        return
    _, allowed = resource.getrlimit(resource.RLIMIT_NPROC)
    # It does not hold for root: a process with CAP_SYS_RESOURCE passes it (setrlimit(2)).
    if allowed != resource.RLIM_INFINITY and os.geteuid() != 0:
        yield _Limit("the limit of this user (ulimit -u)", allowed, _threads_of_user(proc, os.getuid()),
                     "raise the hard limit: ulimit -u {0} as root, or LimitNPROC={0} in a systemd unit")
    yield from _cgroup_limits(proc, cgroups)
    taken = int((proc / "loadavg").read_text().split()[3].partition("/")[2])
    for name in ("threads-max", "pid_max"):
        yield _Limit(f"the kernel (kernel.{name})", int((proc / "sys/kernel" / name).read_text()), taken,
                     f"raise it: sysctl -w kernel.{name}={{0}}")


def _threads_of_user(proc: Path, uid: int) -> int:
    count = 0
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):      # it has just ended, or is not for us to look into
            if folder.stat().st_uid == uid:
                count += len(os.listdir(folder / "task"))  # noqa: PTH208 - a thousand Paths would be made to be counted
    return count


def _cgroup_limits(proc: Path, cgroups: Path) -> Iterator[_Limit]:
    """Every pids.max from the group of this process up: systemd's TasksMax, or what a container may have."""
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "pids"):     # version 2 has one line without a name, version 1 one for each
            continue
        top = cgroups / controllers
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError):      # the topmost has no limit; "max" is none
                allowed, taken = (int((folder / f"pids.{end}").read_text()) for end in ("max", "current"))
                name = f"/{folder.relative_to(top)}" if folder != top else "/"
                yield _Limit(f"the control group {name} (pids.max)", allowed, taken,
                             "raise it: TasksMax={0} in a systemd unit, --pids-limit {0} for a container")
            if folder == top:
                break


def _together(topology: Topology) -> dict[str, list[Device]]:
    """The devices by worker."""
    together: dict[str, list[Device]] = defaultdict(list)
    for device in topology.devices.values():
        together[device.process].append(device)
    return together


def _notes_peers(devices: list[Device]) -> bool:
    return any(device.peers for device in devices)


def _process(devices: list[Device]) -> str:
    if not devices:
        return "the process that supervises the others"
    return devices[0].name if len(devices) == 1 else f"the process of {devices[0].name} and {len(devices) - 1} more"


def _first(topology: Topology) -> Device:
    return next(iter(topology.devices.values()))


def _is_inproc(to: Address | Reference) -> bool:
    return isinstance(to, Address) and to.endpoint is not None and to.endpoint.transport == "inproc"
