"""Noticing that files have changed, and reading them when they have stopped changing."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from zmqtopo.checks import Checked, examine

T = TypeVar("T")

INTERVAL: Final = 1.0
"""Seconds from one look to the next."""

ATTEMPTS: Final = 5

Identity = tuple[int, ...] | None
"""What tells one content of a path from another; None where there is no file."""


class ChangingFileError(Exception):
    """A file changed each time that it was read; the message names it."""


class Watch:
    """Looks at files once a second.

    inotify would tell at once, but of inodes and not of names: every folder and link of a path would have to be watched
    and, as Kubernetes swaps a link above the file and editors rename one onto it, watched anew. It knows nothing of
    what other machines do on a network file system, and only Linux has it. A stat(2) follows all of that by itself
    and costs a microsecond.
    """

    def __init__(self, paths: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        """What the files are like now is no change."""
        self._paths = tuple(paths)
        self._clock = clock
        self._known = self._before = self._identities()
        self.due = clock() + INTERVAL
        """When to look again, on the clock."""

    def look(self) -> tuple[str, ...]:
        """Those files that have changed since the last change that was told, once all are at rest.

        At rest is what is the same as at the look before: who writes a file in place may be in the middle of it. That
        a file has gone is no change, and keeps no other from being told: it may be wanted no more.
        """
        self.due = self._clock() + INTERVAL
        known, before, now = self._known, self._before, self._identities()
        self._before = now
        if now != before:
            return ()
        self._known = tuple(is_ or was for was, is_ in zip(known, now, strict=True))
        return tuple(path for path, was, is_ in zip(self._paths, known, self._known, strict=True) if was != is_)

    def follow(self, paths: Iterable[str]) -> None:
        """Look at these from now on; of those that were looked at before, no change is missed."""
        known, before = (dict(zip(self._paths, found, strict=True)) for found in (self._known, self._before))
        self._paths = tuple(paths)
        now = dict(zip(self._paths, self._identities(), strict=True))
        self._known, self._before = (tuple((now | {p: i for p, i in found.items() if p in now}).values())
                                     for found in (known, before))

    def _identities(self) -> tuple[Identity, ...]:
        return tuple(_identity(path) for path in self._paths)


def read_at_rest(path: str, read: Callable[[str], T]) -> T:
    """Return ``read(path)`` when the file was the same before and after it; otherwise read again.

    Raises ChangingFileError when it never was. A file that is not there is left to ``read``, and so is a stream, of
    which nothing would be left for a second time.
    """
    if is_stream(path):
        return read(path)
    before = _identity(path)
    for _ in range(ATTEMPTS):
        result = read(path)
        after = _identity(path)
        if after == before:
            return result
        if is_stream(path):
            break
        before = after
    raise ChangingFileError(f"{path} changes while it is read: write another file and rename it to this name")


def examine_to_run(path: str, *, streams: bool = True) -> Checked:
    """Examine a file that is meant to run, in which an undefined variable is an error. Raises ChangingFileError."""
    return read_at_rest(path, lambda path: examine(path, strict_variables=True, streams=streams))


def renamed(checked: Checked, name: str) -> Checked:
    """The same, to run under another name."""
    if checked.topology is None:
        return checked
    return replace(checked, topology=replace(checked.topology, name=name))


def is_stream(path: str) -> bool:
    """Whether it is a pipe or a device: a reader may have to wait without limit."""
    status = _status(path)
    return status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def _identity(path: str) -> Identity:
    status = _status(path)
    if status is None:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)    # noqa: PTH116 - it must follow symbolic links, and a path may be too long for Path
    except (OSError, ValueError):
        return None
