"""What the verbs that talk to a running topology have in common."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from zmqtopo.cli.durations import finite
from zmqtopo.cli.output import emit, note
from zmqtopo.cli.parser import Parser, add_named_file
from zmqtopo.config.wording import printable
from zmqtopo.control.client import Client, connect, running, the_one
from zmqtopo.control.errors import AmbiguousError, ControlError, NotRunningError
from zmqtopo.control.places import places
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.stderr import complain

FORMATS: Final = ("text", "json")


def add_topology(
    parser: argparse.ArgumentParser, *, optional: bool = False, many: bool = False, named: bool = True
) -> None:
    """Take the topology that is meant, as ``topology``, None for `the_one`; with ``many`` as a list ``topologies``.

    Where it is ``optional``, None is for all. ``-f FILE`` is another way to name it, but for ``named``, where ``-f`` is
    something else.
    """
    default = "all" if optional else "that of ./topology.yaml, else the only one that runs"
    words = f"the name of a running topology, or its file (default: {default})"
    if many:
        parser.add_argument("topologies", metavar="TOPOLOGY", nargs="*", default=[], help=words)
    else:
        parser.add_argument("topology", metavar="TOPOLOGY", nargs="?", help=words)
    if isinstance(parser, Parser):
        parser.yaml.add("named")
    add_named_file(parser, "the topology of this file, in place of TOPOLOGY", *(() if named else ("--file",)))


def every(args: argparse.Namespace) -> tuple[int, Sequence[str | None]]:
    """The topologies that a verb which takes several is to act on, and the exit code of not finding any.

    None stands for `the_one`. That of a name and a file is one topology.
    """
    targets = list(dict.fromkeys([*args.named, *args.topologies]))
    if not args.all:
        return 0, targets or [None]
    if targets:
        args.usage_error("--all is for every topology; leave out which one")
    found: list[str] = []

    def find() -> int:
        found.extend(running())
        return 0

    code = guarded(find)
    if not found and not code:
        note(f"no topology is running; looked in {', '.join(map(str, places()))}")
    return code, found


def only() -> str:
    """The topology that is meant where none is named, which is said. Raises as `the_one`."""
    name, why = the_one()
    note(f"{name} ({why})")
    return name


def add_format(parser: argparse.ArgumentParser) -> None:
    """Take the form of what is printed."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="json is for programs (default: text)")


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Take how long a stop may take, as ``timeout`` in seconds, None for the ``stop_timeout`` of each device."""
    parser.add_argument("-t", "--timeout", metavar="TIME", type=finite,
                        help="how long draining may take, such as 5s (default: stop_timeout of each device)")


def talk(target: str | None, do: Callable[[Client], int]) -> int:
    """Connect to a topology, None for `the_one`, and do something; say what goes wrong and return its exit code."""
    return guarded(lambda: _with(target, do))


def guarded(do: Callable[[], int]) -> int:
    """Do something; say what goes wrong and return its exit code, 69 for what is not running."""
    try:
        return do()
    except AmbiguousError as error:
        complain(str(error))
        return EXIT_USAGE
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


def _with(target: str | None, do: Callable[[Client], int]) -> int:
    if target is None:
        target = only()
    try:
        client = connect(target)
    except NotRunningError as error:
        raise NotRunningError(f"{error}{_device_of_another(target)}") from None
    with client:
        return do(client)


def _device_of_another(name: str) -> str:
    """What to say when a name that does not run is that of a device of the topology that is meant without any."""
    with contextlib.suppress(ControlError):
        topology, _ = the_one()
        with connect(topology) as client:
            if name in [device["name"] for device in client.devices()]:
                return f"; {topology} has a device of that name: did you mean {topology} {name}?"
    return ""
