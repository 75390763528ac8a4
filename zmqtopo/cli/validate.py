"""``zmqtopo validate``: every problem of some files; nothing is run, and without ``--probe`` nothing is opened."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from zmqtopo.checks import Checked, examine_all
from zmqtopo.cli.files import several_files
from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.config.problem import Severity

FORMATS = ("full", "concise", "json", "github", "sarif", "junit")


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("a topology (default: topology.yaml), a Markdown file with topologies in it, a folder with "
                    "topologies, - for standard input", many=True)
    parser.add_argument(
        "--format", choices=FORMATS,
        help="full quotes the file (default), concise has one line for each problem, json is for programs, github "
        "annotates a change (default in GitHub Actions), sarif is for code scanning, junit for test reports",
    )
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    parser.add_argument(
        "--exclude", metavar="PATTERN", action="append", default=[],
        help="leave out files and folders below a folder by name or path, such as 'old' or 'deploy/*.yaml'; "
        "may be given several times",
    )
    parser.add_argument(
        "--probe", action="store_true", help="also check this machine: ports in use, folders, host names"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 when all is well or there are only warnings and infos, 1 when there are errors."""
    with _without_collector():
        checked = list(_examined(dict.fromkeys(several_files(args, folders=True)), args.exclude))
    if args.probe:
        from zmqtopo.checks import with_machine

        checked = [with_machine(one) for one in checked]
    files: dict[str, list[Checked]] = {}
    for one in checked:
        files.setdefault(one.file, []).append(one)
    fatal: set[Severity] = {"error", "warning"} if args.strict else {"error"}
    form = args.format or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "full")
    emit(_report(files, form, fatal))
    return int(any(problem.severity in fatal for one in checked for problem in one.problems))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Look for no cycles: a topology is a million objects without one, and looking takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _examined(paths: Collection[str], exclude: Sequence[str]) -> Iterator[Checked]:
    """What is in the paths; a file that is named and also lies in a folder is examined once."""
    seen: set[str] = set()
    for path in paths:
        before = frozenset(seen)
        for checked in examine_all(path.removeprefix("./") or path, exclude=exclude):
            if checked.file not in before:
                seen.add(checked.file)
                yield checked


def _report(files: Mapping[str, Sequence[Checked]], form: str, fatal: Collection[Severity]) -> str:
    by_file = {file: [problem for one in parts for problem in one.problems] for file, parts in files.items()}
    problems = [problem for found in by_file.values() for problem in found]
    written = io.StringIO()
    match form:
        case "full":
            from zmqtopo.report import text

            lines = {file: _lines(parts) for file, parts in files.items()}
            text.full(problems, lines, written, colour=text.wants_colour(sys.stdout))
        case "concise":
            from zmqtopo.report import text

            text.concise(problems, written)
        case "json":
            from zmqtopo.report import json

            json.write(problems, len(files), written)
        case "github":
            from zmqtopo.report import github

            github.write(problems, len(files), written)
        case "sarif":
            from zmqtopo.report import sarif

            sarif.write(problems, written)
        case "junit":
            from zmqtopo.report import junit

            junit.write(by_file, fatal, written)
    return written.getvalue()


def _lines(parts: Sequence[Checked]) -> Sequence[str]:
    """The lines of a file, as far as its topologies have them."""
    lines: list[str] = []
    for one in parts:
        lines += [""] * (one.above - len(lines))
        lines += one.lines
    return lines
