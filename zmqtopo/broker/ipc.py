"""The files of ipc sockets: made without taking anything from anybody, and removed at the end.

libzmq itself unlinks whatever is at the path before it binds: a socket that somebody listens at, or a file of the user.
So the listening socket is made here, by bind(2), which replaces nothing, and handed over by ZMQ_USE_FD.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zmqtopo.config.wording import printable

PREFIX = "ipc://"

CHOSEN = f"{PREFIX}*"
"""A path that the system chooses."""

_PREFIX, _SUFFIX = "zmqtopo-", ".ipc"
_MADE = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}/socket")
"""What is bound for `CHOSEN`: of a worker that was killed, the process that cleans up knows the address and no more."""

_LONGEST = 107
"""Bytes of a path, or of an abstract name with its ``@``, that libzmq takes."""

IN_USE = "in use"

_KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe",
          stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True, slots=True)
class IpcFile:
    """The file that a socket has bound, by name and by what it is."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, address: str) -> IpcFile | None:
        """The file of an address that has just been bound; None for another transport or an abstract name."""
        if not address.startswith(PREFIX) or address.startswith((f"{PREFIX}@", CHOSEN)):
            return None
        with contextlib.suppress(OSError):
            path = Path(address.removeprefix(PREFIX)).absolute()    # the working directory may change
            found = path.stat()
            return cls(path, found.st_dev, found.st_ino)
        return None

    def remove(self) -> None:
        """Remove the file, unless another socket has taken the name meanwhile. Call it while the socket is bound."""
        with contextlib.suppress(OSError):
            found = self.path.stat()
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                self.path.unlink()
                if _MADE.fullmatch(f"{self.path.parent.name}/{self.path.name}"):
                    self.path.parent.rmdir()    # takes but an empty folder


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect to a path: its permissions and its group, None for what the system gives it."""

    mode: int | None = None
    group: str | int | None = None

    def open_folder(self, folder: Path) -> None:
        """Let those that the mode lets connect find a path in a folder made for it alone. Raises OSError."""
        mode = 0o700 | (0o010 if (self.mode or 0) & 0o070 else 0) | (0o001 if (self.mode or 0) & 0o007 else 0)
        if self.group is not None:
            _give(folder, self.group, folder)
        folder.chmod(mode)

    def apply(self, path: Path) -> None:
        """Set both on a socket that has just been bound, and does not listen yet. Raises OSError.

        Anyone who may write to the folder could put a link in its place, so on Linux the socket itself is held.
        """
        if sys.platform != "linux":
            if self.group is not None:
                _give(path, self.group, path)
            if self.mode is not None:
                path.chmod(self.mode, follow_symlinks=False)
            return
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            found = os.fstat(file)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
                raise OSError(errno.EBUSY, "another program has replaced the path")
            held = Path(f"/proc/self/fd/{file}")
            if self.group is not None:
                _give(held, self.group, path)
            if self.mode is not None:
                held.chmod(self.mode)
        finally:
            os.close(file)


def group_number(group: str | int) -> int:
    """The number of a group of this machine. Raises LookupError for a name that no group has."""
    import grp

    if isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if group.isascii() and group.isdigit():
            return int(group)
        raise


def _give(held: Path, group: str | int, path: Path) -> None:
    try:
        os.chown(held, -1, group_number(group), follow_symlinks=held != path)
    except LookupError:
        raise OSError(errno.EINVAL, f"there is no group {printable(str(group))} on this machine") from None
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
        raise OSError(number, f"cannot give it to the group {printable(str(group))}: {reason}") from None


def make_folder() -> Path:
    """A folder for a socket named ``socket`` whose path the system chooses; it goes with its `IpcFile`.

    libzmq makes its own below TMPDIR, TEMPDIR or TMP, and without them in the working directory, with a relative path
    that leads programs elsewhere to nothing. Raises OSError.
    """
    return Path(tempfile.mkdtemp(_SUFFIX, _PREFIX))


def remake_folder(address: str, access: Access | None) -> None:
    """Make the folder of a path that was chosen for `CHOSEN` anew; it was removed with the socket."""
    if address.startswith(PREFIX):
        with contextlib.suppress(OSError):      # that it cannot be bound says more
            folder = Path(address.removeprefix(PREFIX)).parent
            folder.mkdir(mode=0o700)
            if access is not None:
                access.open_folder(folder)


def listen(address: str, backlog: int, access: Access | None = None) -> socket.socket:
    """A socket that listens at an ipc address; a socket file that nobody listens at is replaced, and nothing else.

    Nobody can connect before ``access`` holds. Raises OSError, with EADDRINUSE and the reason in words for what is in
    the way.
    """
    name = address.removeprefix(PREFIX).encode()
    if b"\0" in name:
        raise OSError(errno.EINVAL, "a path has no zero byte")
    if len(name) > _LONGEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    is_abstract = name.startswith(b"@")
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.setblocking(False)
        try:
            listener.bind(b"\0" + name[1:] if is_abstract else name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or is_abstract:
                raise
            _clear(Path(os.fsdecode(name)))
            listener.bind(name)
        if access is not None and not is_abstract:
            try:
                access.apply(Path(os.fsdecode(name)))
            except OSError:
                Path(os.fsdecode(name)).unlink(missing_ok=True)
                raise
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def obstacle(path: Path) -> str:
    """What keeps a socket from being bound at ``path``, in words; empty when nothing is there or nobody listens at it.

    A symbolic link counts as what it is, wherever it leads.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:     # what else keeps it from being bound, the bind says
        return ""
    if not stat.S_ISSOCK(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        return f"there is {kind} at this path; remove it, or use another path"
    answer = _knock(path)
    if answer == errno.ECONNREFUSED:
        return IN_USE if _is_bound(path) else ""
    return {errno.ENOENT: "", errno.EACCES: "the socket at this path is for others"}.get(answer, IN_USE)


def remove_stale(addresses: Iterable[str]) -> None:
    """Remove the files of sockets whose process has been killed: those to which nobody listens."""
    for address in addresses:
        file = IpcFile.of(address)
        if file is not None and file.path.is_socket() and not obstacle(file.path):
            file.remove()


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens at. Raises OSError for anything else, and leaves it where it is.

    It is looked at under a name that nobody else knows: another program may be replacing it in this moment.
    """
    _refuse(obstacle(path))
    aside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return      # somebody else has removed it
    reason = obstacle(aside) or (IN_USE if _is_bound(path) else "")
    if not reason:
        aside.unlink()
        return
    try:
        os.link(aside, path)
        aside.unlink()
    except OSError:     # a third one was as quick, or it is a folder
        reason = f"{reason} (it is {aside} now)"
    _refuse(reason)


def _refuse(reason: str) -> None:
    if reason:
        text = os.strerror(errno.EADDRINUSE)
        raise OSError(errno.EADDRINUSE, text if reason == IN_USE else f"{text}: {reason}")


def _is_bound(path: Path) -> bool:
    """Whether a process has bound it, and will listen in the next moment. Linux alone tells."""
    try:
        table = Path("/proc/net/unix").read_bytes()
    except OSError:
        return False
    wanted = os.path.realpath(os.fsencode(path))
    names = [fields[7] for row in table.splitlines()[1:] if len(fields := row.split(None, 7)) > 7]
    return any(os.path.realpath(name) == wanted for name in names if not name.startswith(b"@"))


def _knock(path: Path) -> int:
    """What the system answers to a visitor: 0 or an errno, also when it lets none go there."""
    try:
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.setblocking(False)
            try:
                return visitor.connect_ex(os.fspath(path))
            except OSError:     # longer than the 107 bytes of an address, which what was bound had when relative
                if sys.platform != "linux":
                    raise
            file = os.open(path, os.O_PATH)
            try:
                return visitor.connect_ex(f"/proc/self/fd/{file}")
            finally:
                os.close(file)
    except OSError as error:
        return error.errno or errno.ENAMETOOLONG
