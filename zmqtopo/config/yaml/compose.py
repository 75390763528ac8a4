"""Events of the YAML parser to a tree of nodes.

PyYAML's own composer recurses, expands, keeps the last of two equal keys and knows no places of keys;
its parser, which is C where it can be, is used as it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from zmqtopo.config.problem import Problem
from zmqtopo.config.secrets import is_secret
from zmqtopo.config.wording import Guesses, quote
from zmqtopo.config.yaml.mask_variables import unshield
from zmqtopo.config.yaml.scalars import Plain, resolve
from zmqtopo.config.yaml.tree import UNKNOWN, Alias, List, Mapping, Node, Scalar, Unknown

MAX_DEPTH = 100
"""Levels of nesting, aliases written out; a topology needs seven."""

TOO_DEEP, TOO_DEEP_HINT = f"nested more than {MAX_DEPTH} levels deep", "a topology needs seven"

MAX_NODES = 1_000_000
"""Nodes of a file, aliases written out: some 80,000 devices."""

Event = Any  # PyYAML has no types

_TAG = "tag:yaml.org,2002:"
_SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),),
}


class UnsafeError(Exception):
    """A file that would cost too much to read on; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come."""

    node: Mapping | List
    anchor: str | None
    refused: bool
    key: Scalar | None = None
    ignored: dict[str, Scalar] = field(default_factory=dict)
    merges: list[Node] = field(default_factory=list)


class Composer:
    """One reading of one file."""

    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self.problems: list[Problem] = []
        self._file, self._lines = file, lines
        self._root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._guesses = Guesses()
        self._nodes = 0

    def compose(self, events: Iterable[Event]) -> Node | None:
        """Return the root of the first document, None for an empty file; raises UnsafeError and yaml.YAMLError."""
        documents = 0
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._start(event, Mapping, "map")
            elif kind is yaml.SequenceStartEvent:
                self._start(event, List, "seq")
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._report("yaml-syntax", "a second document begins here", Node(*_span(event)),
                                 "one topology a file: put it into a file of its own")
                    break
        return self._root

    def _report(self, rule: str, message: str, at: Node, hint: str = "", other: Node | None = None) -> None:
        self.problems.append(self._problem(rule, message, at, hint, other))

    def _problem(self, rule: str, message: str, at: Node, hint: str, other: Node | None = None) -> Problem:
        place = at.place(self._lines)
        return Problem(rule, "error", message, self._file, place, hint,
                       other.place(self._lines) if other else None)

    def _count(self, size: int, at: Node) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise UnsafeError(self._problem("yaml-unsafe", f"the file has more than {MAX_NODES} values here, "
                                       "each alias counted as what it stands for", at,
                                       "use fewer aliases of aliases, or several files"))

    # Nodes as they come

    def _scalar(self, event: Event) -> None:
        span = _span(event)
        text = unshield(event.value)
        value: Plain | Unknown
        if event.tag is None:
            value = resolve(text) if event.implicit[0] else text
        else:
            value = self._tagged(event.tag, text, Node(*span))
        node = Scalar(value, *span)
        if self._stack and isinstance(self._stack[-1].node, Mapping) and self._stack[-1].key is None:
            merge = text == "<<" and event.tag is None and event.implicit[0]
            node.value = None if merge else text  # a key is its text; None is the merge key
        self._place(node, event.anchor)

    def _tagged(self, tag: str, text: str, at: Node) -> Plain | Unknown:
        name = tag.removeprefix(_TAG)
        if name in ("str", "!"):
            return text
        if name == "binary":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except (binascii.Error, ValueError):
                self._report("yaml-syntax", "!!binary takes Base64 and this is none", at)
                return UNKNOWN
        if name not in _SCALAR_TYPES:
            self._refuse(tag, at)
            return UNKNOWN
        value = resolve(text)
        if isinstance(value, _SCALAR_TYPES[name]) and (name == "bool" or not isinstance(value, bool)):
            return float(value) if name == "float" and isinstance(value, int) else value
        self._report("yaml-syntax", f"the value is not a valid !!{name}", at)
        return UNKNOWN

    def _refuse(self, tag: str, at: Node) -> None:
        if self._in_secret():
            self._report("yaml-unsafe", "a secret begins with !, which makes a tag of it", at, "put it in quotes")
            return
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._report("yaml-unsafe", f"the tag {quote(shown)} is not allowed", at,
                     "leave it out; the only tag with a use here is !!binary")

    def _in_secret(self) -> bool:
        """Whether what comes now belongs to the value of a secret; keys of CURVE may begin with any of these signs."""
        return any(open_.key is not None and is_secret(str(open_.key.value)) for open_ in self._stack)

    def _start(self, event: Event, make: type[Mapping] | type[List], tag: str) -> None:
        node = make(*_span(event))
        if len(self._stack) >= MAX_DEPTH:
            raise self._too_deep(node)
        refused = event.tag is not None and event.tag not in (_TAG + tag, "!")
        if refused:
            self._refuse(event.tag, node)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(node, event.anchor, refused))

    def _too_deep(self, at: Node) -> UnsafeError:
        return UnsafeError(self._problem("yaml-unsafe", TOO_DEEP, at, TOO_DEEP_HINT))

    def _end(self, event: Event) -> None:
        done = self._stack.pop()
        node = done.node
        node.end_line, node.end_column = event.end_mark.line, event.end_mark.column
        for merged in done.merges:
            self._merge(node, merged)
        self._place(_unknown(node) if done.refused else node, done.anchor)

    def _alias(self, event: Event) -> None:
        at = Node(*_span(event))
        name = event.anchor
        node: Node = _unknown(at)
        if name not in self._anchors and self._in_secret():
            self._report("yaml-syntax", "a secret begins with *, which makes an alias of it", at, "put it in quotes")
        elif name not in self._anchors:
            near = self._guesses.closest(name, self._anchors)
            self._report("yaml-syntax", f"no anchor &{name} stands before this alias", at,
                         f"did you mean *{near}?" if near else
                         "quote the text if it is none: a value that begins with * is an alias")
        else:
            target = self._anchors[name]
            if target is None:
                self._report("yaml-unsafe", f"the alias *{name} stands inside what it refers to", at)
            else:
                if len(self._stack) + target.depth > MAX_DEPTH:
                    raise self._too_deep(at)
                self._count(target.size, at)
                node = Alias(target, at)
        self._place(node, None)

    # Where they belong

    def _place(self, node: Node, anchor: str | None) -> None:
        self._count(1, node)
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        holder = self._stack[-1]
        if isinstance(holder.node, List):
            holder.node.items.append(node)
            holder.node.holds(node)
        elif holder.key is None:
            holder.key = self._key(node)
        else:
            key, holder.key = holder.key, None
            self._entry(holder, holder.node, key, node)

    def _key(self, node: Node) -> Scalar:
        target = node.target if isinstance(node, Alias) else node
        if not isinstance(target, Scalar):
            self._report("yaml-syntax", "a key is text, not a mapping or a list", node)
        elif isinstance(node, Scalar) and (node.value is None or isinstance(node.value, str)):
            return node
        elif target.value is not UNKNOWN:
            return Scalar(str(target.value), node.line, node.column, node.end_line, node.end_column)
        return Scalar(UNKNOWN, node.line, node.column, node.end_line, node.end_column)

    def _entry(self, holder: _Open, mapping: Mapping, key: Scalar, node: Node) -> None:
        name = key.value
        if name is None:
            holder.merges.append(node)
        if not isinstance(name, str):
            return
        first = mapping.children[name][0] if name in mapping.children else holder.ignored.get(name)
        if first is not None:
            self._report("duplicate-key", f"the key {quote(name)} is there twice", key,
                         "remove one of the two or give it another name: one would be lost", first)
        elif name.startswith("x-"):
            holder.ignored[name] = key
        else:
            mapping.children[name] = (key, node)
            mapping.holds(node)

    def _merge(self, into: Node, value: Node) -> None:
        """Add the entries of ``<<``; those that are there win, and the earlier mapping of a list wins."""
        assert isinstance(into, Mapping)  # only a mapping has keys
        use: Node | None = None
        while isinstance(value, Alias):
            use, value = use or value, value.target
        for item in value.items if isinstance(value, List) else [value]:
            source, at = item, use
            while isinstance(source, Alias):
                at, source = at or source, source.target
            if isinstance(source, Mapping):
                if at is not None:
                    self._count(source.size, at)
                for name, (key, child) in source.children.items():
                    if name not in into.children:
                        into.children[name] = (key, child) if at is None else (at, Alias(child, at))
                        into.holds(child)
            elif not (isinstance(source, Scalar) and source.value is UNKNOWN):
                self._report("yaml-syntax", "<< takes a mapping or a list of mappings", at or item)


def _span(event: Event) -> tuple[int, int, int, int]:
    start, end = event.start_mark, event.end_mark
    return start.line, start.column, end.line, end.column


def _unknown(at: Node) -> Scalar:
    return Scalar(UNKNOWN, at.line, at.column, at.end_line, at.end_column)
