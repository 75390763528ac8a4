"""``zmqtopo validate``: every problem of some files, and nothing is opened or run."""

from __future__ import annotations

import argparse
import io
import sys

from zmqtopo.checks import Checked, examine
from zmqtopo.cli.output import emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="a topology, - for standard input")
    parser.add_argument(
        "--format", choices=("full", "concise", "json"), default="full",
        help="full quotes the file (default), concise has one line for each problem, json is for programs",
    )
    parser.add_argument("--strict", action="store_true", help="let warnings fail too")


def run(args: argparse.Namespace) -> int:
    """Return 0 when all is well or there are only warnings and infos, 1 when there are errors."""
    checked = [examine(file) for file in dict.fromkeys(args.files)]
    emit(_report(checked, args.format))
    fatal = {"error", "warning"} if args.strict else {"error"}
    return int(any(problem.severity in fatal for c in checked for problem in c.problems))


def _report(checked: list[Checked], form: str) -> str:
    problems = [problem for c in checked for problem in c.problems]
    written = io.StringIO()
    if form == "json":
        from zmqtopo.report import json

        json.write(problems, len(checked), written)
    else:
        from zmqtopo.report import text

        if form == "concise":
            text.concise(problems, written)
        else:
            lines = {c.file: c.lines for c in checked}
            text.full(problems, lines, written, colour=text.wants_colour(sys.stdout))
    return written.getvalue()
