"""Whether a worker has used up its open files: libzmq tells nobody when it can accept no more clients."""

from __future__ import annotations

import os
import resource
import sys

CHECK_INTERVAL = 5.0
"""Seconds between two looks; one costs a worker nothing and the supervisor some microseconds."""

NEARLY_ALL = 0.95
"""Of what a process may have; what is left goes quickly then, and a device needs some to start again."""


def shortage(pid: int) -> str:
    """What there is to say of the open files of a process; empty when it has enough, or where the system does not tell.

    With all in use accept(2) fails with EMFILE, and libzmq's I/O thread tries again without a pause.
    """
    if sys.platform != "linux":
        return ""
    try:
        used = _count(pid)
        allowed, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except OSError:     # it has just ended
        return ""
    if allowed == resource.RLIM_INFINITY or used < NEARLY_ALL * allowed:
        return ""
    return (f"process {pid} uses {used:,} of {allowed:,} open files; with none left no client can connect: "
            "raise the limit (ulimit -n, or LimitNOFILE in a systemd unit)")


def _count(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    # The size of the folder is their number since Linux 6.2.
    return os.stat(folder).st_size or sum(1 for _ in os.scandir(folder))  # noqa: PTH116 - a thousand times as often
