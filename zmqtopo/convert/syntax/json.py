"""JSON (RFC 8259) to a tree with lines, which the parser of the standard library does not tell."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final, NoReturn

from zmqtopo.config.wording import quote
from zmqtopo.convert.tree import MAX_DEPTH, ConvertError, Item

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.])|true\b|false\b|null\b")


def parse(text: str) -> Item:
    """Return the object that ``text`` is, as an item without a name; raises ConvertError."""
    reader = _Reader(text)
    if reader.next() != "{":
        reader.fail("a configuration in JSON is an object: it begins with {")
    (root,) = reader.values("", 0)
    if reader.next():
        reader.fail("there is something behind the end of the object")
    return root


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(found.end() for found in re.finditer(r"\n", text))]

    def next(self) -> str:
        """The character that comes after blanks; empty at the end."""
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def fail(self, message: str, hint: str = "") -> NoReturn:
        at = self._at if self._at < len(self._text) else len(self._text.rstrip())
        raise ConvertError(message, self._line(at), hint)

    def values(self, name: str, depth: int) -> list[Item]:
        """What stands here, under ``name``: one item, or for an array one for each of its values."""
        line = self._line(self._at)
        if depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} levels")
        first = self.next()
        if first == "{":
            return [Item(name, line, None, tuple(self._members(depth + 1)))]
        if first == "[":
            return self._elements(name, depth + 1)
        if first == '"':
            return [Item(name, line, self._string())]
        found = _WORD.match(self._text, self._at)
        if found is None:
            self.fail(*self._no_value())
        if found[0] == "null":
            self.fail("null is not allowed here", "leave the property out")
        self._at = found.end()
        return [Item(name, line, found[0])]

    def _members(self, depth: int) -> list[Item]:
        items: list[Item] = []
        opened = self._take("{")
        first = True
        while self.next() != "}":
            if not first:
                self._comma("}", opened)
            first = False
            if self.next() != '"':
                self.fail(*self._no_key())
            name = self._string()
            if self.next() != ":":
                self.fail(f"no ':' behind {quote(name)}")
            self._take(":")
            self.next()
            items += self.values(name, depth)
        self._take("}")
        return items

    def _elements(self, name: str, depth: int) -> list[Item]:
        items: list[Item] = []
        opened = self._take("[")
        while self.next() != "]":
            if items:
                self._comma("]", opened)
            if self.next() == "[":
                self.fail("an array in an array")
            items += self.values(name, depth)
        self._take("]")
        return items

    def _comma(self, close: str, opened: int) -> None:
        """Take the comma before another."""
        mark = self.next()
        if mark != ",":
            self.fail(f"missing ',' or '{close}'" if mark else
                      f"the bracket that opens in line {opened} is never closed",
                      "JSON has no comments" if mark in ("/", "#") else "")
        self._take(",")
        if self.next() == close:
            self.fail(f"a ',' before '{close}', which JSON does not allow", "remove it")

    def _take(self, mark: str) -> int:
        """Step over ``mark``, which stands here, and return its line."""
        line = self._line(self._at)
        self._at += len(mark)
        return line

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            self.fail("the '\"' that opens here is not closed on the same line")
        try:
            text = str(json.loads(found[0]))
            text.encode()
        except json.JSONDecodeError:
            self.fail(f"{quote(found[0])} has an escape that JSON does not know", r"write \\ for a backslash")
        except UnicodeEncodeError:
            self.fail(f"{quote(found[0])} has half of a surrogate pair, which is not a character")
        self._at = found.end()
        return text

    def _no_value(self) -> tuple[str, str]:
        here = self._text[self._at : self._at + 20].split()
        if not here:
            return "the file ends where a value is due", ""
        if here[0][0] in "'/#" or here[0].isidentifier():
            return (f"{quote(here[0])} is not a valid JSON value",
                    'JSON has no comments, and puts text in "double quotes"')
        return f"{quote(here[0])} is not a valid JSON value", ""

    def _no_key(self) -> tuple[str, str]:
        here = self._text[self._at : self._at + 20].split()
        return (f"{quote(here[0])} where the name of a property is due" if here
                else "the file ends where the name of a property is due"), 'JSON puts names in "double quotes"'

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at)
