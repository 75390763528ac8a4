"""The state folder of a running topology: who runs it, where it listens, what it has said.

``zmqtopo/NAME`` below ZMQTOPO_STATE_DIR, XDG_RUNTIME_DIR or ``/run/user/UID``, or ``zmqtopo-UID/NAME`` below a folder
for temporary files. It is its owner's alone (mode 0700) and holds ``pid``, which the process keeps locked as long as it
lives, ``control``, the socket, ``log``, and ``source``, the path of the topology file. A lock goes with its process,
however that ends, so a folder whose lock is free was left behind and may be taken over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, Self

from zmqtopo.control.ended import PREVIOUS, put_aside, take_back
from zmqtopo.control.errors import AlreadyRunningError, ControlError
from zmqtopo.control.places import fallback, home, places, remedy

_LONGEST_SOCKET_PATH: Final = 103
"""Bytes that every system takes for the path of a socket: sun_path has 104 on macOS and 108 on Linux, with the zero."""

_FLAGS: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def names() -> list[str]:
    """The topologies that have a state folder, running or not, in order. Raises ControlError when nobody may know."""
    return sorted({path.name for path in _paths()})


def _paths() -> Iterator[Path]:
    where = places()
    for likeliest in where[:1]:
        try:
            yield from _inside(likeliest)
        except OSError as error:
            raise unusable("look into", likeliest, error) from None
    for place in where[1:]:
        with contextlib.suppress(OSError, ControlError):    # what is another user's hides nothing of ours
            yield from _inside(place)


def _inside(place: Path) -> list[Path]:
    try:
        _check(place, place.lstat())
        return [path for path in place.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


def open_named(name: str) -> Folder:
    """The state folder of a topology; where several have been left, the one that is listened in.

    Raises OSError, and ControlError as `Folder`.
    """
    where = places()
    found: list[Folder] = []
    failure: Exception = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in where:
        try:
            found.append(Folder(place / name))
        except (OSError, ControlError) as error:
            failure = error if place == where[0] else failure
    if not found:
        raise failure
    chosen = found[0] if len(found) == 1 else next((folder for folder in found if folder.is_listened_in()), found[0])
    for folder in found:
        if folder is not chosen:
            folder.close()
    return chosen


def unusable(what: str, path: Path, error: OSError) -> ControlError:
    """What to say when something cannot be done with a state folder, and what to do about it."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    todo = "set ZMQTOPO_STATE_DIR to one with room" if is_full else remedy(path)
    return ControlError(f"cannot {what} {path}: {error.strerror}; {todo}")


class Folder:
    """A state folder that is open, so that it stays the same whatever becomes of its path."""

    def __init__(self, path: Path) -> None:
        """Open what is there. Raises OSError, and ControlError when it, or the one above, is another user's."""
        self.path = path
        _check(path.parent, path.parent.lstat())
        self.fd = os.open(path, _FLAGS)
        self._lock: int | None = None
        try:
            _check(path, os.fstat(self.fd))
        except ControlError:
            self.close()
            raise

    @classmethod
    def claim(cls, name: str, source: str) -> Self:
        """Make the folder of a topology, or take over one that was left behind, and keep it locked.

        ``source`` is the path of its file. Raises AlreadyRunningError and ControlError.
        """
        path = home() / name
        _refuse_second(path)
        try:
            while True:
                _make(path.parent)
                try:
                    _make(path)
                    folder = cls(path)
                except FileNotFoundError:   # somebody who ends has removed one of them in this moment
                    continue
                try:
                    if folder._take(name):
                        folder.write("pid", f"{os.getpid()}\n")
                        folder.write("source", source)
                        return folder
                except BaseException:
                    folder.give_back()      # what was begun on a full disk, if it is ours
                    folder.close()
                    raise
                folder.close()      # its last owner has removed it
        except OSError as error:
            raise unusable("use the state folder", path, error) from None

    def _take(self, name: str) -> bool:
        """Lock it and empty it; whether it is still there."""
        try:
            lock = self.open("pid", os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:       # the folder has been removed
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise AlreadyRunningError(name, self.pid) from None
            raise
        self._lock = lock
        if not os.fstat(self._lock).st_nlink:
            return False
        # tmpfiles.d(5): what is old in folders for temporary files is removed, but not from one that somebody locks.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        put_aside(self)
        self._remove_files(PREVIOUS.values())
        return True

    @property
    def pid(self) -> int | None:
        """The process that has it, or had it."""
        text = self.read("pid").strip()
        return int(text) if text.isdecimal() else None

    def read(self, name: str) -> str:
        """The content of a file in it, empty when there is none."""
        try:
            with os.fdopen(self.open(name), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return ""

    def write(self, name: str, text: str) -> None:
        """Make a file in it; a path may have any bytes, as `os.fsdecode` returns them. Raises OSError."""
        fd = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a file in it. Raises OSError."""
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.fd)

    def is_listened_in(self) -> bool:
        """Whether a topology listens in it."""
        try:
            with socket.socket(socket.AF_UNIX) as visitor:
                visitor.setblocking(False)
                return visitor.connect_ex(self.socket_path()) in (0, errno.EAGAIN)      # its queue may be full
        except (OSError, ControlError):
            return False

    def socket_path(self) -> str:
        """A path of ``control`` that is short enough to bind and connect. Raises ControlError when there is none."""
        if sys.platform == "linux" and Path("/proc/self/fd").exists():
            return f"/proc/self/fd/{self.fd}/control"
        path = str(self.path / "control")
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise ControlError(f"the path {path} is too long for a socket; set ZMQTOPO_STATE_DIR to a shorter one")
        return path

    def restore(self, source: str) -> bool:
        """Make again what has been removed of a folder that is claimed, elsewhere when it must be; whether it was.

        ``source`` is the path of its file. Raises ControlError, an AlreadyRunningError if somebody else has it now.
        """
        if self._is_whole():
            return False
        elsewhere = fallback()
        failure: ControlError | None = None
        for place in dict.fromkeys([self.path.parent, *([elsewhere] if elsewhere is not None else [])]):
            path = place / self.path.name
            try:
                self._make_again(path, source)
            except OSError as error:
                failure = failure or unusable("make the state folder again,", path, error)
            except ControlError as error:
                failure = failure or error
            else:
                return True
        assert failure is not None
        raise failure

    def _is_whole(self) -> bool:
        assert self._lock is not None
        try:
            return (
                os.path.samestat(self.path.lstat(), os.fstat(self.fd))
                and os.path.samestat(os.stat("pid", dir_fd=self.fd, follow_symlinks=False), os.fstat(self._lock))
                and all(os.stat(name, dir_fd=self.fd, follow_symlinks=False) for name in ("source", "control"))
            )
        except OSError:
            return False

    def _make_again(self, path: Path, source: str) -> None:
        assert self._lock is not None
        _make(path.parent)
        _make(path)
        with Folder(path) as folder:
            lock = folder.open("pid", os.O_RDWR | os.O_CREAT)
            try:
                if not os.path.samestat(os.fstat(lock), os.fstat(self._lock)):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.dup2(lock, self._lock, inheritable=False)
            except BlockingIOError:
                raise AlreadyRunningError(path.name, folder.pid) from None
            finally:
                os.close(lock)
            # The process that writes to the log, or listens, continues with the same descriptor.
            os.dup2(folder.fd, self.fd, inheritable=False)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self.path = path
        self.write("pid", f"{os.getpid()}\n")
        self.write("source", source)
        with contextlib.suppress(FileNotFoundError):
            os.unlink("control", dir_fd=self.fd)

    def remove(self, keep: Collection[str] = ()) -> None:
        """At the end: remove it, but for the files to keep, and let the next one have the name."""
        if self._lock is None:
            return
        self._remove_files(keep)
        with contextlib.suppress(OSError):
            os.unlink("pid", dir_fd=self.fd)
        with contextlib.suppress(OSError):      # something is kept, or others are there
            self.path.rmdir()
            self.path.parent.rmdir()
        self.close()

    def give_back(self) -> None:
        """Remove it when no run has begun in it; what is left of the last run stays. Nothing when it is closed."""
        if self._lock is not None:
            take_back(self)
            self.remove(keep=PREVIOUS)

    def close(self) -> None:
        """Let go of it, and of the lock."""
        for fd in (self.fd, self._lock):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.fd, self._lock = -1, None

    def _remove_files(self, keep: Collection[str] = ()) -> None:
        for name in os.listdir(self.fd):    # noqa: PTH208 - what is open, wherever its path leads by now
            if name not in ("pid", *keep):
                with contextlib.suppress(OSError):      # a folder is nothing of ours
                    os.unlink(name, dir_fd=self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_all() -> Iterator[Folder]:
    """Every state folder of this user that can be opened; each is closed when the next is asked for.

    Raises ControlError as `names`.
    """
    for path in sorted(_paths()):
        try:
            folder = Folder(path)
        except (OSError, ControlError):
            continue
        with folder:
            yield folder


def _refuse_second(path: Path) -> None:
    """Raise AlreadyRunningError where the topology runs with its folder in another place."""
    for place in places():
        with contextlib.suppress(OSError, ControlError), Folder(place / path.name) as folder:
            pid = folder.pid if place != path.parent and folder.is_listened_in() else None
            if pid is not None:
                break
    else:
        return
    raise AlreadyRunningError(path.name, pid)


def _make(path: Path) -> None:
    while True:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            break
    _check(path, found)
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)


def _check(path: Path, found: os.stat_result) -> None:
    """The owner of the folder could put a socket of their own there, and get what is meant for the devices."""
    if found.st_uid != os.geteuid():
        raise ControlError(
            f"{path} belongs to another user ({_user(found.st_uid)}); be that user, or set ZMQTOPO_STATE_DIR to "
            "a folder of your own"
        )
    if not stat.S_ISDIR(found.st_mode):
        raise ControlError(f"{path} is not a folder; remove it")


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
