"""``zmqtopo graph``: the topology as a picture."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Final

from zmqtopo.checks import examine
from zmqtopo.cli.output import emit
from zmqtopo.cli.topology import EXIT_BAD_FILE, report
from zmqtopo.config.wording import closest, listing, quote
from zmqtopo.draw.picture import Picture

EXIT_UNAVAILABLE: Final = 69  # EX_UNAVAILABLE of sysexits.h: a program that is needed is not there

_FORMATS: Final = ("dot", "mermaid", "json", "svg", "png")
_SUFFIXES: Final = {".gv": "dot", ".mmd": "mermaid", **{f".{form}": form for form in _FORMATS}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the topology, - for standard input")
    parser.add_argument(
        "--format", choices=_FORMATS,
        help="dot for Graphviz, mermaid for Markdown, json (node-link) for programs, svg or png drawn by Graphviz; "
        "default: what the name of the file to write says (.dot .gv .mmd .json .svg .png), else dot",
    )
    parser.add_argument(
        "--focus", metavar="DEVICE", help="draw only this device and what is one connection away from it"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write it (default: stdout)")
    where.add_argument(
        "--check", metavar="DRAWING", help="write nothing, and fail when this file is not what would be drawn"
    )
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 for a drawing out of date; 69 when Graphviz is needed and not there; 78 for a file with errors.

    A topology with errors is drawn as far as it is understood, its errors in red and its warnings in amber, but
    only to standard output: a good drawing in a file is not replaced by a bad one.
    """
    from zmqtopo.checks.graph import Graph
    from zmqtopo.draw.graphviz import NoGraphvizError
    from zmqtopo.draw.picture import picture

    form = args.format or _form(args)
    if args.output != "-" and _is_same_file(args.output, args.file):
        args.usage_error(f"{args.output} is the topology itself, and would be lost")
    if args.check and form in ("svg", "png"):
        args.usage_error(f"a committed {form} cannot be checked, since it depends on the version of Graphviz and on "
                         "fonts; commit dot, mermaid or json")
    checked = examine(args.file)
    report(checked)
    if checked.topology is None or (checked.has_errors and (args.check or args.output != "-")):
        return EXIT_BAD_FILE
    devices = checked.topology.devices
    if args.focus is not None and args.focus not in devices:
        near = closest(args.focus, devices)
        args.usage_error(f"{args.file} has no device {quote(args.focus)}"
                         + (f"; did you mean {quote(near)}?" if near else ""))
    try:
        drawing = _draw(picture(Graph(checked.topology), checked.problems, args.focus), form)
    except NoGraphvizError as error:
        print(f"zmqtopo: error: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    if args.check:
        return _compare(drawing, args)
    emit(drawing, args.output)
    return EXIT_BAD_FILE if checked.has_errors else 0


def _form(args: argparse.Namespace) -> str:
    """What the name of the file says; dot for a name without ending, such as that of standard output."""
    path = args.check or args.output
    ending = Path(path).suffix.lower()
    if ending and ending not in _SUFFIXES:
        args.usage_error(f"{path}: what is to be drawn? The endings {listing(sorted(_SUFFIXES), 'and')} say it; for "
                         "any other use --format")
    return _SUFFIXES.get(ending, "dot")


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return False


def _draw(drawn: Picture, form: str) -> str | bytes:
    if form == "mermaid":
        from zmqtopo.draw.mermaid import mermaid

        return mermaid(drawn)
    if form == "json":
        from zmqtopo.draw.node_link import node_link

        return node_link(drawn)
    from zmqtopo.draw.dot import dot
    from zmqtopo.draw.graphviz import render

    if form == "svg":
        return render(dot(drawn), "svg")
    return render(dot(drawn), "png") if form == "png" else dot(drawn)


def _compare(drawing: str | bytes, args: argparse.Namespace) -> int:
    """Say what to run when the committed drawing is another; line ends do not count, which git may change."""
    try:
        old = Path(args.check).read_text("utf-8")
    except FileNotFoundError:
        what = "is not there"
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    else:
        if old == drawing:
            return 0
        what = "is out of date"
    options = [*(["--format", args.format] if args.format else []), *(["--focus", args.focus] if args.focus else [])]
    remedy = shlex.join(["zmqtopo", "graph", args.file, *options, "-o", args.check])
    print(f"zmqtopo: {args.check} {what}; run: {remedy}", file=sys.stderr)
    return 1
