"""``zmqtopo metrics``: the metrics of a running topology, as its HTTP server gives them."""

from __future__ import annotations

import argparse

from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.remote import add_topology, talk
from zmqtopo.control.client import ANSWER_TIMEOUT, Client
from zmqtopo.control.errors import ControlError
from zmqtopo.exit_codes import EXIT_UNAVAILABLE
from zmqtopo.observe.extras import MissingExtraError, require
from zmqtopo.report.stderr import complain


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    add_topology(parser)
    parser.add_argument("--format", choices=("prometheus", "openmetrics"), default="prometheus",
                        help="the text format (default: prometheus)")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 69 when the topology does not run or the packages for metrics are not installed."""
    try:
        require("web", "prometheus_client", "metrics")
    except MissingExtraError as error:
        complain(str(error))
        return EXIT_UNAVAILABLE
    return talk(args.topology, lambda client: _print(client, args.format))


def _print(client: Client, form: str) -> int:
    from zmqtopo.observe.metrics import exposition

    answer = client.ask("ps", timeout=ANSWER_TIMEOUT)
    if not answer.get("ok"):
        raise ControlError("; ".join(map(str, answer.get("errors", ()))))
    emit(exposition(answer, openmetrics=form == "openmetrics").decode())
    return 0
