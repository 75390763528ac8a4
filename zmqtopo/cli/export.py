"""``zmqtopo export``: files for other programs, made for the metrics and the topologies of this one."""

from __future__ import annotations

import argparse

from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.exit_codes import EXIT_USAGE
from zmqtopo.report.stderr import complain

TARGETS = {
    "alerts": "rules for Prometheus that say when something is wrong with a topology",
    "grafana": "a dashboard for Grafana",
}


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_argument("target", metavar="TARGET", choices=TARGETS,
                        help="; ".join(f"{target}: {what}" for target, what in TARGETS.items()))
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="write it there (default: print it)")
    parser.add_argument("--tests", action="store_true",
                        help="of alerts: their tests for promtool, which expect the rules beside them as alerts.yml")


def run(args: argparse.Namespace) -> int:
    """Return 0, 1 when the file cannot be written, and 2 for ``--tests`` of what has none."""
    from zmqtopo.observe.metrics.export import exported

    if args.tests and args.target != "alerts":
        complain(f"--tests is for alerts; {args.target} has none")
        return EXIT_USAGE
    text = exported("alerts-tests" if args.tests else args.target)
    emit(text, args.output)
    return 0
