"""The log of the topology, read from its state folder."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Final

from zmqtopo.control.errors import ControlError
from zmqtopo.control.folder import Folder, open_named

MOST_LINES: Final = 1000
"""Lines that are shown at most."""

MOST_BYTES: Final = 256 << 10
"""Bytes that are read for them, and for what is new."""

Entry = dict[str, Any]


class Log:
    """Reads the last lines, and what has been written since."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._read: tuple[int, int] | None = None
        """The inode of the log and how far it has been read."""

    def last(self, count: int) -> list[Entry]:
        """The last lines that the topology has said."""
        found: list[Entry] = []
        with contextlib.suppress(OSError, ControlError), open_named(self._name) as folder:
            for name in ("log", "log.1"):
                if len(found) < count:
                    found = _entries(_tail(folder, name)) + found
        return found[-count:] if count else []

    def new(self) -> list[Entry]:
        """What has been said since the last call; nothing at the first one."""
        with contextlib.suppress(OSError, ControlError), open_named(self._name) as folder:
            fd = folder.open("log")
            try:
                status = os.fstat(fd)
                before, self._read = self._read, (status.st_ino, status.st_size)
                if before is None:
                    return []
                start = before[1] if before[0] == status.st_ino and before[1] <= status.st_size else 0
                start = max(start, status.st_size - MOST_BYTES)
                text = os.pread(fd, status.st_size - start, start)
            finally:
                os.close(fd)
            whole, _, rest = text.rpartition(b"\n")
            self._read = status.st_ino, status.st_size - len(rest)
            return _entries(whole)[-MOST_LINES:]
        return []

    def forget(self) -> None:
        """Let the next call of `new` be the first again."""
        self._read = None


def _tail(folder: Folder, name: str) -> bytes:
    try:
        fd = folder.open(name)
    except OSError:
        return b""
    try:
        size = os.fstat(fd).st_size
        text = os.pread(fd, MOST_BYTES, max(size - MOST_BYTES, 0))
    finally:
        os.close(fd)
    return text if size <= MOST_BYTES else text.partition(b"\n")[2]


def _entries(text: bytes) -> list[Entry]:
    """The lines that are the topology's own: libraries and crashes write there too."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and "message" in entry:
                found.append(entry)
    return found
