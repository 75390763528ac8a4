"""``zmqtopo recording``: what is in a recording, a part of it, or all of it as JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zmqtopo.cli.output import OutputError, emit, note
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.recordings import (
    add_selection,
    check_devices_of_file,
    check_selection,
    needs_mcap,
    nothing_selected,
    selection,
)
from zmqtopo.cli.remote import add_format, emit_json, emit_table
from zmqtopo.cli.tap import DECODINGS, decodings
from zmqtopo.config.wording import count
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_USAGE
from zmqtopo.report.stderr import complain

if TYPE_CHECKING:
    from zmqtopo.observe.recording.reader import Recording
    from zmqtopo.observe.recording.summary import FlowSummary


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.description = (
        "info: tell what is in a recording. cut: write a part of it to another one, which also makes a whole file of "
        "one that ends in the middle. export: print messages as JSON, one a line."
    )
    parser.add_argument("action", choices=("info", "cut", "export"), help="what to do")
    parser.add_argument("file", metavar="FILE", help="the recording, - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="of cut and export (- for standard output)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--decode", metavar="AS", type=decodings, default=("auto",),
                        help=f"of export: {', '.join(DECODINGS[:-1])} or {DECODINGS[-1]}; several, with commas, are "
                        "for the frames in turn (default: auto)")
    add_selection(parser)
    add_format(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when something cannot be written; 69 without mcap; 78 for what is not a recording."""
    if args.action == "cut" and args.output is None:
        args.usage_error("say where to with -o FILE")
    if args.action == "info" and (args.output or args.since or args.until or args.device or args.flow or args.match):
        args.usage_error("info tells of the whole recording; what is selected is for cut and export")
    check_selection(args)
    return needs_mcap("recording", lambda: _read(args))


def _read(args: argparse.Namespace) -> int:
    from zmqtopo.observe.recording.errors import RecordingError, SelectionError, WriteError
    from zmqtopo.observe.recording.reader import Recording

    try:
        check_devices_of_file(args)
        with Recording(args.file) as recording:
            {"info": _info, "cut": _cut, "export": _export}[args.action](recording, args)
            if recording.cut and args.action != "info":
                note(f"{args.file} is {recording.cut}; everything before that was kept")
    except SelectionError as error:
        complain(str(error))
        return EXIT_USAGE
    except RecordingError as error:
        complain(str(error))
        return EXIT_BAD_FILE
    except WriteError as error:
        complain(str(error))
        return EXIT_FAILURE
    return 0


def _info(recording: Recording, args: argparse.Namespace) -> None:
    from zmqtopo.observe.recording.summary import summarize

    flows = list(summarize(recording).values())
    (_info_json if args.format == "json" else _info_text)(recording, flows)


def _info_json(recording: Recording, flows: list[FlowSummary]) -> None:
    told: dict[str, Any] = {
        "file": recording.path, "bytes": recording.size, "cut": recording.cut, "cut_at": recording.cut_at,
        "metadata": recording.metadata, "attachments": sorted(recording.attachments),
        "flows": [flow.as_dict() for flow in flows],
    }
    emit_json(told)


def _info_text(recording: Recording, flows: list[FlowSummary]) -> None:
    from zmqtopo.observe.recording.moment import NANOSECONDS, iso

    said = recording.metadata
    lines = [f"{recording.path}: {recording.size:,} bytes, {recording.cut or 'whole'}"]
    if "topology" in said:
        lines.append(f"topology {said['topology']} on {said.get('host', '?')}, zmqtopo {said.get('zmqtopo', '?')}, "
                     f"libzmq {said.get('libzmq', '?')}")
    if "recorded" in said:
        whole = "of the recording that this is a part of: " if "part" in said else ""
        lines.append(f"{whole}passed {said['passed']}, recorded {said['recorded']}, left out {said['left_out']}")
    if "filter" in said:
        lines.append(f"only {said['filter']}")
    there = [flow for flow in flows if flow.messages]
    if there:
        first, last = min(flow.first for flow in there), max(flow.last for flow in there)
        lines.append(f"from {iso(first)} to {iso(last)}, {(last - first) / NANOSECONDS:.3f} s")
    emit("".join(f"{line}\n" for line in lines))
    rows = [["DEVICE", "FLOW", "SOCKETS", "MESSAGES", "BYTES", "MISSING"]]
    for flow in flows:
        types = flow.flow.metadata
        rows.append([flow.flow.device, flow.flow.name, f"{types.get('in', '?')} {types.get('out', '?')}",
                     f"{flow.messages:,}", f"{flow.size:,}", f"{flow.missing:,}"])
    emit_table(rows)


def _cut(recording: Recording, args: argparse.Namespace) -> None:
    from zmqtopo import __version__
    from zmqtopo.observe.recording.copy import copy
    from zmqtopo.observe.recording.selection import check_devices

    if args.output != "-" and _is_same(args.file, args.output):
        args.usage_error("the part cannot replace the recording that it is read from")
    written = copy(recording, selection(args), args.output, replace=args.force, library=f"zmqtopo {__version__}")
    check_devices(recording, args.device)       # of standard input nobody knew before
    why = "" if written else f": {nothing_selected(args)}"
    note(f"{count(written, 'message')} in {'standard output' if args.output == '-' else args.output}{why}")


def _export(recording: Recording, args: argparse.Namespace) -> None:
    from zmqtopo.observe.recording.copy import as_json
    from zmqtopo.observe.recording.selection import check_devices
    from zmqtopo.observe.tap.decode import decoder

    decode = decoder(args.decode, None)
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for message in selection(args).of(recording):
            number += 1
            yield as_json(message, decode)

    _print(lines(), args)
    check_devices(recording, args.device)       # of standard input nobody knew before
    if not number:
        note(nothing_selected(args))


def _print(lines: Iterator[str], args: argparse.Namespace) -> None:
    if args.output in (None, "-"):
        sys.stdout.writelines(lines)
        sys.stdout.flush()
        return
    if _is_same(args.file, args.output):
        args.usage_error("the export cannot replace the recording that it is read from")
    try:
        with open(args.output, "w" if args.force else "x", encoding="utf-8") as file:     # noqa: PTH123 - has a mode x
            file.writelines(lines)
    except FileExistsError:
        raise OutputError(f"{args.output} already exists; --force replaces it") from None
    except OSError as error:
        raise OutputError(f"cannot write to {args.output}: {error.strerror}") from None


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)     # noqa: PTH121 - of two texts
    except OSError:
        return False
