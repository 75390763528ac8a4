"""The picture in DOT, the language of Graphviz (graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from zmqtopo.checks.graph import End
from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.picture import Picture, colour, frames, kind, printable

_INK = "#37474f"
_SOFT = "#eceff1"
_HEAD = (
    'graph [rankdir="LR", fontname="Helvetica", fontsize="11", nodesep="0.4", ranksep="0.9"]',
    f'node [fontname="Helvetica", fontsize="12", color="{_INK}"]',
    f'edge [fontname="Helvetica", fontsize="9", color="{_INK}", arrowsize="0.7"]',
)
# Graphviz sets a label down on its edge, so that the line runs through the descenders.
_GAP = '<br/><font point-size="4"> </font>'

Clusters = dict[tuple[str, ...], list[str]]


def dot(picture: Picture) -> str:
    """The picture as a ``digraph``; what has an error is red, what has a warning amber, and both name the rule."""
    lines = [*_HEAD, *_nodes(picture), *_addresses(picture), *(_edge(arrow, picture) for arrow in picture.arrows)]
    return "\n".join([f"digraph {_quoted(picture.name)} {{", *(f"  {line}" for line in lines), "}", ""])


def _nodes(picture: Picture) -> Iterator[str]:
    """Devices and peers; those of one process group, and in it those of one drawing group, in a frame."""
    clusters: Clusters = {}
    for device in picture.devices:
        clusters.setdefault(frames(device), []).append(_device(device, picture))
    for peer in picture.peers:
        clusters.setdefault(frames(peer), []).append(_peer(peer, picture))
    yield from clusters.pop((), [])
    for outer in sorted({titles[0] for titles in clusters}):
        yield from _cluster((outer,), clusters)


def _cluster(titles: tuple[str, ...], clusters: Clusters) -> Iterator[str]:
    yield f"subgraph {_quoted('cluster ' + ' / '.join(titles))} {{"
    yield f'  label={_quoted(titles[-1])}; style="rounded"; color="#b0bec5"; fontcolor="#607d8b"'
    for node in clusters.get(titles, []):
        yield f"  {node}"
    for inner in sorted(t for t in clusters if len(t) > len(titles) and t[: len(titles)] == titles):
        yield from (f"  {line}" for line in _cluster(inner, clusters))
    yield "}"


def _device(device: Device, picture: Picture) -> str:
    """A box with a port for each socket: in on the left, the ways out on the right."""
    ink = picture.ink(device) or colour(device) or _INK
    tall = ' rowspan="2"' if device.mon is not None else ""
    name = (f'<td{tall}><b>{escape(printable(device.name))}</b><br/>'
            f'<font point-size="10">{escape(kind(device))}</font>{_faults(device, picture)}</td>')
    rows = f"<tr>{_port(device.in_, picture, tall)}{name}{_port(device.out, picture)}</tr>"
    if device.mon is not None:
        rows += f"<tr>{_port(device.mon, picture)}</tr>"
    table = (f'<table border="2" cellborder="0" cellspacing="0" cellpadding="6" color="{ink}" bgcolor="white">'
             f"{rows}</table>")
    return f'{_quoted("device:" + device.name)} [shape="plain", label=<{table}>{_tooltip(device)}]'


def _port(socket: Socket, picture: Picture, tall: str = "") -> str:
    text = f'{socket.role}<br/><font point-size="9">{escape(socket.type)}</font>'
    text = f'<font color="{ink}">{text}</font>{_faults(socket, picture)}' if (ink := picture.ink(socket)) else text
    return f'<td{tall} port="{socket.role}" bgcolor="{_SOFT}">{text}</td>'


def _faults(of: Device | Socket, picture: Picture) -> str:
    """The rules that found something here, in the colour of the worst, a line each; empty where none did."""
    ink = picture.ink(of)
    return "".join(f'<br/><font point-size="9" color="{ink}">{rule}</font>' for rule in picture.faults(of))


def _peer(peer: Peer, picture: Picture) -> str:
    wrong = picture.ink(peer)
    ink = wrong or colour(peer) or _INK
    words = f', fontcolor="{wrong}"' if wrong else ""
    label = "\n".join([printable(peer.name), peer.type, *picture.faults(peer)])
    return (f'{_quoted("peer:" + peer.name)} [shape="box", style="rounded", color={_quoted(ink)}, '
            f"label={_quoted(label)}{words}{_tooltip(peer)}]")


def _addresses(picture: Picture) -> Iterator[str]:
    for node in picture.addresses:
        yield (f'{_quoted(node.node)} [shape="ellipse", style="dashed", fontsize="10", color="#90a4ae", '
               f"label={_quoted(printable(node.text))}]")


def _edge(arrow: Arrow, picture: Picture) -> str:
    # The address only where no node shows it.
    words = [arrow.pattern] if arrow.is_alone else [escape(printable(arrow.node.text)), arrow.pattern]
    words += picture.faults(arrow)
    attributes = [f"label=<{'<br/>'.join(words)}{_GAP}>"]
    if arrow.heads != "forward":
        attributes.append(f'dir="{arrow.heads}"')
    if arrow.is_monitor:
        attributes.append('style="dashed"')
    if ink := picture.ink(arrow):
        attributes.append(f'color="{ink}", fontcolor="{ink}"')
    left = _attachment(arrow.left, arrow, "e")
    right = _attachment(arrow.right, arrow, "w")
    return f"{left} -> {right} [{', '.join(attributes)}]"


def _attachment(end: End | None, arrow: Arrow, side: str) -> str:
    if end is None:
        return _quoted(arrow.node.node)
    return _quoted(end.node) + (f':"{end.role}":{side}' if end.role else "")


def _tooltip(owner: Device | Peer) -> str:
    return f", tooltip={_quoted(printable(owner.description))}" if owner.description else ""


def _quoted(text: str) -> str:
    """A DOT string, in which a backslash begins an escape (of a line break, of the node's own name), & an entity."""
    return '"' + text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
