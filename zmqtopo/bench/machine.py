"""What the numbers are worth nothing without: the machine and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import zmq

import zmqtopo


def machine() -> dict[str, str | int]:
    """The processor, how many of its cores this process may use, the system, and the versions of what runs."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pyzmq": zmq.pyzmq_version(),
        "libzmq": zmq.zmq_version(),
        "zmqtopo": zmqtopo.__version__,
    }


def in_words(found: dict[str, str | int]) -> str:
    """The same in one line."""
    cores = f"{found['cores']} core{'s' if found['cores'] != 1 else ''}"
    versions = ", ".join(f"{name} {found[name]}" for name in ("pyzmq", "libzmq", "zmqtopo"))
    return f"{found['cpu']}, {cores}, {found['system']}, {found['python']}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware", "uarch") and value.strip():
            return value.strip()
    if platform.system() == "Darwin":
        named = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(named, capture_output=True, text=True, check=False)
        if done.stdout.strip():
            return done.stdout.strip()
    return platform.processor() or platform.machine()
