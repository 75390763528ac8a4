"""Times of a recording, as a user writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

NANOSECONDS: Final = 1_000_000_000
_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of a recording: in ns since 1970, or since its first message."""

    time: int
    is_offset: bool


def moment(text: str) -> Moment:
    """What ``90``, ``1.5m`` (since the first message) or ``2026-11-29T12:00:00`` means; raises ValueError."""
    form = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|)", text)
    if form:
        return Moment(round(float(form[1]) * _SECONDS[form[2]] * NANOSECONDS), is_offset=True)
    try:
        # Without an offset from UTC it is this machine's time.
        return Moment(round(datetime.fromisoformat(text).timestamp() * NANOSECONDS), is_offset=False)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is not a time: write 10s, 1.5m or 2h after the first message, or 2026-11-29T12:00:00"
        ) from None


def iso(time: int) -> str:
    """A time in ns since 1970 as ISO 8601 has it, in UTC and with microseconds."""
    try:
        whole = datetime.fromtimestamp(time // NANOSECONDS, UTC)
        return f"{whole:%Y-%m-%dT%H:%M:%S}.{time % NANOSECONDS // 1000:06}Z"
    except (ValueError, OverflowError, OSError):
        return f"{time} ns"     # of no year that a calendar has
