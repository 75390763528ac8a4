"""ZPL, the property language of ZeroMQ RFC 4, to a tree: one property a line, four blanks to a level."""

from __future__ import annotations

import re
from typing import Final

from zmqtopo.config.wording import quote
from zmqtopo.convert.tree import MAX_DEPTH, ConvertError, Item

_INDENT: Final = 4
_HINT: Final = "ZPL has NAME = VALUE, one to a line; is this another format? See --from"
_PROPERTY: Final = re.compile(r"([\w$@.&+/-]*)[ \t]*(=?)[ \t]*(.*)", re.ASCII)
_QUOTED: Final = re.compile(r"""(["'])(.*?)\1[ \t]*(?:#.*)?""")


def parse(text: str) -> Item:
    """Return the tree that ``text`` is, as an item without a name; raises ConvertError."""
    root = _Node("", 1, None)
    path = [root]
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        bare = line.lstrip(" ")
        if not bare.strip() or bare.startswith("#"):
            continue
        level = _level(line, number, len(path) - 1)
        del path[level + 1 :]
        node = _property(bare, number)
        path[-1].nodes.append(node)
        path.append(node)
    return root.item()


class _Node:
    def __init__(self, name: str, line: int, text: str | None) -> None:
        self._name, self._line, self._text = name, line, text
        self.nodes: list[_Node] = []

    def item(self) -> Item:
        return Item(self._name, self._line, self._text, tuple(node.item() for node in self.nodes))


def _level(line: str, number: int, deepest: int) -> int:
    blanks = len(line) - len(line.lstrip(" "))
    if line[blanks] == "\t":
        raise ConvertError("tab in indentation", number, "indent by four blanks")
    level, rest = divmod(blanks, _INDENT)
    if rest:
        raise ConvertError(f"indented by {blanks} blanks, and a level is {_INDENT}", number)
    if level > min(deepest, MAX_DEPTH):
        raise ConvertError("indented by more than one level below the line above" if level <= MAX_DEPTH
                           else f"more than {MAX_DEPTH} levels", number)
    return level


def _property(bare: str, number: int) -> _Node:
    found = _PROPERTY.fullmatch(bare)
    name, equals, rest = found.groups() if found else ("", "", "")
    if not name:
        raise ConvertError(f"{quote(bare.strip())} is not a valid property", number, _HINT)
    if equals:
        return _Node(name, number, _value(rest))
    if rest and not rest.startswith("#"):
        raise ConvertError(f"no '=' between {quote(name)} and {quote(rest)}", number, _HINT)
    return _Node(name, number, None)


def _value(rest: str) -> str:
    quoted = _QUOTED.fullmatch(rest)
    return quoted[2] if quoted else rest.partition("#")[0].strip()
