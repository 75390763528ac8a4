"""What is in a picture, in whatever language it is drawn: everything sorted, and what is wrong in it.

Nothing depends on the machine or on the order of the file, so a drawing can be committed and compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zmqtopo.checks.graph import AddressNode, Graph
from zmqtopo.config.model import Device, Peer, Socket
from zmqtopo.config.problem import Place, Problem, Severity
from zmqtopo.config.security import protection
from zmqtopo.draw.arrows import Arrow, arrows

INKS: Final[dict[Severity, str]] = {"error": "#c62828", "warning": "#b26a00"}
"""Red and amber, the worst first; both can be read as text on white."""

Drawn = Device | Socket | Peer | Arrow


@dataclass(frozen=True, slots=True)
class Note:
    """What there is to say of a device or an arrow beside what the file says: for people, and as values for programs.

    ``severity`` gives it a colour. The values of an arrow are those of its directions: ``forward`` and ``back``.
    """

    lines: tuple[str, ...] = ()
    severity: Severity | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """Devices and peers by name, the addresses that only one side uses, and the arrows between all of them.

    ``found`` holds the errors and warnings by the places they point to. ``beyond`` has, by node, how many connections
    of it are left out on its left and on its right. ``repeats`` are the arrows, by number, that say what one before
    says: from or to the same socket, at the same address, with the same pattern.
    """

    name: str
    devices: tuple[Device, ...]
    peers: tuple[Peer, ...]
    addresses: tuple[AddressNode, ...]
    arrows: tuple[Arrow, ...]
    found: dict[Place, list[Problem]] = field(default_factory=dict)
    description: str = ""
    beyond: dict[str, tuple[int, int]] = field(default_factory=dict)
    repeats: frozenset[int] = frozenset()
    notes: Mapping[str | Arrow, Note] = field(default_factory=dict)
    """By the name of a device, and by arrow."""

    def note(self, of: Device | Arrow) -> Note:
        """What there is to say of it; most pictures have nothing."""
        return self.notes.get(of.name if isinstance(of, Device) else of, Note())

    def faults(self, of: Drawn) -> list[str]:
        """The rules that found something wrong with just this, sorted."""
        return sorted({problem.rule for problem in self._found_at(of)})

    def ink(self, *of: Drawn) -> str:
        """The colour of what is wrong with one of these, red for an error; empty where nothing is."""
        severities = {problem.severity for one in of for problem in self._found_at(one)}
        severities |= {severity for one in of if isinstance(one, (Device, Arrow))
                       and (severity := self.note(one).severity) is not None}
        return next((INKS[severity] for severity in INKS if severity in severities), "")

    def _found_at(self, of: Drawn) -> list[Problem]:
        places = [link.place for link in of.links] if isinstance(of, Arrow) else [of.place, of.type_place]
        if isinstance(of, Socket):
            places += of.option_places.values()
        return [problem for place in places for problem in self.found.get(place, ())]


def picture(graph: Graph, problems: Iterable[Problem] = (), focus: str | None = None) -> Picture:
    """The picture of ``graph``; with ``focus``, of that device and all that is one connection away from it.

    Raises KeyError when ``focus`` is no device.
    """
    topology = graph.topology
    drawn = sorted(arrows(graph), key=_order)
    devices, peers = list(topology.devices.values()), list(topology.peers.values())
    beyond: dict[str, tuple[int, int]] = {}
    if focus is not None:
        node = f"device:{topology.devices[focus].name}"
        near = {node} | {end for arrow in drawn if node in arrow.nodes for end in arrow.nodes}
        beyond = _beyond(drawn, near)
        drawn = [arrow for arrow in drawn if near.issuperset(arrow.nodes)]
        devices = [device for device in devices if f"device:{device.name}" in near]
        peers = [peer for peer in peers if f"peer:{peer.name}" in near]
    alone = {arrow.node.node: arrow.node for arrow in drawn if arrow.is_alone}
    found: dict[Place, list[Problem]] = {}
    for problem in problems:
        if problem.severity in INKS:
            for place in (problem.place, problem.other):
                if place is not None:
                    found.setdefault(place, []).append(problem)
    return Picture(
        topology.name, tuple(sorted(devices, key=_name)), tuple(sorted(peers, key=_name)),
        tuple(alone[node] for node in sorted(alone)), tuple(drawn), found, topology.description, beyond,
        _repeats(drawn),
    )


def _beyond(drawn: Iterable[Arrow], near: Collection[str]) -> dict[str, tuple[int, int]]:
    """For each node that is drawn and has connections that are not: how many, on its left and on its right."""
    found: dict[str, tuple[int, int]] = {}
    for arrow in drawn:
        left, right = arrow.nodes
        if (left in near) != (right in near):
            node = left if left in near else right
            before, behind = found.get(node, (0, 0))
            found[node] = (before + (node == right), behind + (node == left))
    return dict(sorted(found.items()))


def _repeats(drawn: Iterable[Arrow]) -> frozenset[int]:
    said: set[tuple[object, ...]] = set()
    repeats = set()
    for number, arrow in enumerate(drawn):
        if arrow.is_alone or arrow.binder is None:
            continue
        end = arrow.left if arrow.binder == "left" else arrow.right
        says = (arrow.node.node, end and end.name, arrow.binder, arrow.pattern, arrow.heads)
        repeats |= {number} if says in said else set()
        said.add(says)
    return frozenset(repeats)


def frames(owner: Device | Peer) -> tuple[str, ...]:
    """The titles of the frames around it, the outermost first: of its process group, of its drawing group."""
    process = f"process {owner.run.group}" if isinstance(owner, Device) and owner.run.group else ""
    return tuple(title for title in (process, owner.graph.get("group", "")) if title)


def type_of(socket: Socket) -> str:
    """The type of a socket, with what keeps others out of it."""
    word = protection(socket)
    return f"{socket.type} · {word}" if word else socket.type


def kind(device: Device) -> str:
    """The type of a device in words, and that it is a process when no frame tells."""
    return device.type.replace("_", " ") + (", own process" if device.run.text == "process" else "")


def colour(owner: Device | Peer) -> str:
    """The colour of its outline, a name or #rrggbb; empty where none is written, or in error something else."""
    written = owner.graph.get("color", "")
    return written if re.fullmatch(r"#?[0-9A-Za-z]+", written) else ""


def printable(text: str) -> str:
    """``text`` on one line, less what no drawing can hold: XML has no characters for most of the controls."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def _name(owner: Device | Peer) -> str:
    return owner.name


def _order(arrow: Arrow) -> tuple[str, ...]:
    roles = (end.role or "" if end else "" for end in (arrow.left, arrow.right))
    return (*arrow.nodes, *roles, arrow.node.node, *(f"{link.side} {link.text}" for link in arrow.links))
