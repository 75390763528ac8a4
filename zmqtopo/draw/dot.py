"""The picture in DOT, the language of Graphviz (graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from zmqtopo.checks.graph import End
from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.draw.arrows import Arrow
from zmqtopo.draw.picture import Picture, colour, frames, kind, printable, type_of

_INK = "#37474f"
_SOFT = "#eceff1"
_HEAD = (
    'graph [rankdir="LR", fontname="Helvetica", fontsize="11", nodesep="0.4", ranksep="0.9"]',
    f'node [fontname="Helvetica", fontsize="12", color="{_INK}"]',
    f'edge [fontname="Helvetica", fontsize="9", color="{_INK}", arrowsize="0.7"]',
)
# Graphviz sets a label down on its edge, so that the line runs through the descenders.
_GAP = '<br/><font point-size="4"> </font>'

STATE_ROOM: Final = "# running, mon full"
"""The line that a live drawing has for the state of a device, as wide as most that will stand there."""

RATE_ROOM: Final = "# 888.8k/s"
"""The line that it has for the rate of an edge, twice where messages go both ways: there, then back."""

FILLS: Final[dict[str, str]] = {
    "queue": "#dcebfa", "forwarder": "#dff2e1", "streamer": "#fff0d6", "monitored_queue": "#f0e2f5", "proxy": "#e6eaec",
}
"""The colour of a device by its type: so pale that black text on it can be read on paper, in grey too."""

Clusters = dict[tuple[str, ...], list[str]]


def dot(picture: Picture) -> str:
    """The picture as a ``digraph``; what has an error is red, what has a warning amber, and both name the rule."""
    return _digraph(picture, [*_nodes(picture), *_addresses(picture),
                              *(_edge(arrow, picture, repeats=number in picture.repeats)
                                for number, arrow in enumerate(picture.arrows)),
                              *_beyond(picture), _title(picture)])


def live_dot(picture: Picture) -> str:
    """The picture for a program that shows what passes: with ids, and with room for states and rates.

    The id of a node is its name here, ``device:NAME``. That of an edge is ``LEFT>RIGHT#N``, with the socket behind the
    name of a device (``device:NAME.out``) and a number that tells edges between the same ends apart; its classes are
    ``forward``, ``back`` or ``both`` and, for copies, ``monitor``. `STATE_ROOM` and `RATE_ROOM` are lines of their own.
    """
    ends: Counter[str] = Counter()
    edges = []
    for arrow in picture.arrows:
        name = f"{_end_id(arrow.left, arrow)}>{_end_id(arrow.right, arrow)}"
        ends[name] += 1
        edges.append(_live_edge(arrow, picture, f"{name}#{ends[name]}"))
    return _digraph(picture, [*_nodes(picture, live=True), *_addresses(picture), *edges])


def _title(picture: Picture) -> str:
    """The name of the topology, with what it is for, and the legend; said last, so that no frame inherits it."""
    lines = [f'<tr><td align="left"><font point-size="16"><b>{escape(printable(picture.name))}</b></font></td></tr>']
    if picture.description:
        lines.append(f'<tr><td align="left">{escape(printable(picture.description))}</td></tr>')
    words = "".join(f"<td>{word}</td>" for word in _legend(picture))
    types = "".join(f'<td bgcolor="{FILLS[type_]}">{escape(type_.replace("_", " "))}</td>'
                    for type_ in sorted({device.type for device in picture.devices} & FILLS.keys()))
    if words or types:
        lines.append('<tr><td align="left"><table border="0" cellborder="0" cellspacing="6" cellpadding="3"><tr>'
                     f"{types}{words}</tr></table></td></tr>")
    table = f'<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{"".join(lines)}</table>'
    return f'label=<{table}>; labelloc="t"; labeljust="l"'


def _legend(picture: Picture) -> Iterator[str]:
    """What the lines that are drawn mean."""
    if any(arrow.binder for arrow in picture.arrows):
        yield "● this side binds"
    if any(arrow.is_monitor for arrow in picture.arrows):
        yield "- - copies of mon"
    if picture.addresses:
        yield "dashed ellipse: an address that this file uses at one side"
    if picture.beyond:
        yield "··· it goes on here"


def _beyond(picture: Picture) -> Iterator[str]:
    """A stub for each side of a node at which connections are left out."""
    for node, sides in picture.beyond.items():
        for side, count in zip(("left", "right"), sides, strict=True):
            if count:
                stub, here = _quoted(f"more:{side}:{node}"), _quoted(node)
                yield f'{stub} [shape="plain", fontsize="10", fontcolor="#607d8b", label="… {count} more"]'
                ends = f"{stub} -> {here}" if side == "left" else f"{here} -> {stub}"
                yield f'{ends} [style="dotted", arrowhead="none"]'


def _digraph(picture: Picture, lines: Iterable[str]) -> str:
    body = [f"  {line}" for line in (*_HEAD, *lines)]
    return "\n".join([f"digraph {_quoted(picture.name)} {{", *body, "}", ""])


def _nodes(picture: Picture, *, live: bool = False) -> Iterator[str]:
    """Devices and peers; those of one process group, and in it those of one drawing group, in a frame."""
    clusters: Clusters = {}
    for device in picture.devices:
        clusters.setdefault(frames(device), []).append(_device(device, picture, live=live))
    for peer in picture.peers:
        clusters.setdefault(frames(peer), []).append(_peer(peer, picture, live=live))
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


def _device(device: Device, picture: Picture, *, live: bool) -> str:
    """A box with a port for each socket: in on the left, the ways out on the right."""
    ink = picture.ink(device) or colour(device) or _INK
    tall = ' rowspan="2"' if device.mon is not None else ""
    below = f'<br/><font point-size="10">{STATE_ROOM}</font>' if live else ""
    below += _faults(device, picture) + _notes(device, picture)
    middle = (f'<td{tall}><b>{escape(printable(device.name))}</b><br/>'
              f'<font point-size="10">{escape(kind(device))}</font>{below}</td>')
    rows = f"<tr>{_port(device.in_, picture, tall)}{middle}{_port(device.out, picture)}</tr>"
    if device.mon is not None:
        rows += f"<tr>{_port(device.mon, picture)}</tr>"
    # A program that fills a drawing in has colours of its own.
    fill = "white" if live else FILLS.get(device.type, "white")
    table = (f'<table border="2" cellborder="0" cellspacing="0" cellpadding="6" color="{ink}" bgcolor="{fill}">'
             f"{rows}</table>")
    name = _quoted("device:" + device.name)
    more = f", id={name}" if live else ""
    return f'{name} [shape="plain", label=<{table}>{_tooltip(device)}{more}]'


def _port(socket: Socket, picture: Picture, tall: str = "") -> str:
    text = f'{socket.role}<br/><font point-size="9">{escape(type_of(socket))}</font>'
    text = f'<font color="{ink}">{text}</font>{_faults(socket, picture)}' if (ink := picture.ink(socket)) else text
    return f'<td{tall} port="{socket.role}" bgcolor="{_SOFT}">{text}</td>'


def _faults(of: Device | Socket, picture: Picture) -> str:
    """The rules that found something here, in the colour of the worst, a line each; empty where none did."""
    ink = picture.ink(of)
    return "".join(f'<br/><font point-size="9" color="{ink}">{rule}</font>' for rule in picture.faults(of))


def _notes(device: Device, picture: Picture) -> str:
    """What else there is to say of it, a line each, in the colour of what is wrong."""
    colour_ = f' color="{ink}"' if (ink := picture.ink(device)) else ""
    return "".join(f'<br/><font point-size="10"{colour_}>{escape(printable(line))}</font>'
                   for line in picture.note(device).lines)


def _peer(peer: Peer, picture: Picture, *, live: bool) -> str:
    wrong = picture.ink(peer)
    ink = wrong or colour(peer) or _INK
    words = f', fontcolor="{wrong}"' if wrong else ""
    label = "\n".join([printable(peer.name), peer.type, *picture.faults(peer)])
    name = _quoted("peer:" + peer.name)
    more = f", id={name}" if live else ""
    return (f'{name} [shape="box", style="rounded", color={_quoted(ink)}, '
            f"label={_quoted(label)}{words}{_tooltip(peer)}{more}]")


def _addresses(picture: Picture) -> Iterator[str]:
    for node in picture.addresses:
        yield (f'{_quoted(node.node)} [shape="ellipse", style="dashed", fontsize="10", color="#90a4ae", '
               f"label={_quoted(printable(node.text))}]")


def _edge(arrow: Arrow, picture: Picture, *, repeats: bool) -> str:
    # The address only where no node shows it.
    words = [arrow.pattern] if arrow.is_alone else [escape(printable(arrow.node.text)), arrow.pattern]
    attributes = []
    if repeats:
        attributes.append(f"tooltip={_quoted(f'{printable(arrow.node.text)}, {arrow.pattern}')}")
        words = []
    words += [*picture.faults(arrow), *map(escape, picture.note(arrow).lines)]
    if words:
        attributes.insert(0, f"label=<{'<br/>'.join(words)}{_GAP}>")
    return _line(arrow, picture, attributes)


def _heads(arrow: Arrow) -> Iterator[str]:
    """Arrowheads where messages go, and a dot at the end that binds."""
    shapes = {"left": arrow.heads != "forward", "right": arrow.heads != "back"}
    drawn = {side: "dot" * (side == arrow.binder) + "normal" * goes for side, goes in shapes.items()}
    direction = "both" if drawn["left"] and drawn["right"] else "back" if drawn["left"] else "forward"
    if direction != "forward":
        yield f'dir="{direction}"'
    for side, name in (("left", "arrowtail"), ("right", "arrowhead")):
        if drawn[side] not in ("", "normal"):
            yield f'{name}="{drawn[side]}"'


def _line(arrow: Arrow, picture: Picture, attributes: list[str]) -> str:
    attributes += _heads(arrow)
    if arrow.is_monitor:
        attributes.append('style="dashed"')
    if ink := picture.ink(arrow):
        attributes.append(f'color="{ink}", fontcolor="{ink}"')
    left = _attachment(arrow.left, arrow, "e")
    right = _attachment(arrow.right, arrow, "w")
    return f"{left} -> {right} [{', '.join(attributes)}]"


def _live_edge(arrow: Arrow, picture: Picture, name: str) -> str:
    """An edge with lines for its rates in place of its pattern, which can be read as its tooltip."""
    rates = f'<font point-size="11">{"<br/>".join([RATE_ROOM] * (2 if arrow.heads == "both" else 1))}</font>'
    address = "" if arrow.is_alone else f"{escape(printable(arrow.node.text))}<br/>"
    kinds = f"{arrow.heads} monitor" if arrow.is_monitor else arrow.heads
    return _line(arrow, picture, [
        f"label=<{address}{rates}{_GAP}>", f"id={_quoted(name)}", f'class="{kinds}"',
        f"tooltip={_quoted(arrow.pattern)}",
    ])


def _end_id(end: End | None, arrow: Arrow) -> str:
    if end is None:
        return arrow.node.node
    return f"{end.node}.{end.role}" if end.role else end.node


def _attachment(end: End | None, arrow: Arrow, side: str) -> str:
    if end is None:
        return _quoted(arrow.node.node)
    return _quoted(end.node) + (f':"{end.role}":{side}' if end.role else "")


def _tooltip(owner: Device | Peer) -> str:
    return f", tooltip={_quoted(printable(owner.description))}" if owner.description else ""


def _quoted(text: str) -> str:
    """A DOT string, in which a backslash begins an escape (of a line break, of the node's own name), & an entity."""
    return '"' + text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
