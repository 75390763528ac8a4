"""Times on the command line: ``5``, ``5s``, ``500ms``, ``2m``, ``1h``, as they stand in a file too."""

from __future__ import annotations

import argparse
import re
from typing import Final

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

LONGEST: Final = 10 * 365 * 86400.0
"""Seconds that anything may take; more is a slip, and system calls do not take any number."""


def finite(text: str) -> float:
    """Seconds, for argparse."""
    return _seconds(text)


def duration(text: str) -> float:
    """Seconds, or inf for what takes as long as it takes; for argparse."""
    if text == "inf":
        return float(text)
    return _seconds(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|s|m|h|d|)", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found is not None else -1.0
    if not 0 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 5s, 500ms or 2m")
    return seconds
