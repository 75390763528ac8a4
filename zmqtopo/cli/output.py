"""Where a result goes: standard output or a file."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


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
