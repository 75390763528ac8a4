"""``zmqtopo tap``: show what passes the devices of a running topology."""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
import select
import sys
from typing import TYPE_CHECKING, Any, Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import emit, note
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.prefix import prefix
from zmqtopo.cli.remote import add_topology, emit_json, emit_table, talk
from zmqtopo.config.wording import closest, count, printable
from zmqtopo.control.client import Client
from zmqtopo.exit_codes import EXIT_BROKEN_PIPE, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE
from zmqtopo.report.stderr import complain

if TYPE_CHECKING:
    from zmqtopo.observe.tap.session import Choice, Session

HEAD: Final = 256
"""Bytes of a frame that a line of text has unless --head says otherwise."""

ROWS: Final = 20
"""Groups that a report tells of."""

DECODINGS: Final = ("auto", "utf8", "hex", "json", "msgpack", "size")

_BYTES: Final = {"": 1, "B": 1, "kB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    parser.add_argument("device", metavar="DEVICE", nargs="*", default=[], help="only these devices (default: all)")
    parser.add_argument("--flow", choices=("in_to_out", "out_to_in"), help="only this way")
    parser.add_argument("--match", metavar="PREFIX", type=prefix, default=b"",
                        help=r"only messages whose first frame begins so; \xNN is a byte, \\ a backslash")
    parser.add_argument("--frame", metavar="N", type=_frame, default=0,
                        help="the frame that --match and --report look at: 1 is the first, -1 the last (default: 1); "
                        "the first one from a ROUTER is an identity")
    parser.add_argument("--decode", metavar="AS", type=decodings, default=("auto",),
                        help=f"{', '.join(DECODINGS[:-1])} or {DECODINGS[-1]}; several, with commas, are for the "
                        "frames in turn (default: auto, which finds out)")
    parser.add_argument("--head", metavar="BYTES", type=_bytes,
                        help=f"show so much of a frame (default: {HEAD} as text, all as json)")
    parser.add_argument("--count", metavar="N", type=_positive, help="end when so many are shown")
    parser.add_argument("--for", metavar="TIME", dest="seconds", type=duration, help="end after so long, such as 10s")
    parser.add_argument("--sample", metavar="1/N", type=_sample, default=1, help="show one message of N, by its number")
    parser.add_argument("--rate", metavar="N", type=_rate, default=100.0,
                        help="show so many a second at most, 0 is for all (default: 100)")
    parser.add_argument("--format", choices=("text", "json", "raw"), default="text",
                        help="json: an object a line; raw: the bytes of each frame and a line break")
    parser.add_argument("--report", action="store_true",
                        help="count all messages by their first frame, and tell the most frequent at the end")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when it ended before --count were shown; 2 for an unknown device; 69 where nothing runs."""
    if args.report and args.format == "raw":
        args.usage_error("a report is text or json")
    if args.format == "raw" and sys.stdout.isatty():
        args.usage_error("raw bytes may change how a terminal works: send them to a file or a program, such as | xxd")
    return talk(args.topology, lambda client: _tap(client, args))


def _tap(client: Client, args: argparse.Namespace) -> int:
    from zmqtopo.observe.tap.reader import TapReader, UnknownTapError
    from zmqtopo.observe.tap.session import Choice

    _allow_files()
    choice = Choice(args.match, args.frame, args.sample, args.count, args.seconds,
                    None if args.report or not args.rate else args.rate)
    try:
        reader = TapReader(client, args.device, flow=args.flow, prefix=choice.prefix)
    except UnknownTapError as error:
        complain(str(error))
        return EXIT_USAGE
    with reader:
        # A device that nothing passes shows nothing: this says that it is looked at.
        note(f"{client.name}: {count(len(reader.devices), 'device')}, from now on")
        return _show(reader, choice, args)


def _show(reader: Any, choice: Choice, args: argparse.Namespace) -> int:
    from zmqtopo.observe.interrupt import Interrupt
    from zmqtopo.observe.tap.report import Report
    from zmqtopo.observe.tap.session import Session

    report = Report(args.frame)
    printer = _printer(args)
    with Interrupt() as interrupt:
        session = Session(
            reader, choice, report.add if args.report else printer.message,
            (lambda tapped, missing: None) if args.report else printer.gap, note,
            lambda seconds: interrupt.wait(seconds) or _is_closed(sys.stdout),
        )
        session.run()
    if args.report:
        _report(report, args)
    if reader.ended:
        note(reader.ended)
    _account(session, choice)
    if interrupt.signal is not None:
        return EXIT_INTERRUPTED if interrupt.signal == 2 else 128 + interrupt.signal
    if _is_closed(sys.stdout):
        return EXIT_BROKEN_PIPE
    return EXIT_FAILURE if choice.count is not None and not session.is_enough else 0


def _printer(args: argparse.Namespace) -> Any:
    from zmqtopo.observe.tap.decode import decoder
    from zmqtopo.observe.tap.printers import JsonPrinter, RawPrinter, TextPrinter

    if args.format == "raw":
        return RawPrinter(emit)
    if args.format == "json":
        return JsonPrinter(emit, decoder(args.decode, args.head))
    return TextPrinter(emit, decoder(args.decode, HEAD if args.head is None else args.head))


def _report(report: Any, args: argparse.Namespace) -> None:
    if args.format == "json":
        emit_json(report.as_dict(ROWS))
    else:
        emit_table(list(report.rows(ROWS, HEAD if args.head is None else args.head)))


def _account(session: Session, choice: Choice) -> None:
    left_out = "left out" if choice.is_all else "not asked for or left out"
    note(f"{session.shown:,} shown + {session.left_out:,} {left_out} = "
         f"{count(session.shown + session.left_out, 'message')} passed")


def _allow_files() -> None:
    """Let this process have as many descriptors as the system allows: a thousand devices take more than 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):      # macOS refuses more than kern.maxfilesperproc
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _is_closed(stream: Any) -> bool:
    """Whether nobody reads any more what is written to a pipe."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return False


# -- what the options mean -------------------------------------------------------------------------------------------



def _frame(text: str) -> int:
    number = _whole(text, "a frame")
    if not number:
        raise argparse.ArgumentTypeError("frames are counted from 1, or from -1 at the end")
    return number - 1 if number > 0 else number


def decodings(text: str) -> tuple[str, ...]:
    """How to show the frames, in turn; for argparse."""
    chosen = tuple(text.split(","))
    for word in chosen:
        if word not in DECODINGS:
            near = closest(word, DECODINGS)
            raise argparse.ArgumentTypeError(
                f"{word!r} is not one of {', '.join(DECODINGS)}" + (f"; did you mean {near}?" if near else ""))
    return chosen


def _positive(text: str) -> int:
    number = _whole(text, "a number")
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not {what}") from None


def _sample(text: str) -> int:
    form = re.fullmatch(r"1/([1-9][0-9]{0,17})", text)
    if form is None:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not a share: write 1/10 for one message of ten")
    return int(form[1])


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1e9:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not a number of messages a second; 0 is for all")
    return rate


def _bytes(text: str) -> int:
    form = re.fullmatch(r"([0-9]{1,12})([A-Za-z]*)", text)
    if form is None or form[2] not in _BYTES:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not a size: write 100, 4KiB or 1MB")
    return int(form[1]) * _BYTES[form[2]]


