"""What is left of a run that has ended: how it ended, and its log if it did not end as it was told to.

A run that ends as it was told to leaves a line in a file beside the state folders. Of any other one the state folder
stays, and when its name is taken again, the log becomes the previous one. So two such runs of a name are kept at most.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from zmqtopo.control.places import places


class StateFolder(Protocol):
    """What is needed of a `zmqtopo.control.folder.Folder`, which needs this module."""

    fd: int
    path: Path

    @property
    def pid(self) -> int | None:
        """The process that has it, or had it."""

    def read(self, name: str) -> str:
        """The content of a file in it, empty when there is none."""

    def write(self, name: str, text: str) -> None:
        """Make a file in it. Raises OSError."""


PREVIOUS: Final = {"log": "previous.log", "log.1": "previous.log.1", "ended": "previous.ended"}
"""The files that are kept, and their names once the next run has begun."""


RECORD: Final = ".ended"
"""The file beside the state folders that has a line for each run that ended as it was told to."""

MOST_NAMES: Final = 20
"""Topologies of which the record keeps the last end."""

_COMPACT_AT: Final = 64 << 10
"""Bytes of the record from which it is written anew with what is kept; a line has about 150."""

_LONGEST_RECORD: Final = 1 << 20
"""Bytes of the record that are read: somebody may have put another file there."""


def note_end(folder: StateFolder, how: str) -> None:
    """Write down that a run has ended as it was told to; that it cannot be written is no reason to fail."""
    path = folder.path.parent / RECORD
    told = {"name": folder.path.name, "how": how, "time": _now(), "pid": folder.pid, "file": folder.read("source")}
    with contextlib.suppress(OSError):
        # One write at the end of a file is whole, whoever else ends in this moment. A full disk may have cut the last.
        size = _write(path, f"\n{json.dumps(told)}\n", os.O_APPEND)
        if size > _COMPACT_AT:
            new = path.with_name(f"{RECORD}.{os.getpid()}")
            try:
                _write(new, "".join(f"{json.dumps(one)}\n" for one in _recorded(path)), os.O_TRUNC)
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)


def clean_ends() -> list[dict[str, Any]]:
    """The last end of each topology that ended as it was told to: ``name, how, time, pid, file``, the latest last."""
    found = [one for place in places() for one in _recorded(place / RECORD)]
    return sorted(found, key=lambda one: str(one["time"]))


def _write(path: Path, text: str, flags: int) -> int:
    """Write to a file and return how many bytes it has then. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | flags, 0o600)
    try:
        os.write(fd, text.encode())
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _recorded(path: Path) -> list[dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    for line in _lines(path):
        found = _parsed(line)
        if found is not None and isinstance(name := json.loads(line).get("name"), str):
            last.pop(name, None)
            last[name] = {"name": name, **found}
    return list(last.values())[-MOST_NAMES:]


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if os.fstat(fd).st_uid == os.geteuid():
                return os.read(fd, _LONGEST_RECORD).decode(errors="replace").splitlines()
        finally:
            os.close(fd)
    return []


def note(folder: StateFolder, how: str) -> None:
    """Write down how a run ends that is to be remembered; that it cannot be is no reason to fail."""
    with contextlib.suppress(OSError):
        told = {"how": how, "time": _now(), "pid": folder.pid, "file": folder.read("source")}
        folder.write("ended", json.dumps(told))


def last(folder: StateFolder) -> dict[str, Any] | None:
    """How the last run of a folder that nobody has locked ended: ``how, time, pid, file``. None when there was none."""
    found = _parsed(folder.read("ended"))
    if found is not None or folder.pid is None:
        return found
    # It has not come to write anything down.
    return {"how": "killed, or crashed", "time": _last_sign(folder), "pid": folder.pid, "file": folder.read("source")}


def previous(folder: StateFolder) -> dict[str, Any] | None:
    """How the run before the one that is there now ended, as `last`."""
    return _parsed(folder.read(PREVIOUS["ended"]))


def put_aside(folder: StateFolder) -> None:
    """Let what is left of the last run be that of the previous one, before another begins; the folder is locked."""
    ended = last(folder)
    if ended is None:
        return
    with contextlib.suppress(OSError):
        folder.write("ended", json.dumps(ended))
    for now, then in PREVIOUS.items():
        _rename(folder, now, then)


def take_back(folder: StateFolder) -> None:
    """Undo `put_aside` when the next run has not begun."""
    for now, then in PREVIOUS.items():
        _rename(folder, then, now)


def _rename(folder: StateFolder, old: str, new: str) -> None:
    try:
        os.rename(old, new, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=folder.fd)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("pid"), int | None):
        return None
    if not all(isinstance(found.get(key), str) for key in ("how", "time", "file")):
        return None
    return {key: found[key] for key in ("how", "time", "pid", "file")}


def _last_sign(folder: StateFolder) -> str:
    for name in ("log", "pid"):
        with contextlib.suppress(OSError):
            return _stamp(os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_mtime)
    return _now()


def _now() -> str:
    return _stamp(datetime.now(UTC).timestamp())


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
