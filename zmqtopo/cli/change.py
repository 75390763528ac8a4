"""``zmqtopo stop``, ``start``, ``restart``, ``pause`` and ``resume``: change what devices of a running topology do."""

from __future__ import annotations

import argparse
from typing import Any

from zmqtopo.cli.draining import shown
from zmqtopo.cli.output import note, tell
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_format, add_timeout, add_topology, emit_json, refused, talk
from zmqtopo.control.client import Client
from zmqtopo.service.status_text import stop_words


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    # With a default, or argparse calls it required.
    parser.add_argument(
        "devices", metavar="DEVICE", nargs="*", default=[], help="devices to act on (default: all)"
    )
    verb = parser.prog.split()[-1]
    if verb in ("stop", "restart"):
        add_timeout(parser)
    add_format(parser)
    parser.set_defaults(verb=verb, timeout=None)


def run(args: argparse.Namespace) -> int:
    """Return 0 when the devices are there, 1 when some are not, 2 for an unknown device, 69 for no such topology."""
    return talk(args.topology, lambda client: _change(client, args))


def _change(client: Client, args: argparse.Namespace) -> int:
    with shown(client.name):
        response = client.ask(args.verb, *args.devices, within=args.timeout)
    devices = response.get("devices", [])
    if args.format == "json":
        emit_json(devices)
    else:
        tell("".join(f"{device['name']}: {device['state']}{_told(device)}\n" for device in devices))
    if response.get("ok") and not devices:
        note(f"nothing to {args.verb}: no device runs")
    return refused(response)


def _told(device: dict[str, Any]) -> str:
    told = stop_words(device)
    return f"; {'its stop: ' if told and device['state'] != 'stopped' else ''}{told}" if told else ""
