"""What the system says of the processes of a topology, where it does: proc(5) of Linux."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Process:
    """A process at one moment: processor time in seconds, memory in bytes, when it began as Unix time."""

    name: str | None
    """``thread``, ``group NAME`` or ``device NAME`` for the workers of devices; None for the supervisor."""
    cpu: float
    resident: int
    virtual: int
    started: float
    open_files: int | None
    most_files: int | None


def processes(answer: dict[str, Any]) -> list[Process]:
    """The supervisor and the workers, from the answer to ``ps``; those that have ended by now are left out."""
    return [process for name, pid in _pids(answer) if (process := _read(name, pid)) is not None]


def _pids(answer: dict[str, Any]) -> Iterator[tuple[str | None, int]]:
    if answer.get("pid") is not None:
        yield None, answer["pid"]
    workers: dict[str, int] = {}
    for device in answer["devices"]:
        if device["pid"] is not None:
            kind, _, group = device["run"].partition("/")
            name = "thread" if kind == "thread" else f"group {group}" if group else f"device {device['name']}"
            workers.setdefault(name, device["pid"])
    yield from workers.items()


def _read(name: str | None, pid: int) -> Process | None:
    folder = Path("/proc", str(pid))
    try:
        # proc_pid_stat(5): the second field, in parentheses, may hold anything; what follows begins with the third.
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        ticks, page = os.sysconf("SC_CLK_TCK"), resource.getpagesize()
        return Process(
            name, (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * page, int(fields[20]),
            _boot_time() + int(fields[19]) / ticks, _open_files(folder), _most_files(folder),
        )
    except (OSError, ValueError, IndexError):
        return None


@cache
def _boot_time() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise ValueError("no btime")


def _open_files(folder: Path) -> int | None:
    with contextlib.suppress(OSError):      # another user's
        return len(os.listdir(folder / "fd"))   # noqa: PTH208 - only their number is wanted
    return None


def _most_files(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        for line in (folder / "limits").read_text().splitlines():
            if line.startswith("Max open files") and line.split()[3].isdigit():
                return int(line.split()[3])
    return None
