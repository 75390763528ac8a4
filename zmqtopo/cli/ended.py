"""What has ended, as ``zmqtopo ps -a`` shows it."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from zmqtopo.control.ended import clean_ends, last, previous
from zmqtopo.control.folder import open_all


def ended(running: Collection[str]) -> list[dict[str, Any]]:
    """How runs have ended, as far as it is known: the last clean end of each topology, and those that went wrong."""
    found = [_told(clean["name"], clean) for clean in clean_ends()]
    for folder in open_all():
        name = folder.path.name
        end = previous(folder) if name in running else last(folder) if not _lives(folder.pid) else None
        if end is not None:
            found.append(_told(name, end))
    return sorted(found, key=lambda one: str(one["ended"]["time"]))


def _told(name: str, end: dict[str, Any]) -> dict[str, Any]:
    return {"topology": name, "file": end["file"], "pid": end["pid"], "devices": [],
            "ended": {"how": end["how"], "time": end["time"]}}


def _lives(pid: int | None) -> bool:
    """Whether it may be starting, and not listen yet."""
    try:
        os.kill(pid or 0, 0)
    except OSError:
        return False
    return pid is not None
