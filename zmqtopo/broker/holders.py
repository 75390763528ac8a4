"""Which process holds a port or a socket file, where the system tells: proc(5) of Linux does, to root of everybody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from zmqtopo.config.wording import quote

_LISTENS: Final = "0A"  # TCP_LISTEN of linux/net/tcp_states.h
_ACCEPTS: Final = 0x10000  # __SO_ACCEPTCON of linux/net.h
_WORKER: Final = b"zmqtopo.worker.main"
"""What stands in the arguments of a worker and of the process that starts workers."""
_GENERATIONS: Final = 3
"""A worker, the process that starts workers, and the program."""


def holder_of_port(port: int) -> str:
    """Such as `` by 'redis-server' (process 812)`` or `` by this process``; empty where nobody says."""
    inodes = {f[9] for table in ("tcp", "tcp6") for f in _rows(table)
              if len(f) > 9 and f[3] == _LISTENS and int(f[1].rpartition(":")[2], 16) == port}
    return _process_with(inodes)


def holder_of_path(path: str) -> str:
    """As `holder_of_port`, of the socket file ``path``, which is told as its process has spelled it."""
    inodes = {f[6] for f in _rows("unix") if len(f) > 7 and int(f[3], 16) & _ACCEPTS and _is_same(f[7], path)}
    return _process_with(inodes)


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _rows(table: str) -> Iterator[list[str]]:
    try:
        text = Path("/proc/net", table).read_text("utf-8", errors="surrogateescape")
    except OSError:
        return
    for line in text.splitlines()[1:]:
        yield line.split(None, 7) if table == "unix" else line.split()


def _process_with(inodes: Iterable[str]) -> str:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    if not wanted:
        return ""
    for process in _inside(Path("/proc")):
        if process.name.isdigit() and any(_leads_to(d, wanted) for d in _inside(process / "fd")):
            return _words(process)
    return ""


def _words(process: Path) -> str:
    """Who it is: a notebook, or a program that forgot a `stop`, is told that it stands in its own way."""
    pid = int(process.name)
    if pid == os.getpid():
        return f" by this process ({pid})"
    return f" by {_name(process)} (process {pid}{', of this program' if _is_ours(pid) else ''})"


def _is_ours(pid: int) -> bool:
    """Whether the process is the program that asks, or one of its workers."""
    return _program(pid) == _program(os.getpid())


def _program(pid: int) -> int:
    """The process that has started a worker, by way of the one that starts workers; of any other process, itself."""
    for _ in range(_GENERATIONS):
        try:
            process = Path("/proc", str(pid))
            if _WORKER not in (process / "cmdline").read_bytes():
                break
            stat = (process / "stat").read_text("utf-8", errors="replace")
        except OSError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # somebody else's, or its process has just ended


def _leads_to(descriptor: Path, wanted: set[str]) -> bool:
    try:
        return str(descriptor.readlink()) in wanted
    except OSError:
        return False  # just closed


_SCRIPTS: Final = ("python", "perl", "ruby", "node", "java", "bash", "sh")
"""Programs of which the name of the script says more."""


def program(pid: int) -> str:
    """The name of a process's program, and of its script; empty when the system does not say."""
    if pid <= 0:
        return ""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            words = file.read(1024).decode(errors="replace").split("\0")
    except OSError:
        return ""
    name = Path(words[0]).name
    if name.startswith(_SCRIPTS):
        script = words[2] if words[1:2] == ["-m"] else next((word for word in words[1:2] if word[:1] != "-"), "")
        return f"{name} {Path(script).name}" if script else name
    return name


def _name(process: Path) -> str:
    try:
        return quote((process / "comm").read_text("utf-8", errors="replace").strip())
    except OSError:
        return "a process"
