"""Where the state folders of a user can be: where `up` makes them, and where the other commands look for them.

They need not have the same environment. A login has XDG_RUNTIME_DIR; cron, sudo and system units do not, and systemd
removes ``/run/user/UID`` at the last logout. So one who looks, looks in every place where `up` may have been.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.control.errors import ControlError

RUN_USER = Path("/run/user")
"""Where systemd-logind makes the folder of a user who is logged in."""

SYSTEM_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - what is made below belongs to its user alone, and is checked


def home() -> Path:
    """Where `up` makes the state folders of this user; it need not be there yet. Raises ControlError without one."""
    chosen = _chosen() or _runtime()
    if chosen is not None:
        return chosen
    temporary = fallback()
    if temporary is not None:
        return temporary
    raise ControlError(
        "there is no folder for the state of a running topology: XDG_RUNTIME_DIR is not set, and no folder for "
        "temporary files can be written to; set ZMQTOPO_STATE_DIR to a folder of your own"
    )


def places() -> list[Path]:
    """Where `home` is or may have been for an `up` of this user, the likeliest first; not all of them are there."""
    chosen = _chosen()
    if chosen is not None:
        return [chosen]
    runtime = [_runtime(), _logged_in()]
    return list(dict.fromkeys([*(path for path in runtime if path is not None), *map(_below, _temporary())]))


def fallback() -> Path | None:
    """A place below a folder for temporary files; None when none can be written to, or ZMQTOPO_STATE_DIR decides.

    The working directory, which `tempfile` would take last, is not the same for who looks.
    """
    if _chosen() is not None:
        return None
    return next((_below(path) for path in _temporary() if os.access(path, os.W_OK | os.X_OK)), None)


def remedy(path: Path) -> str:
    """What to do where the state folder ``path`` cannot be used; a variable may name a folder that is not there."""
    for variable in ("ZMQTOPO_STATE_DIR", "XDG_RUNTIME_DIR"):
        named = os.environ.get(variable, "")
        if not named.startswith("/") or not path.is_relative_to(named):
            continue
        if not os.path.lexists(named):
            return f"{variable} is {named}, which does not exist: make that folder, or set it to another one"
        if not Path(named).is_dir():
            return f"{variable} is {named}, which is not a folder: set it to one"
        if variable == "ZMQTOPO_STATE_DIR":
            return f"set {variable} to another folder, one of your own"
    return "set ZMQTOPO_STATE_DIR to a folder of your own"


def _chosen() -> Path | None:
    path = os.environ.get("ZMQTOPO_STATE_DIR", "")
    if path and not path.startswith("/"):
        raise ControlError("ZMQTOPO_STATE_DIR is not an absolute path; set it to one, or unset it")
    return Path(path, "zmqtopo") if path else None


def _runtime() -> Path | None:
    path = os.environ.get("XDG_RUNTIME_DIR", "")
    if path.startswith("/"):    # the specification: a path that is not absolute is to be ignored
        return Path(path, "zmqtopo")
    return _logged_in()


def _logged_in() -> Path | None:
    path = RUN_USER / str(os.geteuid())
    try:
        is_ours = path.is_dir() and path.stat().st_uid == os.geteuid()
    except OSError:
        return None
    return path / "zmqtopo" if is_ours else None


def _temporary() -> Iterator[str]:
    for path in (*(os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")), *SYSTEM_TEMPORARY):
        if path.startswith("/") and Path(path).is_dir():
            yield path


def _below(temporary: str) -> Path:
    return Path(temporary, f"zmqtopo-{os.geteuid()}")
