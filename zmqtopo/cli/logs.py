"""``zmqtopo logs``: what topologies have said since they were started."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from zmqtopo.cli.moments import moment
from zmqtopo.cli.output import emit, note, wait
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_topology, guarded, only
from zmqtopo.config.wording import closest, quote
from zmqtopo.control.client import Client, find, the_one
from zmqtopo.control.errors import ControlError, NotRunningError
from zmqtopo.control.folder import Folder
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.colour import wants_colour
from zmqtopo.report.figures import one_line
from zmqtopo.report.priority import PRIORITIES
from zmqtopo.report.stderr import complain
from zmqtopo.service.log.file import entry, follow, lines_of_last_run

POLL_INTERVAL: Final = 0.1
"""Seconds between two looks of who follows a log."""

_MOMENTS: Final = ("5m", "1h", "today", "yesterday")
"""What completion offers for a moment."""

_STYLES: Final = {"warning": "33", "error": "1;31"}
"""SGR parameters by level."""


@dataclass
class Source:
    """A topology whose log is read."""

    folder: Folder
    client: Client | None
    """The topology, if it runs."""
    devices: list[str] = field(default_factory=list)
    """Those that are wanted; empty for all, and for what is said of the topology."""

    @property
    def name(self) -> str:
        """The name of the topology."""
        return self.folder.path.name


@dataclass(frozen=True)
class Entry:
    """A line of a log."""

    told: dict[str, Any]
    """As ``--format json`` has it."""
    line: str
    """As it is where it is not the topology's own, else empty."""
    time: datetime | None
    """When it was said; of a line of somebody else's, when the one before it was."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser, named=False)
    parser.add_argument("devices", metavar="DEVICE", nargs="*", default=[],
                        help="only lines about these devices; another topology, with devices of its own, may follow")
    parser.add_argument("-n", "--tail", metavar="N", type=_count, help="only the last so many lines (default: all)")
    parser.add_argument("--since", metavar="TIME", type=moment, offers=_MOMENTS,
                        help="only what was said since: 5m for minutes ago, 12:30, or 2026-11-29T12:30:00Z")
    parser.add_argument("--until", metavar="TIME", type=moment, offers=_MOMENTS,
                        help="only what was said before, as --since")
    parser.add_argument("--level", choices=tuple(PRIORITIES), default="info", help="only of this level or worse")
    parser.add_argument(
        "--previous", action="store_true", help="of the run before, if that did not end as it was told to"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="follow the log until the topology ends")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object per line")


def run(args: argparse.Namespace) -> int:
    """Return 0; 2 for an unknown device; 69 when it does not run, though what it said in the end may still be there."""
    return guarded(lambda: _print(args))


def _print(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as opened:
        found = _sources(args, opened)
        if isinstance(found, int):
            return found
        if args.previous:
            return max([_print_previous(source, args, several=len(found) > 1) for source in found])
        _follow(found, args)
        gone = [source.name for source in found if source.client is None]
        for name in gone:
            complain(f"{name} is not running")
        return EXIT_UNAVAILABLE if gone else 0


# -- whose log -------------------------------------------------------------------------------------------------------


def _sources(args: argparse.Namespace, opened: contextlib.ExitStack) -> list[Source] | int:
    """The topologies and devices that are meant, or an exit code. Raises ControlError."""
    words = [*([args.topology] if args.topology is not None else []), *args.devices]
    first = _is_first(words[0]) if words else False
    found = [_open(words.pop(0) if first else only(), opened)]
    for word in words:
        source = found[-1]
        names = [device["name"] for device in source.client.devices()] if source.client is not None else None
        if names is not None and word in names:
            source.devices.append(word)
            continue
        try:
            found.append(_open(word, opened))
        except NotRunningError:
            if names is None:       # nobody can be asked which it had
                source.devices.append(word)
                continue
            near = closest(word, names)
            complain(f"there is no device {quote(word)}" + (f"; did you mean {near}?" if near else ""))
            return EXIT_USAGE
    return found


def _is_first(word: str) -> bool:
    """Whether a word is a topology, and not a device of the one that is meant where none is named."""
    try:
        find(word).close()
    except NotRunningError:
        with contextlib.suppress(ControlError):
            name, why = the_one()
            with find(name) as folder, Client(folder) as client:
                if word in [device["name"] for device in client.devices()]:
                    note(f"{name} ({why})")
                    return False
    return True


def _open(target: str, opened: contextlib.ExitStack) -> Source:
    folder = opened.enter_context(find(target))
    try:
        client: Client | None = opened.enter_context(Client(folder))
    except NotRunningError:
        client = None
    return Source(folder, client)


# -- what it says ----------------------------------------------------------------------------------------------------


def _print_previous(source: Source, args: argparse.Namespace, *, several: bool) -> int:
    said = lines_of_last_run(source.folder, is_running=source.client is not None)
    first = next(said, None)
    if first is None:
        complain(f"no log is left of a run of {source.name} before this one: one that ends as it is told to "
                 "leaves none")
        return EXIT_FAILURE
    _emit(_last(_wanted(source, itertools.chain([first], said), args), args.tail), args, several=several)
    return 0


def _follow(sources: list[Source], args: argparse.Namespace) -> None:
    """Print what is there, and what comes if that is wanted; of several topologies in the order of time."""
    several = len(sources) > 1
    reading = [(source, follow(source.folder, _ended(source, args))) for source in sources]
    left: int | None = args.tail
    while reading:
        told: list[Entry] = []
        for source, lines in reading[:]:
            new: list[str] = []
            for line in lines:
                if line is None:
                    break
                new.append(line)
            else:
                reading.remove((source, lines))
            told += _wanted(source, new, args)
        if several:
            told.sort(key=lambda said: said.time.timestamp() if said.time is not None else 0.0)
        _emit(_last(told, left), args, several=several)
        left = None
        if reading:
            wait(POLL_INTERVAL)


def _ended(source: Source, args: argparse.Namespace) -> Callable[[], bool]:
    client = source.client
    if client is None or not args.follow:
        return lambda: True
    return lambda: client.has_ended(0.001)


def _wanted(source: Source, said: Iterable[str], args: argparse.Namespace) -> Iterator[Entry]:
    time: datetime | None = None
    least = PRIORITIES[args.level]
    for line in said:
        one = _entry(source, line, time)
        time = one.time
        if source.devices and one.told.get("device") not in source.devices:
            continue
        if PRIORITIES.get(str(one.told["level"]), 0) > least:
            continue
        if (args.since and (time is None or time < args.since)) or (args.until and time and time >= args.until):
            continue
        yield one


def _entry(source: Source, line: str, before: datetime | None) -> Entry:
    told = entry(line)
    if told is None:
        text = line.rstrip("\n")
        return Entry({"topology": source.name, "level": "warning", "event": "output", "message": text}, text, before)
    time = before
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(str(told.get("time", "")))
    # What an earlier release has written may have neither.
    others = {"level": "info", "event": "state" if "state" in told else "message"}
    return Entry({**told, **{key: word for key, word in others.items() if key not in told}}, "", time)


def _last(told: Iterable[Entry], number: int | None) -> list[Entry]:
    found = list(told)
    return found if number is None else found[len(found) - number:] if number < len(found) else found


def _emit(told: Iterable[Entry], args: argparse.Namespace, *, several: bool) -> None:
    if args.format == "json":       # a line of somebody else's may have anything in its strings
        shown = [json.dumps(one.told) for one in told]
    else:
        colour = wants_colour(sys.stdout)
        shown = [_text(one, colour=colour, several=several) for one in told]
    if shown:
        emit("".join(f"{line}\n" for line in shown))


def _text(one: Entry, *, colour: bool, several: bool) -> str:
    told = one.told
    who = f"{told['topology']}: " if several and told.get("topology") and (told.get("device") or one.line) else ""
    if one.line:
        text = one_line(f"{who}{one.line}")
    else:
        text = one_line(f"{told.get('time', '')} {who}{told.get('device') or told.get('topology', '')}: "
                        f"{told['message']}")
    style = _STYLES.get(str(told["level"]), "") if not one.line else ""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and style else text


def _count(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text[:18])
