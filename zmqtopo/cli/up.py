"""``zmqtopo up``: run a topology, in the foreground or in the background."""

from __future__ import annotations

import argparse
import os
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
        help="how to say what happens on standard error: json is an object a line, with the time (default: text)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="reload when the file, or one with a secret that it names, has changed"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 after a clean stop, 1 when a device failed for good, 78 for a bad file, 130 after a second signal.

    2 is for ``--watch`` with standard input. With ``-d`` that is 0 when every device is ready.
    """
    if args.watch and (args.file == "-" or is_stream(args.file)):
        what = "standard input" if args.file == "-" else args.file
        print(f"zmqtopo: error: --watch needs a file to look at, and {printable(what)} is none", file=sys.stderr)
        return EXIT_USAGE
    if args.detach or args.wait is not None:
        from zmqtopo.service.background import launch

        return launch(args)
    return run_here(args)


def run_here(args: argparse.Namespace, starter: int | None = None) -> int:
    """Run in this process; ``starter`` is where what concerns the start is to be said, and that it has succeeded."""
    from zmqtopo.checks.machine.limits import raise_limits
    from zmqtopo.cli.topology import load_to_run
    from zmqtopo.control.errors import ControlError
    from zmqtopo.control.folder import Folder

    raise_limits()
    claimed: list[Folder] = []
    source = "-" if args.file == "-" else os.path.abspath(args.file)  # noqa: PTH100 - follows no links
    try:
        topology = load_to_run(args.file, lambda found: claimed.append(Folder.claim(found.name, source)))
        if isinstance(topology, int):
            return topology
        if not topology.devices:
            print(f"zmqtopo: {topology.name}: nothing to run", file=sys.stderr)
            return 0
        from zmqtopo.service.foreground import Foreground

        return Foreground(
            topology, source, claimed[0], starter, abort_on_failure=args.abort_on_failure, log_format=args.log_format,
            watch=args.watch,
        ).run()
    except ControlError as error:
        print(f"zmqtopo: error: {printable(str(error))}", file=sys.stderr)
        return 1
    finally:
        for folder in claimed:
            folder.give_back()


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1
    if not seconds >= 0:    # nan is not
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
