"""``zmqtopo init``: a first topology to change, and beside it the schema that its editor reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from zmqtopo.cli.output import OutputError, emit, note
from zmqtopo.cli.parser import Parser
from zmqtopo.config.names import DEFAULT_FILE

_HEAD: Final = """\
# yaml-language-server: $schema={schema}
#
# The line above makes editors complete keys and explain them: `zmqtopo schema` writes the file it names.
#
"""

TEMPLATES: Final = {
    "queue": """\
# A queue between programs that ask and programs that answer. Run it with: zmqtopo up {file}
version: 1
devices:
  requests:
    type: queue                    # in is a ROUTER socket, out a DEALER, unless a type says otherwise
    in: {bind: tcp://127.0.0.1:5559}    # programs that ask connect here; * in place of 127.0.0.1 is every interface
    out: {bind: tcp://127.0.0.1:5560}   # programs that answer connect here
""",
    "rpc": """\
# Requests are shared among workers and each reply finds its way back; a copy of both goes to anyone who wants it.
# Run it with: zmqtopo up {file}
version: 1
devices:
  requests:
    type: monitored_queue
    in: {bind: tcp://127.0.0.1:5559}    # ROUTER: clients connect here
    out:                                # DEALER: workers connect here
      bind: tcp://127.0.0.1:5560
      options:
        heartbeat_ivl: 2s               # a worker whose machine has lost its power gets no more requests
        heartbeat_timeout: 6s
    mon:                                # PUB: each message with its direction in front; nobody has to listen
      bind: tcp://127.0.0.1:5561
      prefix: {in: request, out: reply}

# Programs that zmqtopo does not run: `validate` checks that they fit, `graph` draws them.
peers:
  clients: {type: REQ, connect: requests.in}
  workers: {type: REP, connect: requests.out}
  audit: {type: SUB, connect: requests.mon}
""",
    "pubsub": """\
# Any number of publishers, any number of subscribers, one address for each kind. Run it with: zmqtopo up {file}
version: 1
devices:
  events:
    type: forwarder                     # in is XSUB, out is XPUB: subscriptions travel up to the publishers
    in: {bind: tcp://127.0.0.1:5561}    # publishers connect here
    out:
      bind: tcp://127.0.0.1:5562        # subscribers connect here
      options: {sndhwm: 10000}          # messages that wait for one slow subscriber; it loses what comes after these

# Programs that zmqtopo does not run: `validate` checks that they fit, `graph` draws them.
peers:
  publishers: {type: PUB, connect: events.in}
  subscribers: {type: SUB, connect: events.out}
""",
    "pipeline": """\
# Jobs go from producers through two stages to workers, each job to one worker. Run it with: zmqtopo up {file}
version: 1
defaults: {stop_timeout: 10s}           # how long a stop may take to pass on what was received
devices:
  collect:
    type: streamer                      # in is PULL, out is PUSH
    in: {bind: tcp://127.0.0.1:5563}    # producers connect here
    out: {bind: inproc://collected}     # inproc joins devices of one process
  share:
    type: streamer
    in: {connect: collect.out}          # DEVICE.SOCKET is whatever that socket binds
    out: {bind: tcp://127.0.0.1:5564}   # workers connect here

# Programs that zmqtopo does not run: `validate` checks that they fit, `graph` draws them.
peers:
  producers: {type: PUSH, connect: collect.in}
  workers: {type: PULL, connect: share.out}
""",
}
"""The text of each kind; ``{file}`` is the name of the file."""


def template(kind: str, file: str, schema: str) -> str:
    """The topology of that kind, as it stands in ``file`` with a JSON Schema beside it."""
    return _HEAD.replace("{schema}", schema) + TEMPLATES[kind].replace("{file}", file)


SCHEMA: Final = "topology.schema.json"


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.add_file("what to write (default: topology.yaml), - for standard output; an existing file is never "
                    "overwritten", yaml=False)
    parser.add_argument("--kind", choices=list(TEMPLATES), default="queue", help="the pattern (default: queue)")


def run(args: argparse.Namespace) -> int:
    """Return 0, or 1 when the file is there already or cannot be written."""
    files = [*args.named, *([] if args.files is None else [args.files])] or [DEFAULT_FILE]
    if len(files) > 1:
        args.usage_error("one file at a time")
    args.file = files[0]
    if args.file == "-":
        emit(template(args.kind, "FILE", SCHEMA))
        return 0
    from zmqtopo.config.schema.definitions import schema_text

    path = Path(args.file)
    if not _create(path, template(args.kind, args.file, SCHEMA)):
        raise OutputError(f"{path} already exists; not overwritten; name another file")
    note(f"wrote {path}; next: zmqtopo validate {path}")
    schema = path.with_name(SCHEMA)
    if _create(schema, schema_text()):
        note(f"wrote {schema}, which editors read")
    return 0


def _create(path: Path, text: str) -> bool:
    """Write a new file; whether it was not there before."""
    try:
        # "x" and not a look before: between look and write somebody else may make the file.
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return False
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OutputError(f"cannot write to {path}: {reason}") from error
    return True
