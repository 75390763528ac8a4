"""``zmqtopo up``: run a topology, in the foreground or in the background; several in the background."""

from __future__ import annotations

import argparse

from zmqtopo.cli import output
from zmqtopo.cli.durations import duration
from zmqtopo.cli.files import several_files
from zmqtopo.cli.output import note
from zmqtopo.cli.parser import Parser
from zmqtopo.config.names import is_topology_name
from zmqtopo.config.wording import printable, quote
from zmqtopo.exit_codes import EXIT_USAGE
from zmqtopo.report.stderr import complain
from zmqtopo.service.watch import is_stream


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("the topology (default: topology.yaml), - for standard input; with -d also several", many=True)
    parser.add_argument(
        "--name", metavar="NAME", help="run it under this name in place of its own, such as a second copy of one file"
    )
    parser.add_argument(
        "--abort-on-failure", action="store_true", help="stop everything when the first device has failed for good"
    )
    parser.add_argument(
        "-d", "--detach", action="store_true",
        help="run in the background, and return when every device is ready or one could not start",
    )
    parser.add_argument(
        "--wait", metavar="SECONDS", type=duration,
        help="with -d, which it implies: wait no longer than this for the devices to be ready, such as 5 or 500ms; "
        "without SECONDS, as long as it takes",
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
    packages. With ``-d`` that is 0 when every device is ready; of several files it is the code of the first that is
    not.
    """
    files = list(dict.fromkeys(several_files(args)))
    in_background = args.detach or args.wait is not None
    if len(files) > 1 and not in_background:
        args.usage_error("several topologies run in the background only: add -d")
    if len(files) > 1 and (args.name is not None or args.http is not None):
        args.usage_error(f"--{'http' if args.name is None else 'name'} is for one file")
    if args.name is not None and not is_topology_name(args.name):
        args.usage_error(f"{quote(args.name)} is not a valid name: letters, digits, _ and -")
    for file in files:
        if args.watch and (file == "-" or is_stream(file)):
            what = "standard input" if file == "-" else file
            complain(f"--watch needs a file, and {printable(what)} is not one")
            return EXIT_USAGE
    if not (args.files or args.named):
        note(f"using ./{files[0]}")
    if in_background:
        return max([_in_background(file, args) for file in files], key=bool)
    from zmqtopo.service.start import run_here

    return run_here(files[0], name=args.name, abort_on_failure=args.abort_on_failure, log_format=args.log_format,
                    watch=args.watch, quiet=output.quiet, http=args.http)


def _in_background(file: str, args: argparse.Namespace) -> int:
    from zmqtopo.service.background import launch

    return launch(file, name=args.name, wait=args.wait, abort_on_failure=args.abort_on_failure,
                  log_format=args.log_format, watch=args.watch, quiet=output.quiet, http=args.http)
