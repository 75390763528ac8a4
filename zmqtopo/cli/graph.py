"""``zmqtopo graph``: the topology as a picture."""

from __future__ import annotations

import argparse

from zmqtopo.checks import examine
from zmqtopo.cli.output import emit
from zmqtopo.cli.topology import EXIT_BAD_FILE, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the topology, - for standard input")
    parser.add_argument("--format", choices=("dot",), default="dot", help="the language of the drawing (default: dot)")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write it (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 78 for a file with errors.

    A topology with errors is drawn as far as it is understood, its problems in red, but only to standard
    output: a good drawing in a file is not replaced by a bad one.
    """
    from zmqtopo.checks.graph import Graph
    from zmqtopo.draw.dot import dot

    checked = examine(args.file)
    report(checked)
    if checked.topology is not None and not (checked.has_errors and args.output != "-"):
        emit(dot(Graph(checked.topology), checked.problems), args.output)
    return EXIT_BAD_FILE if checked.has_errors else 0
