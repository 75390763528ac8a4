"""XML to a tree: an attribute and an element are both a property.

expat it is, which is in the standard library and tells lines. What makes XML dangerous, entities that grow or that
name files and hosts, comes from a document type; none of the old formats has one, so it is refused unread.
"""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

from zmqtopo.config.wording import quote
from zmqtopo.convert.tree import MAX_DEPTH, ConvertError, Item

# The manual of zmq_deviced showed its examples with this, which is no XML; blanks keep the lines.
_BARE_DECLARATION: Final = "<?xml?>"


def parse(text: str) -> Item:
    """Return the root element of ``text``; raises ConvertError."""
    bare = text.lstrip().removeprefix(_BARE_DECLARATION)
    above = text[: len(text) - len(bare)].count("\n")
    builder = _Builder(above)
    try:
        builder.parser.Parse(bare.lstrip(" \t").encode(), True)
    except expat.ExpatError as error:
        raise ConvertError(f"this is not valid XML: {expat.ErrorString(error.code)}", above + error.lineno) from None
    return builder.root.items[0]


class _Element:
    def __init__(self, name: str, line: int) -> None:
        self.name, self.line = name, line
        self.items: list[Item] = []
        self.text = ""


class _Builder:
    def __init__(self, above: int) -> None:
        self._above = above
        self.root = _Element("", 1)
        self._open = [self.root]
        self.parser = expat.ParserCreate("utf-8")  # whatever the text says of itself, it is decoded already
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    @property
    def _line(self) -> int:
        return self._above + self.parser.CurrentLineNumber

    def _doctype(self, *_: object) -> None:
        raise ConvertError("a document type (<!DOCTYPE>) is refused: it can define entities that grow without end or "
                           "name other files", self._line, "remove it; no device configuration needs one")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise ConvertError(f"more than {MAX_DEPTH} levels", self._line)
        element = _Element(name, self._line)
        element.items += [Item(key, self._line, value) for key, value in attributes.items()]
        self._open.append(element)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        text = element.text.strip()
        if text and element.items:
            raise ConvertError(f"text between the properties of {quote(name)}: {quote(text)}", element.line)
        self._open[-1].items.append(Item(name, element.line, text or None, tuple(element.items)))

    def _characters(self, text: str) -> None:
        self._open[-1].text += text
