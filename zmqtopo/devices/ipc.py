"""The files of ipc sockets, which libzmq makes and leaves behind."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ipc://"

CHOSEN = f"{PREFIX}*"
"""A path that the system chooses."""

_PREFIX, _SUFFIX = "zmqtopo-", ".ipc"
_MADE = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}/socket")
"""What is bound for `CHOSEN`: of a worker that was killed, whoever cleans up knows the address and no more."""


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


def make_folder() -> Path:
    """A folder for a socket named ``socket`` whose path the system shall choose; it goes with its `IpcFile`.

    libzmq makes its own below TMPDIR, TEMPDIR or TMP, and without them in the working directory, with a relative path
    that leads programs elsewhere to nothing. Raises OSError.
    """
    return Path(tempfile.mkdtemp(_SUFFIX, _PREFIX))


def remove_stale(addresses: Iterable[str]) -> None:
    """Remove the files of sockets whose process has been killed: those to which nobody listens."""
    for address in addresses:
        file = IpcFile.of(address)
        if file is not None and _knock(file.path) == errno.ECONNREFUSED:
            file.remove()


def is_taken(address: str) -> bool:
    """Whether somebody listens at an ipc address: libzmq would bind it all the same, and take it from them."""
    file = IpcFile.of(address)
    return file is not None and _knock(file.path) in (0, errno.EAGAIN)     # EAGAIN: their queue is full


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
