"""What a device costs. Times are for tests/bench_start.py; here is what no busy machine can change."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAVY = {
    "argparse", "asyncio", "jsonschema", "logging", "multiprocessing.pool", "networkx", "yaml", "zmq.auth",
    "zmq.devices", "zmqtopo.checks", "zmqtopo.cli", "zmqtopo.config.load", "zmqtopo.devices.base", "zmqtopo.report",
    "zmqtopo.supervisor.supervisor",
}
"""What takes time to import and no worker needs."""


def test_a_worker_imports_little() -> None:
    program = "import sys, zmqtopo.worker.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert not HEAVY & set(done.stdout.split())


def streamers(count: int, run: str) -> str:
    sockets = "in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}"
    return "devices:\n" + "".join(f"  d{n}: {{type: streamer, run: {run}, {sockets}}}\n" for n in range(count))


def memory(pid: int) -> float:
    """Proportional set size in KiB: a page that several processes share counts in parts."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except FileNotFoundError:
        pytest.skip("this system does not tell how processes share memory")
    return int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0])


def test_memory_of_a_thread_device(start: Callable[..., Any]) -> None:
    one, many = (start(streamers(count, "thread"), name=f"of{count}").ready() for count in (1, 200))
    assert (memory(many.process.pid) - memory(one.process.pid)) / 199 <= 300
    for up in (one, many):
        up.stop()


def test_memory_of_a_process_device(start: Callable[..., Any]) -> None:
    up = start(streamers(5, "process")).ready()
    workers = up.workers()
    assert len(workers) == 5
    assert max(map(memory, workers)) <= 25 * 1024
    up.stop()
