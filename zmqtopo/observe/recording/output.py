"""Where a recording is written: a file that ends with a whole record whatever happens, or standard output."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from zmqtopo.observe.recording.errors import WriteError


class Output:
    """Takes whole records, in order."""

    def __init__(self, path: str, *, replace: bool = False) -> None:
        """Open ``path``, ``-`` for standard output; a file that is there is kept unless ``replace`` says otherwise.

        Raises WriteError.
        """
        self.path = path
        self.size = 0
        """Bytes written."""
        if path == "-":
            self._fd = os.dup(1)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if replace else os.O_EXCL)
        try:
            # Messages may be nobody else's business.
            self._fd = os.open(path, flags, 0o600)
        except FileExistsError:
            if Path(path).is_dir():
                raise WriteError(f"{path} is a folder and not a file") from None
            raise WriteError(f"{path} already exists; --force replaces it") from None
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        """Write all of ``data`` or, in a file, nothing; raises OSError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest):]
        except OSError:
            with contextlib.suppress(OSError):      # a pipe cannot take back what it has passed on
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    @property
    def free(self) -> int | None:
        """Bytes that its file system has left for this user; None where that means nothing."""
        if self.path == "-":
            return None
        there = os.fstatvfs(self._fd)
        return there.f_bavail * there.f_frsize

    def close(self) -> None:
        """Close it, if it is open; what network file systems tell only now is raised as OSError."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def numbered(path: str, number: int) -> str:
    """The path of one of several files: ``a.mcap`` is ``a-00001.mcap`` for 1."""
    there = Path(path)
    return str(there.with_name(f"{there.stem}-{number:05}{there.suffix}"))
