"""Text of unknown origin, made harmless for a terminal."""

from __future__ import annotations

import re
import unicodedata

_COMMAND = re.compile(r"##(?=\w*\[)")


def disarmed(text: str) -> str:
    """``text`` without what CI machines take for an order anywhere in a line: ``##[error]``, ``##vso[...]``.

    It keeps its length, so that places in it stay: a musical sharp takes the place of the second ``#``.
    """
    return _COMMAND.sub("#\N{MUSIC SHARP SIGN}", text) if "##" in text else text


def visible(text: str) -> str:
    """``text`` on one line, with everything that could move a cursor or change a colour written as a code.

    That takes in the bidirectional controls, which can make a line read as something that it is not. See
    `disarmed` for orders to CI machines.
    """
    text = disarmed(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def visible_path(path: str) -> str:
    """A path as `visible`, that can begin a line: GitHub takes ``::`` there for an order."""
    return visible(f"./{path}" if path.lstrip().startswith("::") else path)


def width(text: str) -> int:
    """The columns that a terminal gives to ``text``, which is visible: two for wide East Asian characters."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or (unicodedata.category(character) == "Zs"):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
