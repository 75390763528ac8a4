"""``zmqtopo logs``: what a topology has said since it was started."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable
from typing import Final

from zmqtopo.cli.output import emit
from zmqtopo.cli.remote import add_topology, guarded, only
from zmqtopo.config.wording import closest, quote
from zmqtopo.control.client import Client, find
from zmqtopo.control.errors import NotRunningError
from zmqtopo.control.folder import Folder
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.figures import one_line
from zmqtopo.report.stderr import complain
from zmqtopo.service.log.file import entry, lines, lines_of_last_run

POLL_INTERVAL: Final = 0.1
"""Seconds between two looks of who follows a log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_topology(parser, named=False)
    parser.add_argument("device", metavar="DEVICE", nargs="?", help="only lines about this device")
    parser.add_argument(
        "--previous", action="store_true", help="of the run before, if that did not end as it was told to"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="follow the log until the topology ends")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object per line")


def run(args: argparse.Namespace) -> int:
    """Return 0; 2 for an unknown device; 69 when it does not run, though what it said in the end may still be there."""
    return guarded(lambda: _print(args))


def _print(args: argparse.Namespace) -> int:
    with find(only() if args.topology is None else args.topology) as folder:
        try:
            client: Client | None = Client(folder)
        except NotRunningError:
            client = None
        if args.previous:
            return _print_previous(folder, args, client)
        if client is None:
            _show(folder, args, None)
            complain(f"{folder.path.name} is not running")
            return EXIT_UNAVAILABLE
        with client:
            names = [device["name"] for device in client.devices()]
            if args.device is not None and args.device not in names:
                near = closest(args.device, names)
                complain(f"there is no device {quote(args.device)}" + (f"; did you mean {near}?" if near else ""))
                return EXIT_USAGE
            _show(folder, args, client if args.follow else None)
    return 0


def _print_previous(folder: Folder, args: argparse.Namespace, client: Client | None) -> int:
    if client is not None:
        client.close()
    said = lines_of_last_run(folder, is_running=client is not None)
    first = next(said, None)
    if first is None:
        complain(f"no log is left of a run of {folder.path.name} before this one: one that ends as it is told to "
                 "leaves none")
        return EXIT_FAILURE
    _emit(itertools.chain([first], said), args)
    return 0


def _show(folder: Folder, args: argparse.Namespace, follow: Client | None) -> None:
    _emit(lines(folder, lambda: follow is None or follow.has_ended(POLL_INTERVAL)), args)


def _emit(said: Iterable[str], args: argparse.Namespace) -> None:
    for line in said:
        told = entry(line)
        if args.device is not None and (told is None or told.get("device") != args.device):
            continue
        if args.format == "json" and told is not None:
            emit(json.dumps(told) + "\n")     # a line of somebody else's may have anything in its strings
        elif args.format == "text":
            emit(f"{_text(told)}\n" if told is not None else f"{one_line(line.rstrip())}\n")


def _text(told: dict[str, str]) -> str:
    return one_line(f"{told.get('time', '')} {told.get('device') or told.get('topology', '')}: {told['message']}")
