"""The JSON of FairMQ (``--mq-config``): a tree to programs with channels.

It names the channels of programs, and not what the programs are. The facts are those of fairmq/JSONParser.cxx,
Channel.cxx and Device.cxx of FairMQ 1.9. Until 2016 the lists were single objects under repeated names: ``device``,
``channel``, ``socket``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from zmqtopo.config.wording import quote
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Note

ROOT: Final = "fairMQOptions"

_SETTINGS: Final = frozenset({
    "type", "method", "address", "transport", "sndBufSize", "rcvBufSize", "sndKernelSize", "rcvKernelSize",
    "sndTimeoutMs", "rcvTimeoutMs", "linger", "rateLogging", "portRangeMin", "portRangeMax", "autoBind",
})
_CHANNEL: Final = _SETTINGS | {"name", "numSockets", "sockets", "socket"}
_MODIFIERS: Final = {"@": "bind", "+": "connect", ">": "connect"}
_METHODS: Final = ("bind", "connect")
_SEPARATORS: Final = str.maketrans(";", ",")
"""Device.cxx splits addresses at commas; the check in Channel.cxx splits them at semicolons, as old versions did."""


@dataclass(frozen=True, slots=True)
class FairSocket:
    """One socket of a channel, FairMQ's sub-channel; ``settings`` has what the channel says for all of them too."""

    name: str
    line: int
    settings: Mapping[str, Item]
    bind: Sequence[Item]
    connect: Sequence[Item]

    def text(self, setting: str) -> str:
        """The value of a setting in lower case; empty when it is not set, as FairMQ's own word for that."""
        item = self.settings.get(setting)
        text = item.value().lower() if item else ""
        return "" if text == "unspecified" else text


@dataclass(frozen=True, slots=True)
class Program:
    """What FairMQ calls a device: the channels of every program that is started with this id or key."""

    name: str
    line: int
    channels: Mapping[str, Sequence[FairSocket]]
    notes: Sequence[Note]


@dataclass(slots=True)
class _Reading:
    """A program while it is read; an entry that comes later under the same name adds channels to it."""

    name: str
    line: int
    channels: dict[str, list[FairSocket]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def note(self, text: str, line: int) -> None:
        self.notes.append(Note(line, text))


def read(root: Item) -> tuple[Sequence[Program], Sequence[Note]]:
    """Return the programs, and what FairMQ does not read of the file; raises ConvertError."""
    options = root.one(ROOT)
    assert options is not None  # the caller has looked
    options.no_value(quote(ROOT))
    notes = [_unknown(item, "the file") for item in root.items if item is not options]
    notes += [_unknown(item, quote(ROOT)) for item in options.items if item.name not in ("devices", "device")]
    programs: dict[str, _Reading] = {}
    for item in _each(options, "devices", "device"):
        item.no_value("a device")
        selector = item.one("key") or item.one("id")
        if selector is None:
            raise ConvertError("a device has neither 'id' nor 'key'", item.line)
        name = selector.value()
        _read_program(programs.setdefault(name, _Reading(name, item.line)), item)
    return [Program(each.name, each.line, each.channels, each.notes) for each in programs.values()], notes


def _each(item: Item, *names: str) -> list[Item]:
    return [each for each in item.items if each.name in names]


def _unknown(item: Item, where: str) -> Note:
    return Note(item.line, f"{quote(item.name)} of {where} is left out: FairMQ does not read it either")


def _read_program(program: _Reading, item: Item) -> None:
    known = ("id", "key", "channels", "channel")
    program.notes += [_unknown(each, quote(program.name)) for each in item.items if each.name not in known]
    for channel in _each(item, "channels", "channel"):
        channel.no_value("a channel")
        named = channel.one("name")
        if named is None:
            raise ConvertError(f"a channel of {quote(program.name)} has no name", channel.line)
        name = named.value()
        if name in program.channels:
            program.note(f"the channel {quote(name)} of {quote(program.name)} is here for the second time, and FairMQ "
                         "takes the first", channel.line)
            continue
        program.channels[name] = _read_channel(program, name, channel)


def _read_channel(program: _Reading, name: str, channel: Item) -> list[FairSocket]:
    where = f"the channel {quote(name)}"
    program.notes += [_unknown(each, where) for each in channel.items if each.name not in _CHANNEL]
    common = _settings(program, where, channel)
    sockets = _each(channel, "sockets", "socket")
    count = channel.one("numSockets")
    number = count.integer() if count else 0
    if count and number:
        if sockets:
            program.note(f"the sockets of {where} are left out: FairMQ does not read them beside numSockets",
                         sockets[0].line)
        if number > 1:
            others = (", and FairMQ binds the others to ports of its own choice" if "bind" in _settled(common) else
                      "")
            program.note(f"{where} of {quote(program.name)} has {number} sockets with these settings (numSockets); "
                         f"one of them stands here{others}", count.line)
        sockets = []
    if not sockets:
        return [_socket(program, name, channel.line, common)]
    read = []
    for index, item in enumerate(sockets):
        item.no_value(f"a socket of {where}")
        program.notes += [_unknown(each, f"a socket of {where}") for each in item.items if each.name not in _SETTINGS]
        shown = name if len(sockets) == 1 else f"{name}[{index}]"
        read.append(_socket(program, shown, item.line, {**common, **_settings(program, where, item)}))
    return read


def _settings(program: _Reading, where: str, item: Item) -> dict[str, Item]:
    """The settings that stand in ``item``: of several values of one FairMQ takes the first."""
    found: dict[str, Item] = {}
    for each in item.items:
        if each.name in found:
            program.note(f"{quote(each.value())} of {where} is left out: FairMQ reads one {each.name} here, the first",
                         each.line)
        elif each.name in _SETTINGS:
            found[each.name] = each
    return found


def _settled(settings: Mapping[str, Item]) -> str:
    return settings["method"].value() if "method" in settings else ""


def _socket(program: _Reading, name: str, line: int, settings: Mapping[str, Item]) -> FairSocket:
    found: dict[str, list[Item]] = {"bind": [], "connect": []}
    address = settings.get("address")
    method = _settled(settings)
    texts = address.value().translate(_SEPARATORS).split(",") if address else []
    for text in (each.strip() for each in texts):
        if text in ("", "unspecified"):
            continue
        assert address is not None  # it has texts
        side, bare = (_MODIFIERS[text[0]], text[1:]) if text[0] in _MODIFIERS else (method, text)
        if side not in _METHODS:
            program.note(f"{quote(text)} of the channel {quote(name)} of {quote(program.name)} is left out: its method "
                         "is neither bind nor connect, and FairMQ refuses that", address.line)
            continue
        found[side].append(Item("address", address.line, bare))
    return FairSocket(name, line, settings, found["bind"], found["connect"])
