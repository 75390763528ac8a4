"""``zmqtopo down``: end a running topology."""

from __future__ import annotations

import argparse

from zmqtopo.cli.draining import shown
from zmqtopo.cli.output import emit
from zmqtopo.cli.remote import add_format, add_topology, emit_json, refused, talk
from zmqtopo.control.client import Client
from zmqtopo.service.status_text import stop_summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    parser.add_argument("--force", action="store_true", help="stop at once, without draining")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 when it has ended and no device had failed for good, else 1; 69 when it does not run."""
    return talk(args.topology, lambda client: _end(client, args))


def _end(client: Client, args: argparse.Namespace) -> int:
    with shown(args.topology):
        response = client.ask("down", force=args.force)
    devices = response.get("devices", [])
    client.wait_for_the_end()   # afterwards its name is free, and nothing of it is left
    if args.format == "json":
        emit_json(devices)
    else:
        emit("".join(f"{device['name']}: {stop_summary(device)}\n" for device in devices))
    return refused(response) or int(any(device["state"] == "failed" for device in devices))
