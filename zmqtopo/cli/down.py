"""``zmqtopo down``: end a running topology."""

from __future__ import annotations

import argparse
from typing import Any

from zmqtopo.cli.draining import shown
from zmqtopo.cli.output import tell
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_format, add_timeout, add_topology, emit_json, every, refused, talk
from zmqtopo.control.client import Client
from zmqtopo.service.status_text import stop_summary


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser, many=True)
    parser.add_argument("--all", action="store_true", help="every topology that runs")
    add_timeout(parser)
    parser.add_argument("--force", action="store_true", help="stop at once, without draining")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 when it has ended and no device had failed for good, else 1; 69 when it does not run.

    Of several it is the code of the first that is not 0, and all of them are ended.
    """
    code, targets = every(args)
    ended: list[dict[str, Any]] = []
    several = args.all or len(targets) > 1
    for target in targets:
        result = talk(target, lambda client: _end(client, args, ended, several=several))
        code = code or result
    if args.format == "json" and (ended or not code):
        emit_json(ended)
    return code


def _end(client: Client, args: argparse.Namespace, ended: list[dict[str, Any]], *, several: bool) -> int:
    with shown(client.name):
        response = client.ask("down", force=args.force, within=args.timeout)
    devices = response.get("devices", [])
    client.wait_for_the_end()   # afterwards its name is free, and nothing of it is left
    ended += [{"topology": client.name, **device} if several else device for device in devices]
    if args.format != "json":
        prefix = f"{client.name}: " if several else ""
        tell("".join(f"{prefix}{device['name']}: {stop_summary(device)}\n" for device in devices))
    return refused(response) or int(any(device["state"] == "failed" for device in devices))
