from __future__ import annotations

import pytest

from zmqtopo.observe.recording.frames import pack, unpack


@pytest.mark.parametrize("frames", [
    [b""], [b"a", b"", b"\xff\0"], [b"x" * 255], [b"x" * 256], [b"x" * 65535], [b"x" * 65536], [b"f"] * 15, [b"f"] * 16,
    [b""] * 65535, [b"f"] * 65536,
])
def test_what_is_packed_is_unpacked(frames: list[bytes]) -> None:
    assert unpack(pack(frames)) == frames


def test_the_bytes_are_those_of_the_specification() -> None:
    assert pack([b"ab", b""]) == b"\x92\xc4\x02ab\xc4\x00"
    assert pack([b"x"] * 16)[:3] == b"\xdc\x00\x10"
    assert pack([bytes(300)])[:4] == b"\x91\xc5\x01\x2c"
    assert pack([bytes(70_000)])[:6] == b"\x91\xc6\x00\x01\x11\x70"


@pytest.mark.parametrize("data", [
    b"", b"\x90", b"\xc4\x01a", b"\x91", b"\x91\xa1a", b"\x92\xc4\x01a", b"\x91\xc4\x05ab", b"\x91\xc4\x01ab",
    b"\xdc\x00", b"\xdd\xff\xff\xff\xff\xc4\x00", b"\x91\xc6\xff\xff\xff\xffa", b"\x80",
])
def test_what_is_no_array_of_binaries_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        unpack(data)
