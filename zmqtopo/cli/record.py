"""``zmqtopo record``: keep the messages that pass devices of a running topology."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import time
from typing import TYPE_CHECKING, Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import note
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.prefix import prefix
from zmqtopo.cli.recordings import needs_mcap
from zmqtopo.cli.remote import add_format, add_topology, emit_json, talk
from zmqtopo.config.wording import count
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_USAGE
from zmqtopo.report.stderr import complain

if TYPE_CHECKING:
    from zmqtopo.control.client import Client
    from zmqtopo.observe.recording.recorder import Plan, Recorder
    from zmqtopo.observe.tap.reader import TapReader

_SIZES: Final = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_TIMES: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SMALLEST_FILE: Final = 10_000
"""Bytes below which files would be all beginning and end."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Record the messages that pass devices of a running topology until Ctrl-C, into an MCAP file. Devices do not "
        "wait for it: what it has no time for is left out and counted, unless --overflow block says otherwise."
    )
    add_topology(parser)
    parser.add_argument("devices", metavar="DEVICE", nargs="*", help="only what passes these devices (default: all)")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the recording, - for standard output")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--flow", choices=("in_to_out", "out_to_in"), help="only what goes this way")
    parser.add_argument("--match", type=prefix, default=b"", metavar="PREFIX",
                        help=r"only messages whose first frame begins so; \xNN is a byte, \\ a backslash")
    parser.add_argument("--overflow", choices=("drop", "block"), default="drop",
                        help="what a device does when the recording is slower: leave messages out, or wait for it")
    parser.add_argument("--rotate", type=_size_or_time, metavar="SIZE|TIME",
                        help="begin another file after so much, such as 100MB or 1h; files are numbered")
    parser.add_argument("--free", type=_size, default=0, metavar="SIZE",
                        help="end when the disk has less than this left")
    parser.add_argument("--for", dest="seconds", type=duration, metavar="TIME", help="end after this time, such as 10s")
    parser.add_argument("--count", type=_number, metavar="N", help="end after so many messages")
    parser.add_argument("--compression", choices=("zstd", "lz4", "none"), default="zstd", help="default: zstd")
    add_format(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Return 0 when it ends as told or with the topology; 1 when it cannot write; 2 for an unknown device; 69."""
    if args.output == "-":
        if args.rotate or args.format == "json":
            args.usage_error("--rotate and --format json need a file: -o - is standard output")
        if sys.stdout.isatty():
            args.usage_error("a recording is not for a terminal; say where to with -o FILE")
    return needs_mcap("record", lambda: talk(args.topology, lambda client: _record(client, args)))


def _record(client: Client, args: argparse.Namespace) -> int:
    from zmqtopo.control.client import connect
    from zmqtopo.control.errors import ControlError
    from zmqtopo.observe.interrupt import Interrupt
    from zmqtopo.observe.recording.errors import WriteError
    from zmqtopo.observe.recording.origin import descriptions
    from zmqtopo.observe.recording.recorder import Recorder
    from zmqtopo.observe.recording.tap_source import TapSource
    from zmqtopo.observe.tap.reader import TapReader, UnknownTapError

    known = descriptions(client.devices())

    def describe(device: str) -> dict[str, str]:
        if device not in known:     # a reload has brought it
            with contextlib.suppress(ControlError), connect(client.name) as another:
                known.update(descriptions(another.devices()))
        return known.get(device, {})

    try:
        with Interrupt() as interrupt, TapReader(
            client, args.devices, flow=args.flow, overflow=args.overflow, prefix=args.match
        ) as reader:
            recorder = Recorder(_plan(client, args), describe)
            note(f"recording {client.name} to {_where(recorder)}; Ctrl-C ends it")
            began = time.monotonic()
            recorder.run(TapSource(reader, note), lambda: interrupt.signal is not None)
            recorder.close(lambda: {key: str(value) for key, value in _totals(recorder, reader).items()})
            _report(args, recorder, reader, time.monotonic() - began)
    except UnknownTapError as error:
        complain(str(error))
        return EXIT_USAGE
    except WriteError as error:
        complain(str(error))
        return EXIT_FAILURE
    return EXIT_FAILURE if recorder.failed else 0


def _plan(client: Client, args: argparse.Namespace) -> Plan:
    from zmqtopo.observe.recording.origin import attachments, metadata
    from zmqtopo.observe.recording.recorder import Plan

    chosen = [*args.devices, *([args.flow] if args.flow else []), *([f"match {args.match!r}"] if args.match else [])]
    said = {"overflow": args.overflow} | ({"filter": ", ".join(chosen)} if chosen else {})
    kind, amount = args.rotate or ("", 0)
    return Plan(
        args.output, args.force, args.compression, int(amount) if kind == "size" else None,
        amount if kind == "time" else None, args.free, args.seconds, args.count,
        metadata(client.name, client.source, said), attachments(client.source),
    )


def _totals(recorder: Recorder, reader: TapReader) -> dict[str, int]:
    """What has passed, as exactly as the topology tells; what was shown and is in no file was left out too."""
    recorded = recorder.recorded
    passed = max(reader.passed, recorded)
    return {"passed": passed, "recorded": recorded, "left_out": passed - recorded}


def _where(recorder: Recorder) -> str:
    return "standard output" if recorder.files[0] == "-" else recorder.files[0]


def _report(args: argparse.Namespace, recorder: Recorder, reader: TapReader, seconds: float) -> None:
    totals = _totals(recorder, reader)
    if recorder.failed:
        complain(f"the recording has ended: {recorder.reason}; devices keep running")
    if args.format == "json":
        emit_json({"files": recorder.files, "seconds": round(seconds, 3), "reason": recorder.reason, **totals})
        return
    number, last = len(recorder.files), recorder.files[-1]
    files = _where(recorder) if number == 1 else f"{number} files, the last {last}"
    why = "" if recorder.failed or recorder.reason == "interrupted" else f"; {recorder.reason}"
    out = "left out or not matching" if args.match else "left out"
    note(f"{count(totals['recorded'], 'message')} in {files}; {totals['passed']:,} passed, {totals['left_out']:,} "
         f"{out}{why}")


# -- values of options -----------------------------------------------------------------------------------------------


def _in_units(text: str, units: dict[str, float]) -> float:
    form = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([A-Za-z]+)", text)
    return float(form[1]) * units[form[2]] if form and form[2] in units else 0.0


def _size(text: str) -> int:
    size = _in_units(text, dict(_SIZES))
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size, such as 500MB or 1GiB")
    return int(size)



def _size_or_time(text: str) -> tuple[str, float]:
    size, seconds = _in_units(text, dict(_SIZES)), _in_units(text, _TIMES)
    if size >= SMALLEST_FILE:
        return "size", size
    if seconds >= 1:
        return "time", seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a size from 10kB on or a time from 1s on, such as 100MB or 1h")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:16]) > 0 and len(text) <= 15):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
