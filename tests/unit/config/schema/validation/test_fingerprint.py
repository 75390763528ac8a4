from __future__ import annotations

import math
from typing import Any

import pytest

from zmqtopo.config.schema.definitions import schema
from zmqtopo.config.schema.validation import dialect
from zmqtopo.config.schema.validation.fingerprint import shape

SCALARS: list[Any] = [
    None, True, False, b"", b"x", math.nan, math.inf, -math.inf, "", "a", "x" * 39, "x" * 40, "x" * 41, "x" * 500,
    *range(-3, 20), 254, 255, 256, 65535, 65536, 1023, 1024, 1025, 2147483, 2147484, 2**31 - 1, 2**31, 2**32, 2**64,
    0.0, 0.5, 1.0, 1.5, 2.0, 1e300, "queue", "Queue", "ROUTER", "router", "thread", "process", "process/", "process/a",
    "process/a b", "process/ü", "name", "näme", "two words", "a.b", "5s", "5ms", "5 s", "5s\n", "5.5m", "5h", "1kB",
    "1KiB", "kB", "#00ff00", "#00ff0", "red", "red1", "tcp://*:5", "tcp://*:6", "drop", "block", "always", "in\n",
]


@pytest.mark.parametrize("name", [name for name, rules in schema()["definitions"].items()
                                  if rules["type"] != "object"])
def test_what_has_one_shape_is_judged_alike(name: str) -> None:
    validator = dialect()(schema()["definitions"][name])
    verdicts: dict[Any, set[bool]] = {}
    for scalar in SCALARS:
        verdicts.setdefault(shape(scalar), set()).add(validator.is_valid(scalar))
    assert all(len(found) == 1 for found in verdicts.values())


@pytest.mark.parametrize(("one", "other", "alike"), [
    ("tcp://*:5", "ipc:///run/x", True), ("a text", "another text", True), (5000, 6000, True), (5000, 5000.0, False),
    (1, True, False), (-1, 0, False), ("5s", "7m", True), ("5s", "5x", False), (b"a", b"b", True), (b"a", "a", False),
    ({"a": 1}, {"a": 1, "b": 1}, False), (["a b"], ["a b", "c d"], False), ([], {}, False),
])
def test_shapes(one: Any, other: Any, alike: bool) -> None:
    assert (shape(one) == shape(other)) is alike
