"""The picture in Mermaid (mermaid.js.org/syntax/flowchart.html), which GitHub and GitLab draw inside Markdown.

A node of a flowchart has no ports, so a box lists its sockets, and every arrow goes where messages go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.picture import INKS, Drawn, Picture, colour, frames, kind, printable

_CLASSES = {INKS["error"]: "wrong", INKS["warning"]: "doubtful"}
_STYLES = {
    **{name: f"stroke:{ink},color:{ink}" for ink, name in _CLASSES.items()}, "address": "stroke-dasharray:4 3",
}
# What stays as it is in a text; all else, from quotes to Markdown's asterisk, is written as an entity.
_PLAIN = re.compile(r"[^\w./:,-]")
# Mermaid looks for these anywhere in a line, in quotes and in identifiers too, and takes what follows apart.
_TREACHEROUS = re.compile(r"(?i)(?=style|classDef|direction).")

Nodes = dict[tuple[str, ...], list[str]]


def mermaid(picture: Picture) -> str:
    """The picture as a ``flowchart LR``; what has an error is red, what has a warning amber, and both name the rule."""
    lines = [*_nodes(picture), *_addresses(picture)]
    classes = [f"classDef {name} {style}" for name, style in _STYLES.items()
               if any(line.endswith(f":::{name}") for line in lines)]
    styles = []
    for number, arrow in enumerate(picture.arrows):
        lines.append(_edge(arrow, picture))
        if ink := picture.ink(arrow):
            styles.append(f"linkStyle {number} stroke:{ink},color:{ink}")
    return "\n".join(["flowchart LR", *(f"  {line}" for line in [*classes, *lines, *styles]), ""])


def _nodes(picture: Picture) -> Iterator[str]:
    inside: Nodes = {}
    for device in picture.devices:
        inside.setdefault(frames(device), []).extend(_device(device, picture))
    for peer in picture.peers:
        inside.setdefault(frames(peer), []).extend(_peer(peer, picture))
    yield from inside.pop((), [])
    for outer in sorted({titles[0] for titles in inside}):
        yield from _frame((outer,), inside)


def _frame(titles: tuple[str, ...], inside: Nodes) -> Iterator[str]:
    yield f'subgraph {_id("frame", " / ".join(titles))}["{_text(titles[-1])}"]'
    for line in inside.get(titles, []):
        yield f"  {line}"
    for inner in sorted(t for t in inside if len(t) > len(titles) and t[: len(titles)] == titles):
        yield from (f"  {line}" for line in _frame(inner, inside))
    yield "end"


def _device(device: Device, picture: Picture) -> Iterator[str]:
    sockets = "<br/>".join(_socket(socket, picture) for socket in device.sockets)
    label = f"<b>{_text(device.name)}</b><br/>{_text(kind(device))}{_faults(device, picture)}<br/>{sockets}"
    yield from _node(_id("device", device.name), f'["{label}"]', device, picture)


def _socket(socket: Socket, picture: Picture) -> str:
    return f"{socket.role} {_text(socket.type)}{_faults(socket, picture)}"


def _faults(of: Drawn, picture: Picture) -> str:
    """The rules that found something here, a line each; empty where none did."""
    return "".join(f"<br/>⚠ {rule}" for rule in picture.faults(of))


def _peer(peer: Peer, picture: Picture) -> Iterator[str]:
    label = f"{_text(peer.name)}<br/>{_text(peer.type)}{_faults(peer, picture)}"
    yield from _node(_id("peer", peer.name), f'("{label}")', peer, picture)


def _node(name: str, shape: str, owner: Device | Peer, picture: Picture) -> Iterator[str]:
    sockets = owner.sockets if isinstance(owner, Device) else ()
    wrong = picture.ink(owner, *sockets)
    yield f"{name}{shape}" + (f":::{_CLASSES[wrong]}" if wrong else "")
    if not wrong and (ink := colour(owner)):
        yield f"style {name} stroke:{ink}"


def _addresses(picture: Picture) -> Iterator[str]:
    for node in picture.addresses:
        yield f'{_id(*node.node.split(":", 1))}(["{_text(node.text)}"]):::address'


def _edge(arrow: Arrow, picture: Picture) -> str:
    left, right = (_id(*node.split(":", 1)) for node in arrow.nodes)
    if arrow.heads == "back":    # there is no arrow with a head on the left only
        left, right = right, left
    # A monitor reaches one column further: side by side, its labels would lie on those of out.
    line = "-..->" if arrow.is_monitor else "-->"
    label = arrow.pattern if arrow.is_alone else f"{_text(arrow.node.text)}<br/>{arrow.pattern}"
    label += _faults(arrow, picture)
    return f'{left} {"<" if arrow.heads == "both" else ""}{line}|"{label}"| {right}'


def _id(family: str, name: str) -> str:
    """An identifier that no other name has and that begins no word of the language, as ``end`` would."""
    first = {found.start() for found in _TREACHEROUS.finditer(name)}
    return f"{family}_" + "".join(_id_part(c, n in first) for n, c in enumerate(name))


def _id_part(c: str, treacherous: bool) -> str:
    if c == "_":
        return "__"
    return c if c.isascii() and c.isalnum() and not treacherous else f"_{ord(c):x}_"


def _text(text: str) -> str:
    text = _PLAIN.sub(_entity, printable(text))
    return _TREACHEROUS.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    return f"#{ord(found[0])};"
