"""What processes may have and what topologies need, counted where they really run and under limits that are real."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.machine.limits import SUPERVISOR, _thread_limits, open_files, threads
from zmqtopo.config.model import Topology

LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells how many there are")

STREAMER = "{type: streamer, run: %s, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}"
MONITORED = ("{type: monitored_queue, run: %s, in: {bind: ['tcp://127.0.0.1:*', 'ipc://*']}, "
             "out: {bind: 'tcp://127.0.0.1:*'}, mon: {bind: 'tcp://127.0.0.1:*'}}")
INPROC = "{type: streamer, run: %s, in: {bind: inproc://in%%d}, out: {bind: inproc://out%%d}}"


def text(count: int, device: str, run: str, head: str = "") -> str:
    devices = (f"  d{number}: {(device % run).replace('%d', str(number))}\n" for number in range(count))
    return f"{head}devices:\n" + "".join(devices)


def topology(of: str) -> Topology:
    made = examine_text(of, "t.yaml").topology
    assert made is not None
    return made


def child(script: str, data: str, *arguments: int | str) -> Any:
    """What a process of its own prints as JSON; limits are for it alone."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(script), *map(str, arguments)], input=data, capture_output=True, text=True,
        check=False, timeout=60, env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@LINUX
@pytest.mark.parametrize(("count", "device", "run", "head"), [
    (1, STREAMER, "thread", ""),
    (40, STREAMER, "thread", ""),
    (40, MONITORED, "thread", "context: {io_threads: 4}\n"),
    (40, INPROC, "thread", ""),
    (3, MONITORED, "process", ""),
    (40, STREAMER, "process/g", ""),
    (40, STREAMER, "thread", "peers: false\n"),
])
def test_what_is_needed_is_what_runs_and_a_client_for_each_bind(count: int, device: str, run: str, head: str) -> None:
    made = topology(text(count, device, run, head))
    ours, workers, tasks = child("""
        import json, os, sys
        from pathlib import Path
        import zmqtopo
        from zmqtopo.checks import examine_text

        def family(pid):
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
            return [len(tasks), *(number for child in children for number in family(child))]

        def files(pid):
            return len(os.listdir(f"/proc/{pid}/fd"))

        with zmqtopo.up(examine_text(sys.stdin.read(), "t.yaml").topology, isolated=True) as running:
            workers = dict.fromkeys(device.pid for device in running.status if device.pid != os.getpid())
            print(json.dumps([files(os.getpid()), [files(pid) for pid in workers], family(os.getpid())]))
    """, text(count, device, run, head))
    needed = open_files(made)
    binds = sum(len(socket.bind) for each in made.devices.values() for socket in each.sockets)
    assert ours <= needed.pop(SUPERVISOR) <= ours + binds + 30
    assert len(workers) == len(needed)
    for real, number in zip(workers, needed.values(), strict=True):
        assert real <= number <= real + binds + 30
    assert sum(tasks) <= threads(made) <= sum(tasks) + 6 * len(tasks)


@LINUX
def test_it_starts_within_what_it_needs() -> None:
    """With less, libzmq ends the process by an assertion: there is nothing to catch."""
    of = text(60, STREAMER, "thread")
    assert child("""
        import json, resource, sys
        import zmqtopo
        from zmqtopo.checks import examine_text
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
        with zmqtopo.up(examine_text(sys.stdin.read(), "t.yaml").topology) as running:
            print(json.dumps(len(running.endpoints)))
    """, of, open_files(topology(of))[""]) == 60


PROBE = """
    import json, os, resource, sys
    from zmqtopo.checks import examine_text
    from zmqtopo.checks import check_machine
    topology = examine_text(sys.stdin.read(), "t.yaml").topology
    which, number, hard = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if which == "NPROC" and os.geteuid() == 0:
        check_machine(topology)         # has imported what others than root may not read
        os.setuid(65534)        # nothing limits the threads of root
    resource.setrlimit(getattr(resource, "RLIMIT_" + which), (number, hard or number))
    print(json.dumps([[p.rule, p.place.line, p.message, p.hint] for p in check_machine(topology)]))
"""


@pytest.mark.parametrize(("limit", "hard", "found"), [(256, 0, 2), (256, 4096, 0), (4096, 0, 0)])
def test_more_open_files_than_the_system_allows(limit: int, hard: int, found: int) -> None:
    if hard > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        pytest.skip("this machine allows less")
    of = "".join(["devices:\n", *(f"  d{n}: {STREAMER}\n" % f"process/{n % 2}" for n in range(200))])
    told = child(PROBE, of, "NOFILE", limit, hard)
    assert [rule for rule, *_ in told] == found * ["too-many-sockets"]
    if found:
        assert sorted(message for _, _, message, _ in told) == [
            "the process of d0 and 99 more needs 1041 open files, and the system allows a process 256",
            "the process of d1 and 99 more needs 1041 open files, and the system allows a process 256",
        ]
        assert all("LimitNOFILE=" in hint for *_, hint in told)


@LINUX
@pytest.mark.parametrize(("limit", "found"), [(100, True), (3000, False)])
def test_more_threads_than_a_user_may_have(limit: int, found: bool) -> None:
    told = child(PROBE, text(100, INPROC, "thread"), "NPROC", limit, 0)
    if not found and told and "the limit of this user" not in told[0][2]:
        pytest.skip(f"this machine is full already: {told[0][2]}")
    assert bool(told) == found
    if found:
        (rule, line, message, hint), = told
        assert (rule, line) == ("too-many-threads", 2)
        assert message.startswith("the topology needs 110 threads, and the limit of this user (ulimit -u) allows 100, ")
        assert "LimitNPROC=" in hint


@pytest.mark.parametrize(("of", "names"), [
    ("0::/system.slice/z.service\n", ["/system.slice/z.service", "/system.slice"]),
    ("9:name=systemd:/\n8:pids:/box\n4:memory:/box\n0::/\n", ["/box"]),
    ("0::/\n", []),
])
def test_control_groups(tmp_path: Path, of: str, names: list[str]) -> None:
    """Files as the kernel writes them, for version 2, version 1, and a group without limits."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    for folder, most, now in (("system.slice/z.service", "50", "7"), ("system.slice", "4000", "12"),
                              ("pids/box", "60", "8"), ("system.slice/other", "max", "1")):
        (groups / folder).mkdir(parents=True, exist_ok=True)
        (groups / folder / "pids.max").write_text(f"{most}\n")
        (groups / folder / "pids.current").write_text(f"{now}\n")
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(of)
    (proc / "loadavg").write_text("0.00 0.00 0.00 1/250 999\n")
    (proc / "sys/kernel").mkdir(parents=True)
    (proc / "sys/kernel/threads-max").write_text("1000\n")
    (proc / "sys/kernel/pid_max").write_text("32768\n")
    found = [limit for limit in _thread_limits(proc, groups) if "user" not in limit.name]
    assert [limit.name for limit in found] == [
        *(f"the control group {name} (pids.max)" for name in names), "the kernel (kernel.threads-max)",
        "the kernel (kernel.pid_max)"]
    assert [(limit.allowed, limit.taken) for limit in found[-2:]] == [(1000, 250), (32768, 250)]
    if names:
        assert (found[0].allowed, found[0].taken) in ((50, 7), (60, 8))


def test_limits_are_raised_as_far_as_the_system_allows() -> None:
    before, after = child("""
        import json, resource
        from zmqtopo.service.start import raise_limits
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise_limits()
        print(json.dumps([before, resource.getrlimit(resource.RLIMIT_NOFILE)]))
    """, "")
    assert before[0] == 64
    assert after[1] == before[1]
    assert after[0] == after[1] or sys.platform == "darwin"
