"""Where a result goes: standard output or a file."""

from __future__ import annotations

import sys
from pathlib import Path


class OutputError(Exception):
    """The result could not be written; the message says where and why."""


def emit(text: str, path: str = "-") -> None:
    """Write the result to standard output (``-``) or to a file; raises OutputError, or BrokenPipeError as it is."""
    try:
        if path == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(path).write_text(text, encoding="utf-8", newline="\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        where = "standard output" if path == "-" else path
        raise OutputError(f"cannot write to {where}: {error.strerror or error}") from error
