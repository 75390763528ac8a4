"""The picture in Mermaid (mermaid.js.org/syntax/flowchart.html), which GitHub and GitLab draw inside Markdown.

A node of a flowchart has no ports, so a box lists its sockets, and every arrow goes where messages go. An arrow has
room for one head at each end, so words in the box tell which side binds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from zlib import crc32

from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.dot import FILLS
from zmqtopo.draw.picture import INKS, Drawn, Picture, colour, frames, kind, printable, type_of

_CLASSES = {INKS["error"]: "wrong", INKS["warning"]: "doubtful"}
_STYLES = {
    **{name: f"stroke:{ink},color:{ink}" for ink, name in _CLASSES.items()}, "address": "stroke-dasharray:4 3",
    # The text has a colour too: on a dark page it would be white.
    **{type_: f"fill:{fill},color:#20262c" for type_, fill in FILLS.items()},
}
# What stays as it is in a text; all else, from quotes to Markdown's asterisk, is written as an entity.
_PLAIN = re.compile(r"[^\w./:,-]")
# Mermaid looks for these anywhere in a line, in quotes and in identifiers too, and takes what follows apart.
_TREACHEROUS = re.compile(r"(?i)(?=style|classDef|direction).")

Nodes = dict[tuple[str, ...], list[str]]


def mermaid(picture: Picture) -> str:
    """The picture as a ``flowchart LR``; what has an error is red, what has a warning amber, and both name the rule."""
    ids = Ids(picture)
    lines = [*_nodes(picture, ids), *_addresses(picture, ids)]
    styles = []
    for number, arrow in enumerate(picture.arrows):
        lines.append(_edge(arrow, picture, ids, repeats=number in picture.repeats))
        if ink := picture.ink(arrow):
            styles.append(f"linkStyle {number} stroke:{ink},color:{ink}")
    lines += _beyond(picture, ids)
    classes = [f"classDef {name} {style}" for name, style in _STYLES.items()
               if any(line.endswith(f":::{name}") for line in lines)]
    title = ["---", f"title: {json.dumps(_title(picture), ensure_ascii=False)}", "---"]
    return "\n".join([*title, "flowchart LR", *(f"  {line}" for line in [*classes, *lines, *styles]), ""])


def _title(picture: Picture) -> str:
    return " - ".join(filter(None, (printable(picture.name), printable(picture.description))))


class Ids:
    """The identifier of each node and frame: its name where that is one, and else its letters and digits.

    Where that would be the same for two, a checksum of the name follows: no other name changes an identifier that
    was unique, and none depends on the order, so that a drawing that is committed changes where the topology does.
    """

    def __init__(self, picture: Picture) -> None:
        owners: tuple[Device | Peer, ...] = (*picture.devices, *picture.peers)
        names = {f"device:{device.name}" for device in picture.devices}
        names |= {f"peer:{peer.name}" for peer in picture.peers} | {node.node for node in picture.addresses}
        names |= {f"frame:{' / '.join(frames(owner)[:depth])}" for owner in owners for depth in (1, 2)}
        self._taken = Counter(map(_letters, names))

    def of(self, name: str) -> str:
        """The identifier of ``FAMILY:NAME``."""
        found = _letters(name)
        is_plain = re.fullmatch(r"\w+:[A-Za-z0-9]+", name) and _guarded(name) == name
        return found if is_plain or self._taken[found] < 2 else f"{found}_{crc32(name.encode()):08x}"


def _letters(name: str) -> str:
    family, _, rest = name.partition(":")
    return f"{family}_" + re.sub(r"[^A-Za-z0-9]+", "_", _guarded(rest)).strip("_")


def _guarded(name: str) -> str:
    """The name without a word that Mermaid would take apart."""
    return _TREACHEROUS.sub(lambda found: f"{found[0]}_", name)


def _nodes(picture: Picture, ids: Ids) -> Iterator[str]:
    inside: Nodes = {}
    for device in picture.devices:
        inside.setdefault(frames(device), []).extend(_device(device, picture, ids))
    for peer in picture.peers:
        inside.setdefault(frames(peer), []).extend(_peer(peer, picture, ids))
    yield from inside.pop((), [])
    for outer in sorted({titles[0] for titles in inside}):
        yield from _frame((outer,), inside, ids)


def _frame(titles: tuple[str, ...], inside: Nodes, ids: Ids) -> Iterator[str]:
    yield f'subgraph {ids.of("frame:" + " / ".join(titles))}["{_text(titles[-1])}"]'
    for line in inside.get(titles, []):
        yield f"  {line}"
    for inner in sorted(t for t in inside if len(t) > len(titles) and t[: len(titles)] == titles):
        yield from (f"  {line}" for line in _frame(inner, inside, ids))
    yield "end"


def _device(device: Device, picture: Picture, ids: Ids) -> Iterator[str]:
    notes = "".join(f"<b>{_text(line)}</b><br/>" for line in picture.note(device).lines)
    sockets = "<br/>".join(_socket(socket, picture) for socket in device.sockets)
    label = f"<b>{_text(device.name)}</b><br/>{_text(kind(device))}{_faults(device, picture)}<br/>{notes}{sockets}"
    yield from _node(ids.of(f"device:{device.name}"), f'["{label}"]', device, picture)


def _socket(socket: Socket, picture: Picture) -> str:
    return f"{socket.role} {_text(type_of(socket))}{_binds(socket)}{_faults(socket, picture)}"


def _binds(of: Socket | Peer) -> str:
    return ", binds" if of.bind else ""


def _faults(of: Drawn, picture: Picture) -> str:
    """The rules that found something here, a line each; empty where none did."""
    return "".join(f"<br/>⚠ {rule}" for rule in picture.faults(of))


def _peer(peer: Peer, picture: Picture, ids: Ids) -> Iterator[str]:
    label = f"{_text(peer.name)}<br/>{_text(peer.type)}{_binds(peer)}{_faults(peer, picture)}"
    yield from _node(ids.of(f"peer:{peer.name}"), f'("{label}")', peer, picture)


def _node(name: str, shape: str, owner: Device | Peer, picture: Picture) -> Iterator[str]:
    sockets = owner.sockets if isinstance(owner, Device) else ()
    wrong = picture.ink(owner, *sockets)
    known = owner.type if isinstance(owner, Device) and owner.type in FILLS else ""
    class_ = _CLASSES[wrong] if wrong else known
    yield f"{name}{shape}" + (f":::{class_}" if class_ else "")
    if not wrong and (ink := colour(owner)):
        yield f"style {name} stroke:{ink}"


def _addresses(picture: Picture, ids: Ids) -> Iterator[str]:
    for node in picture.addresses:
        yield f'{ids.of(node.node)}(["{_text(node.text)}"]):::address'


def _edge(arrow: Arrow, picture: Picture, ids: Ids, *, repeats: bool) -> str:
    left, right = map(ids.of, arrow.nodes)
    if arrow.heads == "back":    # there is no arrow with a head on the left only
        left, right = right, left
    # A monitor reaches one column further: side by side, its labels would lie on those of out.
    line = "-..->" if arrow.is_monitor else "-->"
    words = [] if repeats else [arrow.pattern] if arrow.is_alone else [_text(arrow.node.text), arrow.pattern]
    notes = map(_text, picture.note(arrow).lines)
    label = "<br/>".join([*words, *(f"⚠ {rule}" for rule in picture.faults(arrow)), *notes])
    return f'{left} {"<" if arrow.heads == "both" else ""}{line}' + (f'|"{label}"|' if label else "") + f" {right}"


def _beyond(picture: Picture, ids: Ids) -> Iterator[str]:
    """A stub for each side of a node at which connections are left out."""
    for node, sides in picture.beyond.items():
        for side, count in zip(("left", "right"), sides, strict=True):
            if count:
                here = ids.of(node)
                stub = f'more_{side}_{here}(["… {count} more"]):::address'
                yield f"{stub} -.- {here}" if side == "left" else f"{here} -.- {stub}"


def _text(text: str) -> str:
    text = _PLAIN.sub(_entity, printable(text))
    return _TREACHEROUS.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    return f"#{ord(found[0])};"
