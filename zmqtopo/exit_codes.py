"""The exit codes of the command, in one place; those above 63 are from sysexits.h or 128 and the number of a signal."""

from __future__ import annotations

from typing import Final

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 69
"""EX_UNAVAILABLE: a topology that does not run, or a program that is needed and is not installed."""
EXIT_BAD_FILE: Final = 78
"""EX_CONFIG: a file with errors."""
EXIT_INTERRUPTED: Final = 130
"""128 and SIGINT, as a shell reports it."""
EXIT_BROKEN_PIPE: Final = 141
"""128 and SIGPIPE."""
