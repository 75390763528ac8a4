"""The log in the state folder: what a topology says, as JSON, and what libraries and crashes print in between."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from zmqtopo.control.ended import PREVIOUS
from zmqtopo.control.folder import Folder

LOGS: Final = ("log", "log.1")
"""The log and what was before it."""

LARGEST: Final = 4 << 20
"""Bytes after which a new log is begun; one more is kept."""


class LogFile:
    """The log being written, behind a descriptor that stays the same when a new file is begun."""

    def __init__(self, folder: Folder) -> None:
        """Begin it. Raises OSError."""
        self._folder = folder
        self.fd = self._open()

    def turn_over(self, *, bring: bool = False) -> bool:
        """Begin a new file if this one is large, or is not there any more; whether that was done.

        With ``bring`` the new one begins with what was in one that is not there any more. That it cannot be done is no
        reason to lose a message: the old file takes it, and the next time is another try.
        """
        with contextlib.suppress(OSError):
            if self._is_there():
                if os.fstat(self.fd).st_size < LARGEST:
                    return False
                os.rename("log", "log.1", src_dir_fd=self._folder.fd, dst_dir_fd=self._folder.fd)
                fd = self._open()
            else:
                fd = self._open()
                if bring:
                    self._bring(fd)
            os.dup2(fd, self.fd, inheritable=False)
            os.close(fd)
            return True
        return False

    def close(self) -> None:
        """Let go of it; it stays where it is."""
        os.close(self.fd)

    def _bring(self, fd: int) -> None:
        """Copy what somebody has removed."""
        with contextlib.suppress(OSError):
            if not os.fstat(fd).st_size:
                os.write(fd, os.pread(self.fd, 2 * LARGEST, 0))

    def _is_there(self) -> bool:
        """Whether nobody has removed it or moved it away."""
        try:
            return os.path.samestat(os.stat("log", dir_fd=self._folder.fd), os.fstat(self.fd))
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        return self._folder.open("log", os.O_RDWR | os.O_CREAT | os.O_APPEND)


def lines_of_last_run(folder: Folder, *, is_running: bool) -> Iterator[str]:
    """The lines of the log of the run before the one that is there, or of the last one where none is there."""
    names = [PREVIOUS[name] for name in reversed(LOGS)]
    if not is_running and not any(_is_file(folder, name) for name in names):
        names = list(reversed(LOGS))
    for name in names:
        with contextlib.suppress(OSError), os.fdopen(folder.open(name), errors="replace") as file:
            yield from file


def lines(folder: Folder, ended: Callable[[], bool]) -> Iterator[str]:
    """As `follow`, but for the pauses: ``ended`` may wait a moment before it answers."""
    return (line for line in follow(folder, ended) if line is not None)


def follow(folder: Folder, ended: Callable[[], bool]) -> Iterator[str | None]:
    """The lines of a log from its beginning, until ``ended`` says that there are no more to come.

    It is asked whenever all is read; None stands for where more may come.
    """
    with contextlib.suppress(OSError), os.fdopen(folder.open("log.1"), errors="replace") as old:
        yield from old
    last = False
    while not last:
        try:
            file = os.fdopen(folder.open("log"), errors="replace")
        except OSError:
            return
        with file:
            begun = ""
            replaced = False
            while True:
                for line in file:
                    begun += line
                    if begun.endswith("\n"):
                        yield begun
                        begun = ""
                if last or replaced:
                    break
                # What is written until then is read once more.
                replaced = _is_replaced(folder, file.fileno())
                last = not replaced and ended()
                if not (last or replaced):
                    yield None
            if begun:
                yield begun + "\n"


def entry(line: str) -> dict[str, Any] | None:
    """What a line says; None for one that is not the topology's own."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "message" in found else None


def _is_file(folder: Folder, name: str) -> bool:
    try:
        return bool(os.stat(name, dir_fd=folder.fd, follow_symlinks=False))
    except OSError:
        return False


def _is_replaced(folder: Folder, fd: int) -> bool:
    try:
        now, mine = os.stat("log", dir_fd=folder.fd), os.fstat(fd)
    except OSError:
        return False
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
