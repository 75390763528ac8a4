"""Moments on the command line: ``5m`` for minutes ago, a time of today, a date, or both, as journalctl takes them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, time, timedelta

from zmqtopo.cli.durations import finite


def moment(text: str) -> datetime:
    """A moment, for argparse; where no time zone is named, that of this machine is meant."""
    word = text.strip().removesuffix(" ago")
    now = datetime.now(UTC)
    try:
        return now - timedelta(seconds=finite(word))
    except argparse.ArgumentTypeError:
        pass
    midnight = datetime.combine(datetime.now().astimezone().date(), time())
    days = {"now": None, "today": 0, "yesterday": 1}
    try:
        if word in days:
            back = days[word]
            return now if back is None else (midnight - timedelta(days=back)).astimezone()
        if len(word) <= 8:
            return datetime.combine(midnight.date(), time.fromisoformat(word)).astimezone()
        return datetime.fromisoformat(word).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a moment such as 5m (ago), 12:30, 2026-11-29 or 2026-11-29T12:30:00Z") from None
