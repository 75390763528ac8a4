"""``zmqtopo top``: what passes each device, on a screen that changes every second or as lines."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import emit, note, wait
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import FORMATS, add_topology, guarded
from zmqtopo.control.client import connect
from zmqtopo.control.places import places
from zmqtopo.exit_codes import EXIT_UNAVAILABLE
from zmqtopo.observe.extras import MissingExtraError, require
from zmqtopo.observe.top.columns import BY_NAME, Order, by_name
from zmqtopo.observe.top.looks import Watch
from zmqtopo.report.stderr import complain

SHORTEST: Final = 0.1
"""Seconds between two looks: the processor time of a thread is known in steps of 10 ms."""

LONGEST: Final = 3600.0


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser, optional=True)
    parser.add_argument("--interval", metavar="TIME", type=_interval, default=1.0,
                        help="time between two looks, such as 500ms or 5s (default: 1s)")
    parser.add_argument("--sort", metavar="COLUMN", type=by_name, choices=tuple(BY_NAME),
                        help=f"sort by a column: {', '.join(BY_NAME)} (default: the order of the file)")
    parser.add_argument("--reverse", action="store_true", help="sort the other way round")
    parser.add_argument("--filter", metavar="TEXT", default="",
                        help="only devices with this in their name, type or state; of several words, with each")
    times = parser.one_of()
    times.add_argument("--once", action="store_true", help="print one table, of the first interval, and end")
    times.add_argument("--count", metavar="N", type=_count, help="print N tables and end")
    parser.add_argument("--plain", action="store_true", help="print a table every interval, as without a terminal")
    parser.add_argument("--format", choices=FORMATS, default="text",
                        help="json: an object per line for each device (default: text)")


def run(args: argparse.Namespace) -> int:
    """Return 0; 69 when nothing runs, or no longer, and for the screen without the extra that draws it."""
    order = Order(BY_NAME[args.sort] if args.sort else None, args.reverse, args.filter)
    is_plain = args.plain or args.once or args.count is not None or args.format == "json" or not _has_screen()
    return guarded(lambda: _plain(args, order) if is_plain else _screen(args, order))


def _plain(args: argparse.Namespace, order: Order) -> int:
    from zmqtopo.observe.top.plain import Output, run

    watch = _watch(args.topology)
    try:
        goes_on = run(
            watch, Output(emit, note, wait), order, interval=args.interval, count=1 if args.once else args.count,
            as_json=args.format == "json", width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None,
            several=args.topology is None,
        )
    finally:
        watch.close()
    if goes_on:
        return 0
    return _nothing(args.topology)


def _screen(args: argparse.Namespace, order: Order) -> int:
    try:
        require("top", "textual", "the screen of top")
    except MissingExtraError as error:
        complain(f"{error}; --plain prints a table instead, and needs none")
        return EXIT_UNAVAILABLE
    from zmqtopo.observe.top.screen import run
    from zmqtopo.observe.top.screen.devices import Setup

    watch = _watch(args.topology)
    try:
        run(Setup(watch, order, args.interval, args.topology or "all topologies", args.topology is None))
    finally:
        watch.close()
    return 0


def _watch(topology: str | None) -> Watch:
    if topology is not None:
        connect(topology).close()       # what is wrong with it is said in full here
    return Watch(topology)


def _nothing(topology: str | None) -> int:
    if topology is None:
        complain(f"no topology is running; looked in {', '.join(map(str, places()))}")
    else:
        complain(f"{topology} has ended")
    return EXIT_UNAVAILABLE


def _has_screen() -> bool:
    """Whether there is a terminal to draw on, for textual, which reads standard input and writes to standard error."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return False
    kind = os.environ.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        note(f"nothing can be drawn on a terminal of the type {kind or 'that TERM does not name'}; what follows is as "
             "with --plain")
        return False
    return True


def _interval(text: str) -> float:
    seconds = duration(text)
    if not SHORTEST <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not between 100ms and 1h")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of tables")
    return int(text)
