"""What connects what in a picture: an arrow for each connection, and which way it points.

A picture reads from left to right: what enters a device comes from the left, what leaves it goes to the
right, and its monitor is a way out. That alone decides which end is left; messages decide the arrowheads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from zmqtopo.checks.graph import AddressNode, End, Graph, Link
from zmqtopo.checks.sockets import pattern

Heads = Literal["forward", "back", "both"]

_COLUMN = {"out": -1, "mon": -1, None: 0, "in": 1}


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from ``left`` to ``right``; an end is None where only the address ``meeting`` is drawn.

    ``heads`` says where messages go: ``forward`` to the right, ``back`` to the left, or both.
    """

    left: End | None
    right: End | None
    heads: Heads
    pattern: str
    node: AddressNode
    links: tuple[Link, ...]

    @property
    def is_alone(self) -> bool:
        """Whether one of its ends is only an address."""
        return self.left is None or self.right is None

    @property
    def nodes(self) -> tuple[str, str]:
        """The nodes that it connects, left and right."""
        alone = self.node.node
        return self.left.node if self.left else alone, self.right.node if self.right else alone

    @property
    def binder(self) -> Literal["left", "right", None]:
        """The end that binds the address; None where nobody who is drawn does."""
        bind = next((link.end for link in self.links if link.side == "bind"), None)
        return None if bind is None else "left" if bind is self.left else "right"

    @property
    def is_monitor(self) -> bool:
        """Whether it carries the copies of a monitor."""
        return any(link.end.role == "mon" for link in self.links)


def arrows(graph: Graph) -> Iterator[Arrow]:
    """One arrow for each connection; for an address with one side only, one to or from the address."""
    for node in (part for whole in graph.nodes for part in _apart(whole, graph)):
        if node.binds and node.connects:
            for bind, connect in node.pairs:
                yield _between(node, bind, connect)
            for bind in node.binds[1:]:
                yield _to_address(node, bind)
        else:
            for link in (*node.binds, *node.connects):
                yield _to_address(node, link)


def _apart(node: AddressNode, graph: Graph) -> Iterator[AddressNode]:
    """One meeting for each socket that claims the address: no message goes from one of them to another.

    Drawn as one place, a device whose in and out bind the same address would look as if it fed itself. A connect
    goes to the socket that it names, and one that names only the address to the first.
    """
    if not any(bind in graph.conflicts for bind in node.binds[1:]):
        yield node
        return
    parts: dict[str, AddressNode] = {}
    for bind in node.binds:
        name = bind.end.name
        parts.setdefault(name, AddressNode(f"{node.node} of {name}", bind.text)).binds.append(bind)
    first = next(iter(parts.values()))
    for connect in node.connects:
        parts.get(connect.text, first).connects.append(connect)
    yield from parts.values()


def _between(node: AddressNode, bind: Link, connect: Link) -> Arrow:
    a, b = connect.end, bind.end
    there, back = _flows(a, b), _flows(b, a)
    order = _COLUMN[a.role] - _COLUMN[b.role]
    if order > 0 or (order == 0 and back and not there):
        a, b, there, back = b, a, back, there
    heads: Heads = "both" if there == back else "forward" if there else "back"
    return Arrow(a, b, heads, pattern(a.type, b.type), node, (bind, connect))


def _flows(a: End, b: End) -> bool:
    return a.sends and b.receives


def _to_address(node: AddressNode, link: Link) -> Arrow:
    end = link.end
    sends, takes = end.sends, end.receives
    on_the_right = _COLUMN[end.role] > 0 or (end.role is None and takes and not sends)
    heads: Heads = "both" if sends and takes else "forward" if takes == on_the_right else "back"
    left, right = (None, end) if on_the_right else (end, None)
    return Arrow(left, right, heads, pattern(end.type, end.type), node, (link,))
