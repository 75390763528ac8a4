"""``zmqtopo graph``: the topology as a picture."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zmqtopo.checks import examine
from zmqtopo.cli.files import one_file
from zmqtopo.cli.output import OutputError, emit, replace
from zmqtopo.cli.parser import Parser
from zmqtopo.config.wording import closest, listing, printable, quote
from zmqtopo.config.yaml.source import is_markdown
from zmqtopo.draw.picture import Picture
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_UNAVAILABLE
from zmqtopo.report.stderr import errors_and_warnings

if TYPE_CHECKING:
    from zmqtopo.control.client import Client

_FORMATS: Final = ("dot", "mermaid", "json", "svg", "png")
_SUFFIXES: Final = {".gv": "dot", ".mmd": "mermaid", **{f".{form}": form for form in _FORMATS}}


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("the topology (default: topology.yaml), - for standard input")
    parser.add_argument(
        "--format", choices=_FORMATS,
        help="dot for Graphviz, mermaid for Markdown, json (node-link) for programs, svg or png drawn by Graphviz; "
        "default: what the name of the file to write says (.dot .gv .mmd .json .svg .png), else dot",
    )
    parser.add_argument(
        "--focus", metavar="DEVICE", help="draw only this device and what is one connection away from it"
    )
    parser.add_argument(
        "--live", action="store_true", help="draw a running topology, FILE being its name or its file, with the rates "
        "of the last second on the edges, and with what is blocked or does not run",
    )
    where = parser.one_of()
    where.add_argument(
        "-o", "--output", metavar="FILE", default="-",
        help="where to write it (default: stdout); in a Markdown file only the fenced drawing is replaced",
    )
    where.add_argument(
        "--check", metavar="DRAWING",
        help="write nothing, and fail when this file, or the fenced drawing in this Markdown file, is not what would "
        "be drawn",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 for a drawing out of date; 69 when Graphviz is needed and not there; 78 for a file with errors.

    With ``--live`` 69 also says that the topology does not run.

    A topology with errors is drawn as far as it is understood, its errors in red and its warnings in amber, but
    only to standard output: a good drawing in a file is not replaced by a bad one.
    """
    from zmqtopo.checks.graph import Graph
    from zmqtopo.draw.graphviz import NoGraphvizError
    from zmqtopo.draw.picture import picture

    if args.live:
        return _live(args)
    args.file = one_file(args)
    in_markdown = is_markdown(args.check or args.output)
    form = args.format or ("mermaid" if in_markdown else _form(args))
    if args.output != "-" and _is_same_file(args.output, args.file):
        args.usage_error(f"{args.output} is the topology itself, and would be lost")
    if args.check and form in ("svg", "png"):
        args.usage_error(f"a committed {form} cannot be checked, since it depends on the version of Graphviz and on "
                         "fonts; commit dot, mermaid or json")
    if in_markdown and form in ("svg", "png"):
        args.usage_error(f"a {form} cannot stand inside a Markdown file; choose --format mermaid, dot or json")
    checked = examine(args.file)
    errors_and_warnings(checked)
    if checked.topology is None or (checked.has_errors and (args.check or args.output != "-")):
        return EXIT_BAD_FILE
    _check_focus(args, args.file, checked.topology.devices)
    drawn = picture(Graph(checked.topology), checked.problems, args.focus)
    if in_markdown:
        return _markdown(drawn, args, form)
    try:
        drawing = _draw(drawn, form)
    except NoGraphvizError as error:
        print(f"zmqtopo: error: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    if args.check:
        return _compare(drawing, args)
    _write(drawing, args)
    return EXIT_BAD_FILE if checked.has_errors else 0


def _check_focus(args: argparse.Namespace, where: str, devices: Collection[str]) -> None:
    if args.focus is not None and args.focus not in devices:
        near = closest(args.focus, devices)
        args.usage_error(f"{where} has no device {quote(args.focus)}"
                         + (f"; did you mean {quote(near)}?" if near else ""))


def _live(args: argparse.Namespace) -> int:
    """Draw what runs."""
    from zmqtopo.cli.remote import talk

    targets = [*args.named, *([args.files] if args.files is not None else [])]
    if len(targets) > 1:
        args.usage_error(f"one topology at a time: {' and '.join(map(printable, targets))}")
    if args.check:
        args.usage_error("rates change all the time: --check and --live exclude each other")
    if is_markdown(args.output):
        args.usage_error(f"{args.output}: rates are no drawing to keep in a page; name a file of their own after -o")
    form = args.format or _form(args)
    return talk(targets[0] if targets else None, lambda client: _draw_running(client, args, form))


def _draw_running(client: Client, args: argparse.Namespace, form: str) -> int:
    from zmqtopo.draw.graphviz import NoGraphvizError
    from zmqtopo.observe.live import live_picture, running_topology

    topology = running_topology(client)
    _check_focus(args, client.name, topology.devices)
    try:
        drawing = _draw(live_picture(client, topology, args.focus), form)
    except NoGraphvizError as error:
        print(f"zmqtopo: error: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    _write(drawing, args)
    return 0


def _form(args: argparse.Namespace) -> str:
    """What the name of the file says; dot for a name without ending, such as that of standard output."""
    path = args.check or args.output
    ending = Path(path).suffix.lower()
    if ending and ending not in _SUFFIXES:
        args.usage_error(f"{path}: cannot tell the format from {ending!r}; use --format, or one of the endings "
                         f"{listing(sorted(_SUFFIXES))}")
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


def _write(drawing: str | bytes, args: argparse.Namespace) -> None:
    """Write it, but never over a file that is something else than a drawing; raises OutputError."""
    from zmqtopo.draw.embedded import is_drawing

    path = Path(args.output)
    if args.output == "-" or not path.is_file():
        emit(drawing, args.output)
        return
    try:
        old = path.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot read {args.output}, which would be replaced: {error.strerror}") from error
    if old.strip() and not is_drawing(old):
        raise OutputError(f"{args.output} is not a drawing by zmqtopo graph and is left as it is; give -o another "
                          "name, or remove the file first")
    emit(drawing, args.output)


def _markdown(drawn: Picture, args: argparse.Namespace, form: str) -> int:
    """Compare or replace the drawing inside a Markdown file, which stays as it is but for that; raises OutputError."""
    from zmqtopo.draw.embedded import NoPlaceError, fenced, find

    def draw(form: str) -> str:
        return str(_draw(drawn, form))

    path = args.check or args.output
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    if not text.strip():
        if args.check:
            return _outdated(args, "has no drawing" if Path(path).exists() else "is not there")
        emit(fenced(draw(form), form), path)
        return 0
    try:
        place = find(text, path, args.file, args.format, draw)
    except NoPlaceError as error:
        raise OutputError(str(error)) from None
    drawing = draw(place.form)
    if place.drawing == drawing:
        return 0
    if args.check:
        return _outdated(args, f"is out of date (the drawing at line {place.fence.start})")
    replace(path, place.replaced(drawing).encode("utf-8", "surrogateescape"))
    return 0


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
    return _outdated(args, what)


def _outdated(args: argparse.Namespace, what: str) -> int:
    options = [*(["--format", args.format] if args.format else []), *(["--focus", args.focus] if args.focus else [])]
    remedy = shlex.join(["zmqtopo", "graph", args.file, *options, "-o", args.check])
    print(f"zmqtopo: {printable(f'{args.check} {what}; run: {remedy}')}", file=sys.stderr)
    return 1
