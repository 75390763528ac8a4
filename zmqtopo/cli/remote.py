"""What the verbs that talk to a running topology have in common."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from zmqtopo.cli.output import emit
from zmqtopo.config.wording import printable
from zmqtopo.control.client import Client, connect, running
from zmqtopo.control.errors import ControlError, NotRunningError
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.stderr import complain

FORMATS: Final = ("text", "json")


def add_topology(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Take the topology that is meant."""
    parser.add_argument(
        "topology", metavar="TOPOLOGY", nargs="?" if optional else None,
        help="the name of a running topology, or its file" + (" (default: all, in short)" if optional else ""),
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Take the form of what is printed."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="json is for programs (default: text)")


def talk(target: str, do: Callable[[Client], int]) -> int:
    """Connect to a topology and do something; say what goes wrong and return its exit code."""
    return guarded(lambda: _with(target, do))


def guarded(do: Callable[[], int]) -> int:
    """Do something; say what goes wrong and return its exit code, 69 for what is not running."""
    try:
        return do()
    except NotRunningError as error:
        there: list[str] = []
        with contextlib.suppress(ControlError):
            there = running()
        complain(f"{error}; running: {', '.join(there)}" if there and "did you mean" not in str(error) else str(error))
        return EXIT_UNAVAILABLE
    except ControlError as error:
        complain(str(error))
        return EXIT_FAILURE


def refused(response: dict[str, Any]) -> int:
    """Say why something was not done, and return the exit code; 0 when it was."""
    for error in response.get("errors", ()):
        complain(error)
    if response.get("ok"):
        return 0
    return EXIT_USAGE if response.get("reason") == "unknown-device" else EXIT_FAILURE


def emit_json(result: object) -> None:
    """Print a result for programs."""
    emit(json.dumps(result, indent=2) + "\n")


def emit_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, harmless to a terminal; the first row is their heads."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    emit("".join(f"{line}\n" for line in lines))


def _with(target: str, do: Callable[[Client], int]) -> int:
    with connect(target) as client:
        return do(client)
