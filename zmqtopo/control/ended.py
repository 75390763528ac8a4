"""What is left of a run that did not end as it was told to: its log, and how it ended.

A run that ends cleanly leaves nothing. Of any other one the state folder stays, and when its name is taken again, the
log becomes the previous one. So two runs of a name are kept at most.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from typing import Any, Final

from zmqtopo.control.folder import Folder

PREVIOUS: Final = {"log": "previous.log", "log.1": "previous.log.1", "ended": "previous.ended"}
"""The files that are kept, and their names once the next run has begun."""


def note(folder: Folder, how: str) -> None:
    """Write down how a run ends that is to be remembered; that it cannot be is no reason to fail."""
    with contextlib.suppress(OSError):
        told = {"how": how, "time": _now(), "pid": folder.pid, "file": folder.read("source")}
        folder.write("ended", json.dumps(told))


def last(folder: Folder) -> dict[str, Any] | None:
    """How the last run of a folder that nobody has locked ended: ``how, time, pid, file``. None when there was none."""
    found = _parsed(folder.read("ended"))
    if found is not None or folder.pid is None:
        return found
    # It has not come to write anything down.
    return {"how": "killed, or crashed", "time": _last_sign(folder), "pid": folder.pid, "file": folder.read("source")}


def previous(folder: Folder) -> dict[str, Any] | None:
    """How the run before the one that is there now ended, as `last`."""
    return _parsed(folder.read(PREVIOUS["ended"]))


def put_aside(folder: Folder) -> None:
    """Let what is left of the last run be that of the previous one, before another begins; the folder is locked."""
    ended = last(folder)
    if ended is None:
        return
    with contextlib.suppress(OSError):
        folder.write("ended", json.dumps(ended))
    for now, then in PREVIOUS.items():
        _rename(folder, now, then)


def take_back(folder: Folder) -> None:
    """Undo `put_aside` when the next run has not begun."""
    for now, then in PREVIOUS.items():
        _rename(folder, then, now)


def _rename(folder: Folder, old: str, new: str) -> None:
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


def _last_sign(folder: Folder) -> str:
    for name in ("log", "pid"):
        with contextlib.suppress(OSError):
            return _stamp(os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_mtime)
    return _now()


def _now() -> str:
    return _stamp(datetime.now(UTC).timestamp())


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
