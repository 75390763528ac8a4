"""``zmqtopo up``: run a topology, in the foreground or in the background."""

from __future__ import annotations

import argparse
import sys

from zmqtopo.cli import Parser
from zmqtopo.config.wording import printable
from zmqtopo.exit_codes import EXIT_USAGE
from zmqtopo.service.watch import is_stream


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the topology, - for standard input")
    parser.add_argument(
        "--abort-on-failure", action="store_true", help="stop everything when the first device has failed for good"
    )
    parser.add_argument(
        "-d", "--detach", action="store_true",
        help="run in the background, and return when every device is ready or one could not start",
    )
    parser.add_argument(
        "--wait", metavar="SECONDS", type=_seconds,
        help="with -d, which it implies: wait no longer than this for the devices to be ready; without =SECONDS, as "
        "long as it takes",
    )
    parser.alone["--wait"] = "inf"
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text",
        help="log format on standard error; json: one object per line, with the time (default: text)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="reload when the file, or one with a secret that it names, has changed"
    )
    parser.add_argument(
        "--http", metavar="ADDRESS",
        help="serve metrics, health and a page there, such as 127.0.0.1:9464 or unix:///PATH, whatever the file says",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 after a clean stop, 1 when a device failed for good, 78 for a bad file, 130 after a second signal.

    2 is for ``--watch`` with standard input and for an ``--http`` that is not a valid address, 69 for HTTP without its
    packages. With ``-d`` that is 0 when every device is ready.
    """
    if args.watch and (args.file == "-" or is_stream(args.file)):
        what = "standard input" if args.file == "-" else args.file
        print(f"zmqtopo: error: --watch needs a file, and {printable(what)} is not one", file=sys.stderr)
        return EXIT_USAGE
    if args.detach or args.wait is not None:
        from zmqtopo.service.background import launch

        return launch(args.file, wait=args.wait, abort_on_failure=args.abort_on_failure, log_format=args.log_format,
                      watch=args.watch, http=args.http)
    from zmqtopo.service.start import run_here

    return run_here(args.file, abort_on_failure=args.abort_on_failure, log_format=args.log_format, watch=args.watch,
                    http=args.http)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1
    if not seconds >= 0:    # nan is not
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
