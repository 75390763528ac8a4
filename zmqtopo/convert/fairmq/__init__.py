"""FairMQ's programs to a topology file: its own are devices, all others are peers, and the rest is said in comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from zmqtopo.checks import examine_text
from zmqtopo.checks.sockets import MON_CAN_BLOCK, receives, sends
from zmqtopo.config.endpoint import TRANSPORTS
from zmqtopo.config.model import DEFAULT_TYPES
from zmqtopo.config.names import to_name
from zmqtopo.config.wording import quote
from zmqtopo.convert.fairmq.devices import Plan, UnfitError, kind_of, plan, type_of
from zmqtopo.convert.fairmq.programs import ROOT, FairSocket, Program, read
from zmqtopo.convert.legacy.device import socket_type, write_addresses
from zmqtopo.convert.tree import Item
from zmqtopo.convert.yaml_writer import Note, Page, scalar

_IS_FAIRMQ: Final = (
    "this is a configuration of FairMQ, which names the channels of programs and not the programs: those whose id or "
    "key has the word proxy, multiplier, merger or splitter are taken for FairMQ's own and became devices; all others "
    "are peers, which zmqtopo checks and draws and does not run"
)
_RATES: Final = "rateLogging is left out: zmqtopo ps tells the rates of devices"
_PEERS_OWN: Final = "what else is set for the sockets of peers is left out: it is the programs' own matter"
_DEFAULT_HWM: Final = 1000
"""Messages: the default of FairMQ and of libzmq alike."""

_ADDRESSING: Final = ("name", "type", "method", "address", "rateLogging")


@dataclass(slots=True)
class _Entry:
    """A device or a peer as it is written, or why it is not."""

    section: Literal["devices", "peers"]
    name: str
    line: int
    page: Page
    unusable: str = ""


def translate(root: Item) -> Page:
    """Return the topology file; raises ConvertError for what is not FairMQ's format.

    A device or peer that cannot run beside the others is a comment: the programs of one file need not run together.
    """
    programs, notes = read(root)
    entries = list(_entries(programs))
    head = _head(root, programs, notes)
    while True:
        page, owners = _assemble(head, entries)
        guilty = {}
        for problem in examine_text(page.text, environ={}).problems:
            if problem.severity == "error":
                entry = _guilty(owners, [problem.place.line, *([problem.other.line] if problem.other else [])])
                if entry is not None and not entry.unusable:
                    guilty[id(entry)] = entry, problem.message
        if not guilty:
            return page
        for entry, message in guilty.values():
            entry.unusable = message


def _guilty(owners: Sequence[_Entry | None], lines: Sequence[int]) -> _Entry | None:
    """The one to leave out: a peer before a device, which is to run."""
    found = [entry for line in lines if (entry := owners[line - 1]) is not None]
    return next((entry for entry in found if entry.section == "peers"), found[0] if found else None)


def _head(root: Item, programs: Sequence[Program], notes: Sequence[Note]) -> Page:
    page = Page()
    page.write(0, "version: 1", 1)
    options = root.one(ROOT)
    page.note(0, _IS_FAIRMQ, options.line if options else 1)
    for note in notes:
        page.note(0, note.text, note.line)
    sockets = [socket for program in programs for each in program.channels.values() for socket in each]
    rates = next((s.settings["rateLogging"] for s in sockets if s.text("rateLogging") not in ("", "0")), None)
    if rates is not None:
        page.note(0, _RATES, rates.line)
    return page


def _assemble(head: Page, entries: Sequence[_Entry]) -> tuple[Page, list[_Entry | None]]:
    """The whole file, and for each of its lines whose it is."""
    page = Page()
    page.append(head)
    owners: list[_Entry | None] = [None] * len(page.origins)
    for section in ("devices", "peers"):
        written = [entry for entry in entries if entry.section == section]
        empty = all(entry.unusable or entry.page.is_bare for entry in written)
        if section == "devices" or not empty:
            page.write(0, f"{section}:{' {}' if empty else ''}", 1)
            owners.append(None)
        for entry in written:
            if entry.unusable:
                page.note(1, f"{quote(entry.name)} is left out: {entry.unusable}", entry.line)
            else:
                page.append(entry.page)
            owners += [entry] * (len(page.origins) - len(owners))
    return page, owners


def _entries(programs: Iterable[Program]) -> Iterable[_Entry]:
    taken: set[str] = set()
    said_own = False
    for program in programs:
        page = Page()
        for note in program.notes:
            page.note(1, note.text, note.line)
        device = _device(page, program)
        if device is not None:
            name = _free(program.name, taken)
            _write_device(page, program, device, name)
            yield _Entry("devices", name, program.line, page)
            continue
        if page.origins:
            yield _Entry("peers", program.name, program.line, page)
        sockets = [socket for each in program.channels.values() for socket in each]
        for socket in sockets:
            page = Page()
            if not said_own and set(socket.settings) - set(_ADDRESSING):
                said_own = True
                page.note(1, _PEERS_OWN, socket.line)
            wanted = program.name if len(sockets) == 1 else f"{program.name}-{socket.name}"
            name = _free(wanted.replace("[", "-").replace("]", ""), taken)
            _write_peer(page, program, socket, name, taken)
            yield _Entry("peers", name, socket.line, page)


def _device(page: Page, program: Program) -> Plan | None:
    """The device that a program becomes; None, with a note for one that seemed to be one, when it becomes none."""
    kind = kind_of(program.name)
    if kind is None:
        return None
    try:
        return plan(program, kind)
    except UnfitError as error:
        page.note(1, f"{quote(program.name)} seems to be a {kind}, and is not run here: {error}; its sockets are peers",
                  program.line)
        return None


def _free(wanted: str, taken: set[str]) -> str:
    """A name that no other has; one that began with x- would be passed over."""
    name = to_name(wanted)
    name = f"x_{name[2:]}" if name.startswith("x-") else name
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _write_peer(page: Page, program: Program, socket: FairSocket, name: str, taken: set[str]) -> None:
    of = f"the socket {quote(socket.name)} of {quote(program.name)}"
    transport = socket.text("transport")
    why = ""
    if transport not in ("", "default", "zeromq", "shmem"):
        why = f"its transport is {transport}, which is not ZeroMQ"
    elif not type_of(socket):
        why = "it has no type"
    bind, connect = ([item for item in items if _is_known(page, of, item)] for items in (socket.bind, socket.connect))
    if not why and not (bind or connect):
        why = "it has no address" + ("" if socket.text("address") else "; FairMQ's deployment gives it one at start")
    if why:
        page.note(1, f"{of} is left out: {why}", socket.line)
        taken.discard(name)
        return
    page.write(1, f"{scalar(name)}:", socket.line)
    page.write(2, f"type: {socket_type(page, 2, socket.settings['type'])}", socket.settings["type"].line)
    write_addresses(page, 2, bind, connect)


def _is_known(page: Page, of: str, item: Item) -> bool:
    """Whether another process could be there; a note says why not."""
    transport = item.value().partition("://")[0]
    if transport == "inproc":
        why = "a peer is another process, which inproc does not reach"
    elif transport not in TRANSPORTS:
        why = f"{transport} is not a transport of ZeroMQ"
    else:
        return True
    page.note(1, f"{quote(item.value())[1:-1]} of {of} is left out: {why}", item.line)
    return False


def _write_device(page: Page, program: Program, device: Plan, name: str) -> None:
    if name != program.name:
        page.note(1, f"{quote(program.name)} is called {name} here", program.line)
    for note in device.notes:
        page.note(1, note.text, note.line)
    page.write(1, f"{scalar(name)}:", program.line)
    page.write(2, f"type: {device.type}", program.line)
    default = tuple(device.types[role] for role in ("in", "out")) == DEFAULT_TYPES[device.type]
    for role, socket in device.sockets.items():
        body, kind_here = Page(), device.types[role]
        item = socket.settings["type"]
        written = socket_type(body, 3, item)
        if role == "mon" or not default:
            body.write(3, f"type: {written}", item.line)
        write_addresses(body, 3, socket.bind, socket.connect)
        if role == "mon":
            body.write(3, "prefix: null", socket.line)
            if kind_here in MON_CAN_BLOCK:
                body.write(3, "overflow: block  # zmqtopo: ignore[mon-blocks]", socket.line)
        _write_options(body, 3, socket, kind_here)
        page.block(2, f"{role}:", body, socket.line)


def _write_options(page: Page, depth: int, socket: FairSocket, kind: str) -> None:
    inner, settings = Page(), socket.settings
    marks = {name: settings[setting] for name, setting, used in (
        ("sndhwm", "sndBufSize", sends(kind)), ("rcvhwm", "rcvBufSize", receives(kind)),
    ) if used and setting in settings}
    if len(marks) == 2 and len({item.integer() for item in marks.values()}) == 1:
        marks = {"hwm": marks["sndhwm"]}
    for name, item in marks.items():
        if item.integer() != _DEFAULT_HWM:
            unlimited = "  # zmqtopo: ignore[unlimited-hwm]" if item.integer() == 0 else ""
            inner.write(depth + 1, f"{name}: {item.integer()}{unlimited}", item.line)
    for name, setting in (("sndbuf", "sndKernelSize"), ("rcvbuf", "rcvKernelSize")):
        size = settings.get(setting)
        if size is not None and size.integer():     # 0 leaves it to the system
            inner.write(depth + 1, f"{name}: {size.integer()}", size.line)
    linger = settings.get("linger")
    if linger is not None and sends(kind):
        number = -1 if linger.value() == "-1" else linger.integer()
        inner.write(depth + 1, f"linger: {number}", linger.line)
    for setting in ("sndTimeoutMs", "rcvTimeoutMs"):
        wait = settings.get(setting)
        if wait is not None and wait.value() != "-1":
            inner.note(depth + 1, f"{setting}: {quote(wait.value())[1:-1]} is left out: a device waits as long as it "
                       "takes, and what it cannot pass on holds up no other direction", wait.line)
    auto = settings.get("autoBind")
    if socket.bind and auto is not None and auto.truth():
        inner.note(depth + 1, "autoBind is left out: where the port is taken, FairMQ binds another one, and here that "
                   "is an error", auto.line)
    page.block(depth, "options:", inner, socket.line)
