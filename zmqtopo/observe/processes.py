"""What the system knows of the threads and processes of devices; only Linux tells, in proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def processor_time(pid: int, thread: int) -> float | None:
    """Seconds that a thread has computed, in steps of 10 ms; None when it is gone or the system does not tell."""
    fields = _read(f"/proc/{pid}/task/{thread}/stat").rpartition(b")")[2].split()    # the name may have anything in it
    return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else None


def resident_memory(pid: int) -> int | None:
    """Bytes of memory that a process uses; None when it is gone or the system does not tell."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else None


def with_usage(devices: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What ``ps`` says of devices of this machine, with ``cpu``, `processor_time`, and ``rss``, `resident_memory`."""
    memory: dict[int, int | None] = {}
    told = []
    for device in devices:
        pid, thread = device["pid"], device.get("thread")
        if pid is not None and pid not in memory:
            memory[pid] = resident_memory(pid)
        cpu = processor_time(pid, thread) if pid is not None and thread is not None else None
        told.append({**device, "cpu": cpu, "rss": memory.get(pid)})
    return told


def _read(path: str) -> bytes:
    # Not with open(): of a thousand threads every second, its buffers would take most of the time.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 4096)
    except OSError:     # it has ended in this moment
        return b""
    finally:
        os.close(fd)
