"""``zmqtopo config``: the topology as it is understood, but for its secrets."""

from __future__ import annotations

import argparse

from zmqtopo.cli.files import one_file
from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.topology import load_or_report
from zmqtopo.exit_codes import EXIT_BAD_FILE


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("the topology (default: topology.yaml), - for standard input")
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="default: yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 78 for a file with errors."""
    from zmqtopo.config.dump import dump, dump_json

    topology = load_or_report(one_file(args))
    if topology is None:
        return EXIT_BAD_FILE
    emit(dump_json(topology) if args.format == "json" else dump(topology))
    return 0
