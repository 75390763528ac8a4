from __future__ import annotations

import math

import pytest

from zmqtopo.config.yaml.scalars import resolve


@pytest.mark.parametrize(("text", "value"), [
    ("", None), ("~", None), ("null", None), ("Null", None), ("nULL", "nULL"),
    ("true", True), ("TRUE", True), ("false", False), ("tRue", "tRue"),
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"),
    ("0", 0), ("-7", -7), ("+7", 7), ("0777", 777), ("0o17", 15), ("0x1F", 31), ("0b11", "0b11"), ("1_000", "1_000"),
    ("1:30", "1:30"), ("12:30:45", "12:30:45"), ("2001-01-01", "2001-01-01"), ("1.2.3", "1.2.3"),
    ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-2", -0.015), (".", "."), ("e3", "e3"),
    (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"),
    ("=", "="), ("<<", "<<"), ("tcp://*:5", "tcp://*:5"), ("9" * 5000, "9" * 5000),
    ("9" * 300, "9" * 300), ("0x" + "f" * 300, "0x" + "f" * 300), ("9" * 200, int("9" * 200)),
])
def test_core_schema(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(float(str(resolve(".nan"))))
