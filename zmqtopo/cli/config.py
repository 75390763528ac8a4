"""``zmqtopo config``: the topology as it is understood, or as it runs, but for its secrets."""

from __future__ import annotations

import argparse
import os

from zmqtopo.cli.files import one_file
from zmqtopo.cli.output import emit, note
from zmqtopo.cli.parser import Parser
from zmqtopo.config.names import is_topology_name
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE
from zmqtopo.report.stderr import complain


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("the topology (default: topology.yaml), - for standard input; or the name of a running one, to see "
                    "what runs")
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="default: yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0, 1 when a topology that runs does not tell, or 78 for a file with errors."""
    runs = _running(args.files) if args.files is not None and not args.named else None
    if isinstance(runs, int):
        return runs
    from zmqtopo.config.dump import dump, dump_json, from_json, written

    if runs is not None:
        emit(f"{runs.rstrip()}\n" if args.format == "json" else written(from_json(runs)))
        return 0
    from zmqtopo.cli.topology import load_or_report

    topology = load_or_report(one_file(args))
    if topology is None:
        return EXIT_BAD_FILE
    emit(dump_json(topology) if args.format == "json" else dump(topology))
    return 0


def _running(name: str) -> str | int | None:
    """What a topology of that name runs with, as JSON, or an exit code; None where a file is meant."""
    if os.path.lexists(name) or not is_topology_name(name):
        return None
    from zmqtopo.control.client import ANSWER_TIMEOUT, connect
    from zmqtopo.control.errors import ControlError, NotRunningError

    try:
        with connect(name) as client:
            response = client.ask("topology", timeout=ANSWER_TIMEOUT)
            if response.get("ok"):
                note(f"{client.name} as it runs, process {client.pid}")
                return str(response["topology"])
            complain("; ".join(map(str, response.get("errors", ()))))
    except NotRunningError:
        return None
    except ControlError as error:
        complain(str(error))
    return EXIT_FAILURE
