"""MessagePack as its specification has it, and what is none."""

from __future__ import annotations

import math
import struct
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from zmqtopo.observe.tap.msgpack import DEEPEST, Extension, unpack


@pytest.mark.parametrize(("data", "value"), [
    (b"\x00", 0), (b"\x7f", 127), (b"\xff", -1), (b"\xe0", -32),
    (b"\xc0", None), (b"\xc2", False), (b"\xc3", True),
    (b"\xcc\xff", 255), (b"\xcd\xff\xff", 65535), (b"\xce\xff\xff\xff\xff", 2**32 - 1),
    (b"\xcf" + b"\xff" * 8, 2**64 - 1),
    (b"\xd0\x80", -128), (b"\xd1\x80\x00", -32768), (b"\xd2\x80\x00\x00\x00", -2**31),
    (b"\xd3\x80" + b"\0" * 7, -2**63),
    (b"\xca" + struct.pack(">f", 1.5), 1.5), (b"\xcb" + struct.pack(">d", 0.1), 0.1),
    (b"\xa0", ""), (b"\xa3abc", "abc"), (b"\xd9\x03abc", "abc"), (b"\xda\x00\x03abc", "abc"),
    (b"\xdb\x00\x00\x00\x03abc", "abc"), (b"\xa2\xff\xfe", b"\xff\xfe"),
    (b"\xc4\x01a", b"a"), (b"\xc5\x00\x01a", b"a"), (b"\xc6\x00\x00\x00\x01a", b"a"),
    (b"\x90", []), (b"\x93\x01\xc0\xa1x", [1, None, "x"]), (b"\xdc\x00\x01\x05", [5]),
    (b"\xdd\x00\x00\x00\x01\x05", [5]),
    (b"\x80", {}), (b"\x82\xa1a\x01\x02\xa1b", {"a": 1, 2: "b"}), (b"\xde\x00\x01\xa1a\x01", {"a": 1}),
    (b"\xdf\x00\x00\x00\x01\xa1a\x01", {"a": 1}), (b"\x81\x90\x01", [[[], 1]]),
    (b"\xd4\x05a", Extension(5, b"a")), (b"\xd8\x05" + b"a" * 16, Extension(5, b"a" * 16)),
    (b"\xc7\x03\x80abc", Extension(-128, b"abc")), (b"\xc8\x00\x01\x01a", Extension(1, b"a")),
    (b"\xc9\x00\x00\x00\x01\x01a", Extension(1, b"a")),
    (b"\xd6\xff\x00\x00\x00\x01", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    (b"\xd7\xff" + (500_000_000 << 34 | 1).to_bytes(8), datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
    (b"\xc7\x0c\xff" + struct.pack(">Iq", 0, -1), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 2**62), Extension(-1, struct.pack(">Iq", 0, 2**62))),
])
def test_each_format(data: bytes, value: Any) -> None:
    assert unpack(data) == value
    assert type(unpack(data)) is type(value)


def test_a_number_that_is_none() -> None:
    assert math.isnan(unpack(b"\xcb\x7f\xf8" + b"\0" * 6))


@pytest.mark.parametrize("data", [
    b"", b"\xc1", b"\x01\x02", b"\x91", b"\x81\xa1a", b"\xa3ab", b"\xcb\x00", b"\xc4\x05abc",
    b"\xdd\xff\xff\xff\xff\x01", b"\xdf\xff\xff\xff\xff\x01", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01", b"\xd8", b"\x91" * 10_000 + b"\xc0", b"\xdc\xff\xff" * 5000,
])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it|there|0x)"):
        unpack(data)


def test_it_may_be_as_deep_as_it_says() -> None:
    assert unpack(b"\x91" * DEEPEST + b"\xc0")
    with pytest.raises(ValueError, match="nested deeper"):
        unpack(b"\x91" * (DEEPEST + 1) + b"\xc0")


def test_what_lies_about_its_length_costs_nothing() -> None:
    before = time.perf_counter()
    for _ in range(100):
        with pytest.raises(ValueError, match="ends in the middle"):
            unpack(b"\xdd\x7f\xff\xff\xff" + b"\x90" * 1000)
    assert time.perf_counter() - before < 1
