"""The nodes of a YAML file and their places.

Aliases stay aliases, so the tree is never larger than the file; what stands below an alias has, for a
report, the place where the alias is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zmqtopo.config.problem import Place
from zmqtopo.config.yaml.scalars import Plain


class Unknown:
    """A value that is there but cannot be read; the finding is made, nothing is concluded from it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()

Value = Any
"""A plain value: dict, list, None, bool, int, float, str, bytes, or UNKNOWN. Which one, the schema says."""

Step = str | int
"""One step of a path: a key or an index."""


class Node:
    """Something at a place: lines and columns count characters from 0, the end is behind the last one.

    ``size`` is the number of nodes when every alias is written out, ``depth`` of levels below this one.
    """

    __slots__ = ("column", "depth", "end_column", "end_line", "line", "size")

    def __init__(self, line: int, column: int, end_line: int, end_column: int) -> None:
        self.line, self.column, self.end_line, self.end_column = line, column, end_line, end_column
        self.size = 1
        self.depth = 0

    def holds(self, child: Node) -> None:
        """Count what a child adds."""
        self.size += child.size
        if child.depth >= self.depth:
            self.depth = child.depth + 1

    def place(self, lines: Sequence[str]) -> Place:
        """Return its place; what goes on below ends where its first line ends."""
        end = self.end_column
        if self.end_line != self.line:
            end = max(self.column, len(lines[self.line].rstrip())) if self.line < len(lines) else self.column
        return Place(self.line + 1, self.column + 1, end + 1)


class Scalar(Node):
    """A single value, or UNKNOWN."""

    __slots__ = ("value",)

    def __init__(self, value: Plain | Unknown, line: int, column: int, end_line: int, end_column: int) -> None:
        super().__init__(line, column, end_line, end_column)
        self.value = value


class Mapping(Node):
    """Keys, in the order of the file, each with the node of the key and the node of the value."""

    __slots__ = ("children",)

    def __init__(self, line: int, column: int, end_line: int, end_column: int) -> None:
        super().__init__(line, column, end_line, end_column)
        self.children: dict[str, tuple[Node, Node]] = {}


class List(Node):
    """A YAML sequence."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int, end_line: int, end_column: int) -> None:
        super().__init__(line, column, end_line, end_column)
        self.items: list[Node] = []


class Alias(Node):
    """The use of an anchor, or of one key of a merged mapping."""

    __slots__ = ("target",)

    def __init__(self, target: Node, at: Node) -> None:
        super().__init__(at.line, at.column, at.end_line, at.end_column)
        self.target = target
        self.size, self.depth = target.size, target.depth


@dataclass(frozen=True, slots=True)
class Spot:
    """A node, seen on the way to it: ``use`` is the alias through which the way went, if any."""

    node: Node
    lines: Sequence[str]
    key: Node | None = None
    use: Node | None = None

    def __getitem__(self, step: Step) -> Spot:
        """The spot below; raises LookupError when there is none."""
        use, node = self.use, self.node
        while isinstance(node, Alias):
            use, node = use or node, node.target
        if isinstance(node, Mapping):
            key, child = node.children[str(step)]
            return Spot(child, self.lines, key, use)
        if isinstance(node, List) and isinstance(step, int):
            return Spot(node.items[step], self.lines, None, use)
        raise LookupError(step)

    def get(self, step: Step) -> Spot:
        """Return the spot below, or this one where there is none."""
        try:
            return self[step]
        except LookupError:
            return self

    @property
    def origin(self) -> Node:
        """The node itself, where it is written."""
        node = self.node
        while isinstance(node, Alias):
            node = node.target
        return node

    @property
    def place(self) -> Place:
        """The place of the value, or of the alias that brings it."""
        return (self.use or self.node).place(self.lines)

    @property
    def key_place(self) -> Place:
        """The place of the key, of an item's value, or of the alias that brings them."""
        return (self.use or self.key or self.node).place(self.lines)
