"""``zmqtopo init``: a first topology to change, and beside it the schema that its editor reads."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from zmqtopo.cli.output import OutputError, emit
from zmqtopo.cli.templates import TEMPLATES, template
from zmqtopo.config.wording import printable

SCHEMA: Final = "topology.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="topology.yaml",
        help="what to write (default: topology.yaml), - for standard output; an existing file is never overwritten",
    )
    parser.add_argument("--kind", choices=list(TEMPLATES), default="queue", help="the pattern (default: queue)")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 1 when the file is there already or cannot be written."""
    if args.file == "-":
        emit(template(args.kind, "FILE", SCHEMA))
        return 0
    from zmqtopo.config.schema.definitions import schema_text

    path = Path(args.file)
    if not _create(path, template(args.kind, args.file, SCHEMA)):
        raise OutputError(f"{path} already exists; not overwritten; name another file")
    _say(f"wrote {path}; next: zmqtopo validate {path}")
    schema = path.with_name(SCHEMA)
    if _create(schema, schema_text()):
        _say(f"wrote {schema}, which editors read")
    return 0


def _create(path: Path, text: str) -> bool:
    """Write a new file; whether it was not there before."""
    try:
        # "x" and not a look before: between look and write somebody else may make the file.
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return False
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OutputError(f"cannot write to {path}: {reason}") from error
    return True


def _say(line: str) -> None:
    print(f"zmqtopo: {printable(line)}", file=sys.stderr)
