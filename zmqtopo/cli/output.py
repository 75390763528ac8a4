"""Where a result goes: standard output or a file."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import tempfile
from pathlib import Path

quiet = False
"""Whether only results and errors are wanted; the command sets it."""


class OutputError(Exception):
    """The result could not be written; the message says where and why."""


def emit(result: str | bytes, path: str = "-") -> None:
    """Write the result to standard output (``-``) or to a file; raises OutputError, or BrokenPipeError as it is."""
    try:
        if path != "-":
            Path(path).write_bytes(result.encode() if isinstance(result, str) else result)
        elif isinstance(result, str):
            sys.stdout.write(result)
            sys.stdout.flush()
        else:
            sys.stdout.buffer.write(result)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        where = "standard output" if path == "-" else path
        raise OutputError(f"cannot write to {where}: {error.strerror or error}") from error


def tell(result: str) -> None:
    """As `emit`, of what has been done as it was asked for, unless nobody wants to hear it."""
    if not quiet:
        emit(result)


def note(text: str) -> None:
    """Write to standard error what is no error and no result, unless nobody wants to hear it."""
    if not quiet:
        from zmqtopo.config.wording import printable

        print(f"zmqtopo: {printable(text)}", file=sys.stderr)


def wait(seconds: float) -> None:
    """Wait, unless nobody reads standard output any more; raises BrokenPipeError then."""
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):      # it may be no descriptor
        poll.register(sys.stdout.fileno(), 0)       # an end without a reader is told without being asked for
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(seconds * 1000)):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def replace(path: str, content: bytes) -> None:
    """Replace a file, whole or not at all, with its mode kept and its links followed; raises OutputError."""
    try:
        target = Path(path).resolve()
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".zmqtopo-")
        new = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
                os.fsync(file.fileno())
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write to {path}: {error.strerror or error}") from error
