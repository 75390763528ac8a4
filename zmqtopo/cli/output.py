"""Where a result goes: standard output or a file."""

from __future__ import annotations

import sys
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
