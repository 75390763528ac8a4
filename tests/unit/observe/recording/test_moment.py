from __future__ import annotations

from datetime import datetime

import pytest

from zmqtopo.observe.recording.moment import Moment, iso, moment


@pytest.mark.parametrize(("text", "seconds"), [
    ("0", 0), ("90", 90), ("1.5s", 1.5), ("250ms", 0.25), ("1.5m", 90), ("2h", 7200),
])
def test_an_offset(text: str, seconds: float) -> None:
    assert moment(text) == Moment(round(seconds * 1e9), is_offset=True)


def test_a_time_of_the_day() -> None:
    assert moment("2026-11-29T12:00:00Z") == Moment(1795953600 * 10**9, is_offset=False)
    local = datetime(2026, 11, 29, 12).timestamp()
    assert moment("2026-11-29 12:00") == Moment(round(local * 1e9), is_offset=False)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "10x", "1e9", "2026-13-01", "99999999999999h"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        moment(text)


def test_it_is_written_in_utc() -> None:
    assert iso(1795953600 * 10**9 + 123_456_789) == "2026-11-29T12:00:00.123456Z"
    assert iso(1 << 63) == f"{1 << 63} ns" or iso(1 << 63).startswith("2262")
