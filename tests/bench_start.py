"""How long ``zmqtopo up`` takes for many devices, and what they cost; run it with ``python tests/bench_start.py``.

Prints for 50 process devices and for 1,000 thread devices the time from the start of the command to its ready
line (the median of five runs, and the worst), memory a device, and CPU over ten seconds in which no message
comes. Memory is the proportional set size: a page that several processes share counts in parts. Ends with 1
when a promise is broken: 50 process devices ready in 5 s with 25 MiB each, 1,000 thread devices ready in 2 s
with 300 KiB each and under 1% of a core. For Linux.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS = 5
IDLE = 10.0
"""Seconds of idling."""

TICKS = os.sysconf("SC_CLK_TCK")


def streamers(count: int, run: str) -> str:
    """A topology of so many devices of two tcp sockets each."""
    sockets = "in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}"
    return "devices:\n" + "".join(f"  d{n}: {{type: streamer, run: {run}, {sockets}}}\n" for n in range(count))


@contextmanager
def running(topology: Path) -> Iterator[tuple[float, int]]:
    """Seconds from the start of the command to its ready line, and its process; it is stopped at the end."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "zmqtopo", "up", str(topology)], stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr as said:
        try:
            for line in said:
                if b": ready, " in line:
                    break
            else:
                raise SystemExit(f"{topology.name} was not started")
            yield time.monotonic() - start, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            said.read()
            process.wait()


def family(pid: int) -> list[int]:
    """A process and all that it and they have started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    return [pid, *(relative for child in children for relative in family(child))]


def memory(pids: list[int]) -> float:
    """KiB of memory, each page divided by the number of processes that share it."""
    return sum(
        int(re.findall(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[0])
        for pid in pids
    )


def cpu(pids: list[int]) -> float:
    """Seconds of CPU, by the ticks of the system."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) / TICKS


def times(topology: Path) -> list[float]:
    """Of several starts, sorted."""
    found = []
    for _ in range(RUNS):
        with running(topology) as (seconds, _):
            found.append(seconds)
    return sorted(found)


def main() -> int:
    """Measure, print, judge."""
    promises = []
    with tempfile.TemporaryDirectory() as folder:
        def written(count: int, run: str) -> Path:
            path = Path(folder, f"{run}-{count}.yaml")
            path.write_text(streamers(count, run))
            return path

        for count, run, limit, room in ((50, "process", 5, 25 * 1024), (1000, "thread", 2, 300)):
            taken = times(written(count, run))
            with running(written(1, run)) as (_, pid):
                base = memory(family(pid))
            with running(written(count, run)) as (_, pid):
                pids = family(pid)
                before = cpu(pids)
                each = (memory(pids) - base) / (count - 1)
                time.sleep(IDLE)
                idle = (cpu(pids) - before) / IDLE
            print(f"{count:5,} {run:7} devices: ready in {statistics.median(taken):.2f} s, {taken[-1]:.2f} s at worst; "
                  f"{each:,.0f} KiB a device; {idle:.2%} of a core when idle")
            promises += [
                (taken[len(taken) // 2] <= limit, f"{count:,} {run} devices are ready within {limit} s"),
                (each <= room, f"a {run} device takes no more than {room:,} KiB"),
                (idle < 0.01, f"{count:,} {run} devices take less than 1% of a core when idle"),
            ]
    broken = [what for kept, what in promises if not kept]
    for what in broken:
        print(f"broken: {what}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
