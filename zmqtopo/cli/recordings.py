"""What the verbs that read and write recordings have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from zmqtopo.cli.parser import Parser
from zmqtopo.cli.prefix import prefix
from zmqtopo.config.wording import listing
from zmqtopo.exit_codes import EXIT_UNAVAILABLE
from zmqtopo.observe.extras import MissingExtraError, require
from zmqtopo.report.stderr import complain

if TYPE_CHECKING:
    from zmqtopo.observe.recording.moment import Moment
    from zmqtopo.observe.recording.selection import Selection


def needs_mcap(verb: str, do: Callable[[], int]) -> int:
    """Do something that needs the package mcap; without it say how to install it, and return 69."""
    try:
        require("record", "mcap", f"zmqtopo {verb}")
    except MissingExtraError as error:
        complain(str(error))
        return EXIT_UNAVAILABLE
    return do()


def add_selection(parser: Parser) -> None:
    """Take which messages of a recording are meant."""
    parser.add_argument("--from", dest="since", type=_moment, metavar="TIME",
                        help="from here: 10s or 1.5m after the first message, or 2026-11-29T12:00:00")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="and only what is before this time")
    parser.add_argument("--device", action="append", default=[], metavar="NAME", help="only of this device; repeatable")
    parser.add_argument("--flow", choices=("in_to_out", "out_to_in"), help="only what went this way")
    parser.add_argument("--match", type=prefix, default=b"", metavar="PREFIX",
                        help=r"only messages whose first frame begins so; \xNN is a byte, \\ a backslash")


def selection(args: argparse.Namespace, flow: str | None = None) -> Selection:
    """The messages that are meant; ``flow`` where the arguments do not say."""
    from zmqtopo.observe.recording.selection import Selection

    return Selection(tuple(args.device), args.flow or flow, args.match, args.since, args.until)


def check_selection(args: argparse.Namespace) -> None:
    """Refuse, as a usage error, times between which nothing can be."""
    since, until = args.since, args.until
    if since and until and since.is_offset == until.is_offset and until.time <= since.time:
        args.usage_error("--until is not after --from, so nothing is between them")


def check_devices_of_file(args: argparse.Namespace) -> None:
    """Raise SelectionError for a device that a file lacks; standard input is read once, and tells it at its end."""
    from zmqtopo.observe.recording.reader import Recording
    from zmqtopo.observe.recording.selection import check_devices

    if args.device and args.file != "-":
        with Recording(args.file) as recording:
            check_devices(recording, args.device)


def nothing_selected(args: argparse.Namespace, flow: str | None = None) -> str:
    """What to say when no message was selected; ``flow`` where the arguments do not say."""
    chosen = [option for option, value in (
        ("--from", args.since), ("--until", args.until), ("--device", args.device), ("--flow", args.flow),
        ("--match", args.match),
    ) if value]
    if flow and not args.flow:
        chosen.append(f"--flow {flow}, which --to implies")
    file = "standard input" if args.file == "-" else args.file
    return f"no message of {file} fits {listing(chosen, 'and')}" if chosen else f"{file} has no messages"


def _moment(text: str) -> Moment:
    from zmqtopo.observe.recording.moment import moment

    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
