"""The graph in DOT, the language of Graphviz (graphviz.org/doc/info/lang.html).

Everything is sorted by name, nothing depends on the machine: the text can be committed and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from zmqtopo.checks.graph import End, Graph
from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.config.problem import Place, Problem
from zmqtopo.draw.arrows import Arrow, arrows

_INK = "#37474f"
_RED = "#c62828"
_SOFT = "#eceff1"
_HEAD = (
    'graph [rankdir="LR", fontname="Helvetica", fontsize="11", nodesep="0.4", ranksep="0.9"]',
    f'node [fontname="Helvetica", fontsize="12", color="{_INK}"]',
    f'edge [fontname="Helvetica", fontsize="9", color="{_INK}", arrowsize="0.7"]',
)

Clusters = dict[tuple[str, ...], list[str]]


def dot(graph: Graph, problems: Iterable[Problem] = ()) -> str:
    """The topology as a ``digraph``; what has an error or a warning among ``problems`` is red."""
    red = {place for p in problems if p.severity != "info" for place in (p.place, p.other) if place is not None}
    drawn = sorted(arrows(graph), key=_order)
    lines = [*_HEAD, *_nodes(graph, red), *_addresses(drawn), *(_edge(arrow, red) for arrow in drawn)]
    return "\n".join([f"digraph {_quoted(graph.topology.name)} {{", *(f"  {line}" for line in lines), "}", ""])


def _nodes(graph: Graph, red: set[Place]) -> Iterator[str]:
    """Devices and peers; those of one process group, and in it those of one drawing group, in a frame."""
    clusters: Clusters = {}
    topology = graph.topology
    for device in sorted(topology.devices.values(), key=lambda d: d.name):
        clusters.setdefault(_frames(device), []).append(_device(device, red))
    for peer in sorted(topology.peers.values(), key=lambda p: p.name):
        clusters.setdefault(_frames(peer), []).append(_peer(peer, red))
    yield from clusters.pop((), [])
    for outer in sorted({frames[0] for frames in clusters}):
        yield from _cluster((outer,), clusters)


def _frames(owner: Device | Peer) -> tuple[str, ...]:
    process = f"process {owner.run.group}" if isinstance(owner, Device) and owner.run.group else ""
    return tuple(frame for frame in (process, owner.graph.get("group", "")) if frame)


def _cluster(frames: tuple[str, ...], clusters: Clusters) -> Iterator[str]:
    yield f"subgraph {_quoted('cluster ' + ' / '.join(frames))} {{"
    yield f'  label={_quoted(frames[-1])}; style="rounded"; color="#b0bec5"; fontcolor="#607d8b"'
    for node in clusters.get(frames, []):
        yield f"  {node}"
    for inner in sorted(f for f in clusters if len(f) > len(frames) and f[: len(frames)] == frames):
        yield from (f"  {line}" for line in _cluster(inner, clusters))
    yield "}"


def _device(device: Device, red: set[Place]) -> str:
    """A box with three ports, as an HTML-like label."""
    wrong = bool({device.place, device.type_place} & red)
    ink = _RED if wrong else escape(device.graph.get("color", _INK))
    kind = device.type.replace("_", " ") + (", own process" if device.run.text == "process" else "")
    rows = [
        f"<tr>{_port(device.in_, red)}"
        f'<td><b>{escape(device.name)}</b><br/><font point-size="10">{escape(kind)}</font></td>'
        f"{_port(device.out, red)}</tr>"
    ]
    if device.mon is not None:
        rows.append(f"<tr><td></td>{_port(device.mon, red)}<td></td></tr>")
    table = (f'<table border="2" cellborder="0" cellspacing="0" cellpadding="6" color="{ink}" bgcolor="white">'
             f"{''.join(rows)}</table>")
    return f'{_quoted("device:" + device.name)} [shape="plain", label=<{table}>{_tooltip(device)}]'


def _port(socket: Socket, red: set[Place]) -> str:
    role = socket.role
    wrong = bool({socket.place, socket.type_place, *socket.option_places.values()} & red)
    text = f'{role}<br/><font point-size="9">{escape(socket.type)}</font>'
    text = f'<font color="{_RED}">{text}</font>' if wrong else text
    return f'<td port="{role}" bgcolor="{_SOFT}">{text}</td>'


def _peer(peer: Peer, red: set[Place]) -> str:
    ink = _RED if {peer.place, peer.type_place} & red else peer.graph.get("color", _INK)
    label = f"{peer.name}\n{peer.type}"
    return (f'{_quoted("peer:" + peer.name)} [shape="box", style="rounded", color={_quoted(ink)}, '
            f"label={_quoted(label)}{_tooltip(peer)}]")


def _addresses(drawn: Iterable[Arrow]) -> Iterator[str]:
    """The addresses that only one side uses, or that are claimed twice."""
    alone = {a.meeting.node: a.meeting.text for a in drawn if a.left is None or a.right is None}
    for node, text in sorted(alone.items()):
        yield (f'{_quoted(node)} [shape="ellipse", style="dashed", fontsize="10", color="#90a4ae", '
               f"label={_quoted(text)}]")


def _edge(arrow: Arrow, red: set[Place]) -> str:
    alone = arrow.left is None or arrow.right is None
    # The patterns in words, and the address only where no node shows it.
    label = arrow.pattern if alone else f"{arrow.meeting.text}\n{arrow.pattern}"
    attributes = [f"label={_quoted(label)}"]
    if arrow.heads != "forward":
        attributes.append(f'dir="{arrow.heads}"')
    if arrow.is_monitor:
        attributes.append('style="dashed"')
    if any(link.place in red for link in arrow.links):
        attributes.append(f'color="{_RED}", fontcolor="{_RED}"')
    left = _attachment(arrow.left, arrow, "e")
    right = _attachment(arrow.right, arrow, "w")
    return f"{left} -> {right} [{', '.join(attributes)}]"


def _attachment(end: End | None, arrow: Arrow, side: str) -> str:
    if end is None:
        return _quoted(arrow.meeting.node)
    if end.role is None:
        return _quoted(end.node)
    return f'{_quoted(end.node)}:"{end.role}":{"s" if end.role == "mon" else side}'


def _order(arrow: Arrow) -> tuple[str, ...]:
    ends = [part for end in (arrow.left, arrow.right) for part in ((end.node, end.role or "") if end else ("", ""))]
    return (*ends, arrow.meeting.node, *(link.side for link in arrow.links))


def _tooltip(owner: Device | Peer) -> str:
    return f', tooltip={_quoted(" ".join(owner.description.split()))}' if owner.description else ""


def _quoted(text: str) -> str:
    """A DOT string, in which a backslash begins an escape (of a line break, of the node's own name)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
