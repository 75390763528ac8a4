"""``zmqtopo config``: the topology as it is understood, but for its secrets."""

from __future__ import annotations

import argparse

from zmqtopo.cli.output import emit
from zmqtopo.cli.topology import load_or_report
from zmqtopo.exit_codes import EXIT_BAD_FILE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the topology, - for standard input")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 78 for a file with errors."""
    from zmqtopo.config.dump import dump

    topology = load_or_report(args.file)
    if topology is None:
        return EXIT_BAD_FILE
    emit(dump(topology))
    return 0
