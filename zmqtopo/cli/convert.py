"""``zmqtopo convert``: device configurations of other programs, old and new, as topology files."""

from __future__ import annotations

import argparse
import codecs
import sys
from pathlib import Path
from typing import Final

from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.convert import FORMATS, ConvertError, convert, guess
from zmqtopo.exit_codes import EXIT_BAD_FILE

_MAX_BYTES: Final = 1024 * 1024
"""Size of a file; one with a thousand devices takes a quarter of it."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("the old configuration, - for standard input", yaml=False)
    parser.add_argument(
        "--from", dest="form", choices=FORMATS,
        help="zdcf for the ZeroMQ Device Configuration File in JSON, zpl for it in ZPL, xml for the XML of zmq_queue, "
        "zmq_forwarder, zmq_streamer and zmq_deviced, fairmq for the JSON of FairMQ; default: what the text tells",
    )
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write it (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 78 for a file that cannot be converted."""
    from zmqtopo.report.visible import visible

    files = [*args.named, *([] if args.files is None else [args.files])]
    if len(files) != 1:
        args.usage_error("the following arguments are required: FILE" if not files else "one file at a time")
    args.file = files[0]
    name = "<stdin>" if args.file == "-" else args.file
    try:
        text = _read(args.file)
        converted = convert(text, args.form or guess(text))
    except ConvertError as error:
        hint = f"; {error.hint}" if error.hint else ""
        print(visible(f"{name}:{error.line}: error: {error.message}{hint}"), file=sys.stderr)
        return EXIT_BAD_FILE
    for note in sorted(converted.notes, key=lambda note: note.line):
        print(visible(f"{name}:{note.line}: note: {note.text}"), file=sys.stderr)
    emit(converted.text, args.output)
    return 0


def _read(path: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as opened:
                data = opened.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConvertError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}", 1) from None
    if len(data) > _MAX_BYTES:
        raise ConvertError(f"the file is larger than {_MAX_BYTES // 2**20} MiB: is this the right one?", 1)
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConvertError(f"the byte 0x{data[error.start]:02x} is not UTF-8", data.count(b"\n", 0, error.start) + 1,
                           "save the file as UTF-8") from None
