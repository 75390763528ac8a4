"""Levels of messages, and the priorities that journald takes from the beginning of a line (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
from typing import Final

PRIORITIES: Final = {"info": 6, "warning": 4, "error": 3}
"""By level, from the least to the worst; numbers are those of syslog(3)."""


def level_word(level: int) -> str:
    """A level of `logging` in words: ``info``, ``warning`` or ``error``."""
    return "error" if level >= logging.ERROR else "warning" if level >= logging.WARNING else "info"


def leads_to_journal(fd: int) -> bool:
    """Whether a descriptor is the one that systemd has connected to its journal: JOURNAL_STREAM, systemd.exec(5)."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
