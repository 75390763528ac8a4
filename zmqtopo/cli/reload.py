"""``zmqtopo reload``: let a running topology become what its file, or another one, says now."""

from __future__ import annotations

import argparse
import os
import sys

from zmqtopo.cli.draining import shown
from zmqtopo.cli.files import completed
from zmqtopo.cli.output import note, tell
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_format, add_topology, emit_json, refused, talk
from zmqtopo.control.client import Client
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_USAGE
from zmqtopo.report.stderr import complain
from zmqtopo.service.status_text import rolled_back
from zmqtopo.service.watch import is_stream

_WORDS = {"done": "reloaded", "unchanged": "nothing has changed", "planned": "dry run: nothing changed"}


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    parser.yaml.add("file")
    parser.add_argument("file", metavar="FILE", nargs="?", help="another file (default: the one that `up` was given)")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 when it is done, or can be, 1 when not and all is as it was, 69 for no topology, 78 for a bad file."""
    if args.file is not None:
        args.file = completed(args.file, args)
    if args.file is not None and (args.file == "-" or is_stream(args.file)):
        what = "standard input" if args.file == "-" else args.file
        complain(f"a running topology cannot read what comes from {what}; name a file")
        return EXIT_USAGE
    return talk(args.topology, lambda client: _reload(client, args))


def _reload(client: Client, args: argparse.Namespace) -> int:
    file = None if args.file is None else os.path.abspath(args.file)  # noqa: PTH100 - follows no links
    with shown(client.name):
        response = client.ask("reload", file=file, dry_run=args.dry_run)
    sys.stderr.write(response.get("report", ""))
    if args.format == "json":
        errors = {} if response.get("ok") else {"errors": response.get("errors", [])}
        restarted = {"restarted": response["restarted"]} if "restarted" in response else {}
        result = response.get("result") or response.get("reason")
        emit_json({"result": result, **response.get("plan", {}), **errors, **restarted})
    else:
        result = f"{client.name}: {_WORDS.get(response['result'], response['result'])}" if response.get("ok") else ""
        tell("".join(f"{line}\n" for line in (response.get("text"), result) if line))
    if response.get("reason") == "bad-file":

        if not response.get("report"):
            refused(response)
        return EXIT_BAD_FILE
    if "note" in response:
        note(f"{client.name}: {response['note']}")
    if response.get("report") and response.get("reason") == "refused":      # it has said why
        complain("not reloaded; nothing is changed")
        return EXIT_FAILURE
    code = refused(response)
    if response.get("reason") == "rolled-back":
        complain(f"not reloaded; {rolled_back(response.get('restarted', []))}")
    return code
