"""What is shown of a frame, whatever is in it: always valid JSON, and always harmless to a terminal."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from zmqtopo.observe.tap.decode import DECODINGS, LARGEST, decode, decoder, message
from zmqtopo.observe.tap.reader import Tapped


@pytest.mark.parametrize(("frame", "kind", "text"), [
    (b"", "text", ""),
    (b"topic", "text", "topic"),
    ("grüße 你好".encode(), "text", "grüße 你好"),
    (b"two\nlines\t", "text", r"two\nlines\t"),
    (b"123", "text", "123"),
    (b'"quoted"', "text", '"quoted"'),
    (b'{"a": 1}', "json", '{"a": 1}'),
    (b' [1,\n  2]\n', "json", "[1, 2]"),
    (b'{"a": NaN}', "text", '{"a": NaN}'),
    (b'{"a": 1e999}', "text", '{"a": 1e999}'),
    (b"[" * 5000, "text", "[" * 5000),
    (b'{"a": ' + b"9" * 5000 + b"}", "text", '{"a": ' + "9" * 5000 + "}"),
    (b"\x1b[31mred", "hex", "0x1b5b33316d726564"),
    (b"\0\0\0\0\0\0\0\5", "hex", "0x0000000000000005"),
    (b"\x82\xa1a\x01\xc4\x01\xff\xc0", "msgpack", '{"a": 1, "ff": null}'),
    (b"\x92\xcb\x7f\xf0\0\0\0\0\0\0\xa7\x1b[31mre", "msgpack", r'["inf", "\u001b[31mre"]'),
    (b"\x92\x01", "hex", "0x9201"),
    ("a\u202eb".encode(), "hex", "0x61e280ae62"),
])
def test_auto_finds_out(frame: bytes, kind: str, text: str) -> None:
    shown = decode(frame)
    assert (shown.kind, shown.as_text(), shown.size, shown.cut) == (kind, text, len(frame), False)


@pytest.mark.parametrize(("decoding", "frame", "told"), [
    ("hex", b"ab", {"size": 2, "hex": "6162"}),
    ("size", b"ab", {"size": 2}),
    ("utf8", b"\x1b[31m", {"size": 5, "text": "\x1b[31m"}),
    ("utf8", b"\xff", {"size": 1, "hex": "ff"}),
    ("json", b"12", {"size": 2, "json": 12}),
    ("json", b"no", {"size": 2, "text": "no"}),
    ("msgpack", b"\x05", {"size": 1, "msgpack": 5}),
    ("msgpack", b"\xd4\x05a", {"size": 3, "msgpack": {"extension": 5, "hex": "61"}}),
    ("msgpack", b"\xd6\xff\x00\x00\x00\x01", {"size": 6, "msgpack": "1970-01-01T00:00:01+00:00"}),
    ("msgpack", b"\xc1", {"size": 1, "hex": "c1"}),
])
def test_what_is_asked_for(decoding: Any, frame: bytes, told: dict[str, Any]) -> None:
    assert decode(frame, decoding).as_dict() == told


@pytest.mark.parametrize(("frame", "told", "text"), [
    (b"abcdef", {"size": 6, "text": "abcd", "cut": True}, "abcd… (6 B)"),
    (b"\xff\0\0\0\0\0", {"size": 6, "hex": "ff000000", "cut": True}, "0xff000000… (6 B)"),
    ("abcü".encode(), {"size": 5, "text": "abc", "cut": True}, "abc… (5 B)"),
    (b'{"a": 1}', {"size": 8, "json": '{"a"', "cut": True}, '{"a"… (8 B)'),
    (b"abcd", {"size": 4, "text": "abcd"}, "abcd"),
])
def test_only_the_head(frame: bytes, told: dict[str, Any], text: str) -> None:
    shown = decode(frame, head=4)
    assert (shown.as_dict(), shown.as_text()) == (told, text)


def test_a_large_frame_is_not_parsed() -> None:
    assert decode(b"[" + b"1," * LARGEST + b"1]", head=10).kind == "text"


BYTES = b"\x1b\x00\x80\x91\x81\xa1\xc4\xff{}[]\":,1ae\n\r\xc3\xa4"


@pytest.mark.parametrize("decoding", DECODINGS)
def test_nothing_breaks_json_or_a_terminal(decoding: Any) -> None:
    chance = random.Random(1)
    for _ in range(2000):
        frame = bytes(chance.choices(BYTES, k=chance.randrange(40)))
        shown = decode(frame, decoding, chance.choice((None, 5)))
        assert shown.as_text().isprintable()
        line = json.dumps(message(Tapped("it", "in_to_out", 1, 0, [frame]), lambda _, shown=shown: [shown]),
                          allow_nan=False)
        assert "\n" not in line
        assert line.isascii()
        assert json.loads(line)["frames"] == [shown.as_dict()]


def test_frames_in_turn() -> None:
    shown = decoder(("utf8", "hex"), None)([b"a", b"b", b"c"])
    assert [frame.kind for frame in shown] == ["text", "hex", "hex"]


def test_a_message_as_json() -> None:
    tapped = Tapped("jobs", "out_to_in", 7, 1_500_000_000_123_456_789, [b"a", b"\xff"])
    assert message(tapped, decoder(("auto",), None)) == {
        "device": "jobs", "flow": "out_to_in", "number": 7, "time": "2017-07-14T02:40:00.123456789Z",
        "frames": [{"size": 1, "text": "a"}, {"size": 1, "hex": "ff"}],
    }
