"""Whether what is written is coloured: https://no-color.org, FORCE_COLOR, and what the terminal can show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ``stream`` is a terminal that shows colours; NO_COLOR says no to any, and else FORCE_COLOR yes."""
    if environ.get("NO_COLOR"):
        return False
    forced = environ.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    return stream.isatty() and environ.get("TERM") != "dumb"
