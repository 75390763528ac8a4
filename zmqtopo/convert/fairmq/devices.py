"""What FairMQ's own programs are as devices of ours, and why one cannot be.

The facts are those of fairmq/devices/*.h: each receives from one channel and sends to another, one way, and waits for
whoever is full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zmqtopo.checks.sockets import DEVICE_PAIRS, MON_CAN_BLOCK, MON_NEVER_BLOCKS, receives, sends
from zmqtopo.config.endpoint import TRANSPORTS
from zmqtopo.config.model import DeviceType
from zmqtopo.config.wording import listing, quote
from zmqtopo.convert.fairmq.programs import FairSocket, Program
from zmqtopo.convert.tree import Item
from zmqtopo.convert.yaml_writer import Note

_KINDS: Final = ("proxy", "multiplier", "merger", "splitter")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SIDES: Final = {"in": "in", "input": "in", "out": "out", "output": "out"}
_NAMED: Final[Sequence[DeviceType]] = ("streamer", "forwarder", "queue", "proxy")
_COPIES_TO_ALL: Final = frozenset({"PUB", "XPUB"})
_FAIR: Final = frozenset({"PULL", "SUB"})
"""Types of which one socket with several addresses receives what several sockets with one each would."""


class UnfitError(Exception):
    """One of FairMQ's programs that no device can be; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A device: its type, and the sockets by role, each made of one or more of FairMQ's."""

    type: DeviceType
    sockets: Mapping[str, FairSocket]
    types: Mapping[str, str]
    notes: Sequence[Note]


def kind_of(name: str) -> str | None:
    """Which of FairMQ's programs an id or a key names, as ``proxy1`` and ``FairMQProxy`` do; None for another."""
    words = [word.lower() for word in _WORD.findall(name)]
    found = [kind for kind in _KINDS if kind in words]
    return found[0] if len(found) == 1 else None


def plan(program: Program, kind: str) -> Plan:
    """Return the device that does what ``program`` does, which is of this kind; raises UnfitError."""
    notes: list[Note] = []
    source, targets = _channels(program, kind)
    inputs, outputs = program.channels[source], [socket for name in targets for socket in program.channels[name]]
    for socket in (*inputs, *outputs):
        _check(socket)
    if kind != "merger":
        inputs = _first(inputs, source, notes)
    if kind in ("proxy", "merger"):
        outputs = _first(outputs, targets[0], notes)
    in_ = _merged(inputs, _FAIR, f"{kind} takes from", notes)
    if kind == "splitter":
        if len(outputs) > 1:
            notes.append(Note(outputs[0].line, "the sockets of the splitter are one here, which sends to each of its "
                              "peers in turn and passes over one that is full; FairMQ's waits for it"))
        ends = [_merged(outputs, frozenset({"PUSH"}), "splitter sends to", notes)]
    else:
        ends = _copies(outputs, notes)
    return _joined(in_, ends, notes)


def type_of(socket: FairSocket) -> str:
    """The socket's type as ours are called; empty when it has none."""
    return socket.text("type").upper()


def _channels(program: Program, kind: str) -> tuple[str, list[str]]:
    """The channel that it receives from, and those that it sends to: as they are called, else by their types."""
    sides: dict[str, list[str]] = {"in": [], "out": []}
    for name, sockets in program.channels.items():
        words = {_SIDES[word.lower()] for word in _WORD.findall(name) if word.lower() in _SIDES}
        types = {type_of(socket) for socket in sockets}
        if len(words) == 1:
            sides[words.pop()].append(name)
        elif all(sends(each) and not receives(each) for each in types):
            sides["out"].append(name)
        elif all(receives(each) and not sends(each) for each in types):
            sides["in"].append(name)
        else:
            raise UnfitError(f"whether it receives from {quote(name)} or sends to it is said on its command line only")
    many = kind == "multiplier"
    if len(sides["in"]) != 1 or not sides["out"] or (len(sides["out"]) > 1 and not many):
        raise UnfitError(f"a {kind} has one channel to receive from and {'some' if many else 'one'} to send to, and "
                         f"this one has {len(sides['in'])} and {len(sides['out'])}")
    return sides["in"][0], sides["out"]


def _check(socket: FairSocket) -> None:
    transport = socket.text("transport")
    if transport not in ("", "default", "zeromq"):
        raise UnfitError(f"{quote(socket.name)} has the transport {transport}, of which only FairMQ's programs know "
                         "where the bytes are")
    for item in (*socket.bind, *socket.connect):
        scheme = item.value().partition("://")[0]
        if scheme not in TRANSPORTS:
            raise UnfitError(f"{scheme} of {quote(socket.name)} is not a transport of ZeroMQ")
    if not type_of(socket):
        raise UnfitError(f"{quote(socket.name)} has no type")
    if not (socket.bind or socket.connect):
        raise UnfitError(f"{quote(socket.name)} has no address" + (
            "" if socket.text("address") else "; FairMQ's deployment gives it one at start"))


def _first(sockets: Sequence[FairSocket], channel: str, notes: list[Note]) -> list[FairSocket]:
    if len(sockets) > 1:
        notes.append(Note(sockets[1].line, f"of the {len(sockets)} sockets of {quote(channel)} FairMQ's program uses "
                          "the first alone; the others are left out"))
    return [sockets[0]]


def _merged(sockets: Sequence[FairSocket], mergeable: frozenset[str], does: str, notes: list[Note]) -> FairSocket:
    """One socket with the addresses of all; raises UnfitError where that would not do the same."""
    first = sockets[0]
    if len(sockets) == 1:
        return first
    types = {type_of(socket) for socket in sockets}
    if len(types) > 1 or not types <= mergeable:
        raise UnfitError(f"the {does} {len(sockets)} sockets of type {listing(sorted(types), 'and')}, and a device "
                         "has one there")
    for socket in sockets[1:]:
        if any(_value(socket, name) != _value(first, name) for name in {*socket.settings, *first.settings} -
               {"address", "method", "rateLogging"}):
            notes.append(Note(socket.line, f"{quote(socket.name)} has other settings than {quote(first.name)}, whose "
                              "settings the one socket has that stands for both"))
    return FairSocket(first.name, first.line, first.settings, [item for each in sockets for item in each.bind],
                      [item for each in sockets for item in each.connect])


def _value(socket: FairSocket, setting: str) -> str | None:
    item: Item | None = socket.settings.get(setting)
    return item.value() if item else None


def _copies(outputs: Sequence[FairSocket], notes: list[Note]) -> list[FairSocket]:
    """The sockets that get a copy each, publishers of one type being one; raises UnfitError for more than two."""
    publishers = [socket for socket in outputs if type_of(socket) in _COPIES_TO_ALL]
    if len({type_of(socket) for socket in publishers}) != 1:
        publishers = []
    ends = [socket for socket in outputs if socket not in publishers]
    if publishers:
        ends.append(_merged(publishers, _COPIES_TO_ALL, "multiplier sends to", notes))
    if len(ends) > 2:
        raise UnfitError(f"it copies to {len(ends)} sockets, and a device to two at the most: out and mon")
    return ends


def _joined(in_: FairSocket, ends: Sequence[FairSocket], notes: list[Note]) -> Plan:
    pair = type_of(in_), type_of(ends[0])
    if not receives(pair[0]) or not sends(pair[1]):
        raise UnfitError(f"it would receive from {pair[0]} and send to {pair[1]}")
    kind = next((name for name in _NAMED if pair in DEVICE_PAIRS[name]), None)
    if kind is None:
        raise UnfitError(f"no device joins {pair[0]} and {pair[1]}")
    back = pair[0] == "XSUB" or (sends(pair[0]) and receives(pair[1]))
    sockets, types = {"in": in_, "out": ends[0]}, {"in": pair[0], "out": pair[1]}
    if len(ends) > 1:
        mon = type_of(ends[1])
        if back or mon not in MON_NEVER_BLOCKS | MON_CAN_BLOCK:
            raise UnfitError(f"a device that joins {pair[0]} and {pair[1]} has no copy of in alone for {mon}")
        kind, sockets["mon"], types["mon"] = "proxy", ends[1], mon
    elif back:
        notes.append(Note(in_.line, "FairMQ's program passes messages from in to out only; this device passes on what "
                          "comes from out too"))
    return Plan(kind, sockets, types, notes)
