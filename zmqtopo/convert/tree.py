"""What the old syntaxes have in common: a tree of named properties, each with its line in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from zmqtopo.config.wording import closest, listing, quote

MAX_DEPTH: Final = 50
"""Levels of a tree; a device configuration has seven."""

_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ConvertError(Exception):
    """A file that cannot be converted: why, at which line (from 1), and what to do, if that is known."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Item:
    """A property: a value (``text``), or properties of its own (``items``), or neither.

    Values have no types, as in ZPL and in the attributes of XML. Where a property has several values there is an
    item for each, whether they were written as an array or one by one.
    """

    name: str
    line: int
    text: str | None = None
    items: tuple[Item, ...] = ()

    def all(self, name: str) -> list[Item]:
        """The items of that name, in the order of the file."""
        return [item for item in self.items if item.name == name]

    def one(self, name: str) -> Item | None:
        """The item of that name; raises ConvertError when there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise ConvertError(f"{quote(name)} is here for the second time: the first is in line {found[0].line}",
                               found[1].line)
        return found[0] if found else None

    def only(self, known: Sequence[str], where: str) -> None:
        """Raise ConvertError when it has an item of another name, or a value in place of items."""
        self.no_value(where)
        for item in self.items:
            if item.name not in known:
                near = closest(item.name, known)
                raise ConvertError(f"{where} has no {quote(item.name)}", item.line,
                                   f"did you mean {quote(near)}?" if near else f"known are {listing(known, 'and')}")

    def no_value(self, where: str) -> None:
        """Raise ConvertError when it has a value."""
        if self.text:
            raise ConvertError(f"{where} has properties and no value, but here is {quote(self.text)}", self.line)

    def value(self) -> str:
        """The value; raises ConvertError when there is none."""
        if self.text is None or self.items:
            what = "has properties" if self.items else "has no value"
            raise ConvertError(f"{quote(self.name)} {what} where a value is due", self.line)
        return self.text

    def integer(self) -> int:
        """The value as a whole number that is not negative; raises ConvertError for another."""
        text = self.value()
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise ConvertError(f"{quote(self.name)} is a whole number, not {quote(text)}", self.line)
        return int(text)

    def truth(self) -> bool:
        """The value as true or false; raises ConvertError for another."""
        text = self.value()
        if text.lower() not in _TRUTH:
            raise ConvertError(f"{quote(self.name)} is true or false (1 or 0), not {quote(text)}", self.line)
        return _TRUTH[text.lower()]


def no_twins(items: Iterable[Item], what: str) -> None:
    """Raise ConvertError when two items have the same name."""
    seen: dict[str, int] = {}
    for item in items:
        if item.name in seen:
            raise ConvertError(f"{what} {quote(item.name)} is here for the second time: the first is in line "
                               f"{seen[item.name]}", item.line)
        seen[item.name] = item.line
