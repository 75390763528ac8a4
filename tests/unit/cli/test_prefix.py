"""Bytes on the command line."""

from __future__ import annotations

import argparse

import pytest

from zmqtopo.cli.prefix import prefix


@pytest.mark.parametrize(("text", "data"), [
    ("", b""), ("eu.", b"eu."), (r"\x00a\xfF", b"\x00a\xff"), (r"a\\x41", rb"a\x41"), ("ä", "ä".encode()),
    ("\udcff", b"\xff"), (r"\x414", b"A4"),
])
def test_bytes(text: str, data: bytes) -> None:
    assert prefix(text) == data


@pytest.mark.parametrize("text", [r"\xZ", r"\x", r"\x4", r"\n", "a\\", r"\\\x4g", r"\X41"])
def test_an_escape_that_is_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"written \\xNN with two hexadecimal digits, such as \\x00"):
        prefix(text)
