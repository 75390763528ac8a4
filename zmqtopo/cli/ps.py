"""``zmqtopo ps``: what runs, and how."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import emit, wait
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_format, add_topology, emit_json, guarded, only
from zmqtopo.control.client import connect, find
from zmqtopo.control.errors import AmbiguousError, ControlError, NotRunningError
from zmqtopo.control.folder import names
from zmqtopo.control.places import places
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE
from zmqtopo.report.colour import wants_colour
from zmqtopo.report.stderr import complain

SAMPLE: Final = 0.5
"""Seconds over which rates are measured."""

INTERVAL: Final = 2.0
"""Seconds from one table to the next with ``--watch``."""

_HOME: Final = "\x1b[H\x1b[J"
"""Go to the first line of the terminal and erase all (ECMA-48)."""


@dataclass
class Found:
    """What there is of some topologies; each of them is as ``--format json`` shows it."""

    running: list[dict[str, Any]]
    ended: list[dict[str, Any]]
    failed: bool = False
    """Whether one of them, which runs, has not told."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser, many=True)
    parser.add_argument("-a", "--all", action="store_true", help="all topologies, also what has ended, and how")
    parser.add_argument("-o", dest="output", choices=("wide", "json", "text"),
                        help="wide: every column, however wide the terminal is; json as --format json")
    parser.add_argument("-w", "--watch", metavar="SECONDS", type=duration,
                        help=f"show it again and again, every {INTERVAL:g} s unless SECONDS says otherwise")
    parser.alone |= dict.fromkeys(("-w", "--watch"), f"{INTERVAL:g}")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 when every device runs, 1 when one does not (also when it is paused), 69 when there is no topology."""
    if args.output in ("json", "text"):
        args.format = args.output
    targets = list(dict.fromkeys([*args.named, *args.topologies]))
    return guarded(lambda: _names(targets, args) if args.quiet else _show(targets, args))


def _names(targets: Sequence[str], args: argparse.Namespace) -> int:
    """Print the names alone: of devices where a topology is named, else of the topologies that run."""
    found = _collect(targets, args)
    if targets:
        told = [device["name"] for topology in found.running for device in topology["devices"]]
    else:
        told = [topology["topology"] for topology in (*found.running, *found.ended)]
    emit_json(told) if args.format == "json" else emit("".join(f"{name}\n" for name in told))
    return _code(found)


def _show(targets: list[str], args: argparse.Namespace) -> int:
    """Print what there is, once or again and again until Ctrl-C, and until what was named has ended."""
    if not targets and not args.all:
        try:
            targets = [only()]
        except AmbiguousError:
            pass        # that more than one runs is what the list of all says
        except NotRunningError:
            if args.watch is None:
                raise
    found = _collect(targets, args)
    if targets and not args.all and args.format == "text":
        before, began = found, time.monotonic()
        wait(SAMPLE)
        found = _collect(targets, args)
    else:
        before, began = found, time.monotonic() - SAMPLE
    for number in itertools.count():
        emit(_frame(targets, args, before, found, time.monotonic() - began, first=number == 0))
        if args.watch is None:
            break
        before, began = found, time.monotonic()
        wait(args.watch)
        found = _collect(targets, args)
    return _code(found)


def _frame(
    targets: Sequence[str], args: argparse.Namespace, before: Found, now: Found, seconds: float, *, first: bool
) -> str:
    """What is printed at one moment."""
    if args.format == "json":
        told = _json(now, args)
        return (json.dumps(told) if args.watch is not None else json.dumps(told, indent=2)) + "\n"
    lines = _lines(targets, args, before, now, seconds)
    if args.watch is None:
        return "".join(f"{line}\n" for line in lines)
    if not sys.stdout.isatty():
        return "\n" * (not first) + "".join(f"{line}\n" for line in lines)
    rows = shutil.get_terminal_size().lines - 1
    hidden = len(lines) - rows + 1
    lines = [*lines[: rows - 1], f"... {hidden:,} more lines"] if hidden > 1 else lines
    return _HOME + "\n".join(lines) + "\n"


def _collect(targets: Sequence[str], args: argparse.Namespace) -> Found:
    """Ask some topologies, or all. Raises ControlError where one that was named does not tell."""
    found = Found([], [])
    for name in targets or names():
        try:
            with connect(name) as client:
                found.running.append(client.status())
        except NotRunningError:
            if targets and not args.all:
                raise
        except ControlError as error:
            if targets:
                raise
            complain(str(error))    # it hides none of the others
            found.failed = True
    if args.all:
        from zmqtopo.cli.ended import ended

        chosen = {_name(target) for target in targets}
        found.ended = [one for one in ended({topology["topology"] for topology in found.running})
                       if not targets or one["topology"] in chosen]
    if not (found.running or found.failed) and (targets or args.watch is None):
        said = f"no topology is running; looked in {', '.join(map(str, places()))}"
        if not found.ended:
            raise NotRunningError(said)
        complain(said)
    return found


def _name(target: str) -> str:
    try:
        with find(target) as folder:
            return folder.path.name
    except ControlError:
        return target       # it may be in the record of what has ended


def _json(found: Found, args: argparse.Namespace) -> list[dict[str, Any]]:
    if not args.all:
        return found.running
    return [*(topology | {"ended": None} for topology in found.running), *found.ended]


def _lines(
    targets: Sequence[str], args: argparse.Namespace, before: Found, now: Found, seconds: float
) -> list[str]:
    from zmqtopo.cli.device_table import device_table, overview
    from zmqtopo.cli.table import terminal_width

    room = None if args.output == "wide" else terminal_width()
    colour = wants_colour(sys.stdout)
    if targets and not args.all:
        return device_table(before.running, now.running, seconds, room, colour=colour)
    if now.running or now.ended:
        return overview(now.running, now.ended, room, colour=colour)
    return ["no topology is running"] if args.watch is not None else []


def _code(found: Found) -> int:
    states = {device["state"] for topology in found.running for device in topology["devices"]}
    if not found.running and not found.failed:
        return EXIT_UNAVAILABLE
    return EXIT_FAILURE if found.failed or states - {"running"} else 0
