"""``zmqtopo peers``: who is connected to a running topology, who tries to be, and who could not get in."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import emit, note, wait
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.peer_table import SORTS, past, present, sort
from zmqtopo.cli.remote import add_format, add_topology, emit_json, refused, talk
from zmqtopo.cli.table import terminal_width
from zmqtopo.config.wording import count, printable, quote
from zmqtopo.control.client import ANSWER_TIMEOUT, Client
from zmqtopo.control.errors import NotRunningError
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_USAGE
from zmqtopo.observe.peers import PRESENT, Peers, ask, find, name, shown, unknown
from zmqtopo.observe.peers.watch import Changes, summary, text
from zmqtopo.report.colour import wants_colour
from zmqtopo.report.stderr import complain

INTERVAL: Final = 1.0
"""Seconds from one look to the next with ``--watch``."""

MOST_NAMED: Final = 10
"""Peers that are named when more than one is meant."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    parser.add_argument("device", metavar="DEVICE", nargs="*", help="only these devices (default: all)")
    kind = parser.one_of()
    kind.add_argument("--closed", action="store_true", help="those that went, up to the last 100 of each device")
    kind.add_argument("--failed", action="store_true",
                      help="those that could not get in and why, up to the last 100 of each device")
    kind.add_argument("-w", "--watch", metavar="SECONDS", type=duration,
                      help=f"print who comes, goes and fails; look every {INTERVAL:g} s unless SECONDS says otherwise")
    kind.add_argument("--drop", metavar="PEER",
                      help="cut a peer off, by its id, address or process; most come again at once")
    parser.alone |= dict.fromkeys(("-w", "--watch"), f"{INTERVAL:g}")
    parser.add_argument("--sort", choices=SORTS, help="by which column (default: in the order of the file)")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when a process does not answer or who was meant has just gone; 2 for who is unknown; 69."""
    return talk(args.topology, lambda client: _act(client, args))


def _act(client: Client, args: argparse.Namespace) -> int:
    found = ask(client, args.device)
    if found.refusal is not None:
        return refused(found.refusal)
    if args.drop is not None:
        return _drop(client, found.of("connected", "handshake"), args.drop)
    if args.watch is not None:
        return _watch(client, found, args)
    rows = found.of(*(("closed",) if args.closed else ("failed",) if args.failed else PRESENT))
    # Where peers are not tracked at all, that is the reason why there is no row.
    if rows or args.format == "json" or any(device["noted"] != "off" for device in found.devices):
        _print(rows, args)
    return _remark(found)


def _print(rows: Sequence[dict[str, Any]], args: argparse.Namespace) -> None:
    shown = sort(rows, args.sort) if args.sort else list(rows)
    if args.format == "json":
        emit_json(shown)
        return
    if not shown:
        note("no closed connections" if args.closed else "no failed connections" if args.failed else
             "nobody is connected")
        return
    table = past if args.closed or args.failed else present
    emit("".join(f"{line}\n" for line in table(shown, terminal_width(), colour=wants_colour(sys.stdout))))


def _remark(found: Peers) -> int:
    """Say of which devices it is not known, and return the exit code."""
    off = [device["name"] for device in found.devices if device["noted"] == "off"]
    silent = [device["name"] for device in found.devices if device["noted"] == "no answer"]
    if off:
        note(f"peers are not tracked for {', '.join(off[:MOST_NAMED])}{' and others' if len(off) > MOST_NAMED else ''}")
    if found.left_out:
        note(f"{count(found.left_out, 'row')} left out")
    if silent:
        complain(f"no answer from the process of {', '.join(silent[:MOST_NAMED])}"
                 f"{' and others' if len(silent) > MOST_NAMED else ''}")
    return EXIT_FAILURE if silent else 0


def _drop(client: Client, rows: Sequence[dict[str, Any]], word: str) -> int:
    meant = find(rows, word)
    if len(meant) != 1:
        if meant:
            complain(f"{count(len(meant), 'peer')} can be meant by {quote(word)}; name one by its id:")
            for row in meant[:MOST_NAMED]:
                note(shown(row))
        else:
            complain(unknown(word, rows))
        return EXIT_USAGE
    [row] = meant
    code = refused(client.ask("drop", peer=row["id"], timeout=ANSWER_TIMEOUT))
    if not code:
        emit(f"{name(row)} is cut off from {row['device']}.{row['socket']}\n")
    return code


def _watch(client: Client, found: Peers, args: argparse.Namespace) -> int:
    """Print what changes until Ctrl-C or the end of the topology."""
    changes = Changes(found)
    note(summary(found))
    while True:
        wait(args.watch)
        try:
            found = ask(client, args.device)
        except NotRunningError:
            note(f"{client.name} has ended")
            return 0
        if found.refusal is not None:
            if found.refusal.get("reason") == "refused":    # it is about to end
                continue
            return refused(found.refusal)       # the device is no more
        for event in changes.since(found):
            emit(f"{json.dumps(event) if args.format == 'json' else _line(event)}\n")


def _line(event: dict[str, Any]) -> str:
    return printable(f"{time.strftime('%H:%M:%S', time.localtime(event['time']))} {text(event)}")
