"""The command: finds the verb, imports its module and no other, and turns what happens into an exit code.

It stands on argparse. With click 8.5 and a lazy group in its place, `ps` and `--version` took 1.16 and 1.18 times the
CPU, and completion lost the values behind ``=`` in bash and all bash before 4.4.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Final

from zmqtopo.cli import output
from zmqtopo.cli.output import OutputError, emit
from zmqtopo.cli.parser import Parser as Parser
from zmqtopo.exit_codes import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, EXIT_USAGE

VERBS: Final = {
    "init": "write a first topology to change",
    "demo": "run a pipeline and a million messages through it, and show what was counted",
    "validate": "find every problem of topology files",
    "graph": "draw a topology",
    "convert": "make a topology of an old device configuration",
    "up": "run a topology, in the foreground or with -d in the background",
    "ps": "show what runs, and how",
    "tap": "show messages that pass the devices of a running topology",
    "peers": "show who is connected to a running topology, and who could not get in",
    "logs": "print the log of a running topology",
    "top": "show what passes each device of running topologies, every second",
    "metrics": "print the metrics of a running topology, in the text format of Prometheus",
    "export": "print alert rules for Prometheus, or a dashboard for Grafana",
    "stop": "stop devices of a running topology, having passed on what they received",
    "start": "start devices of a running topology that were stopped or have failed",
    "restart": "stop and start devices of a running topology",
    "pause": "let devices of a running topology take no more messages",
    "resume": "let paused devices of a running topology continue",
    "record": "record messages that pass devices of a running topology",
    "replay": "send the messages of a recording again",
    "recording": "tell what is in a recording, cut it, or export it as JSON",
    "keys": "make, list and check the certificates of CURVE that security profiles name",
    "reload": "let a running topology become what its file says now, touching only what has changed",
    "down": "end a running topology, as Ctrl-C does",
    "bench": "measure devices on this machine, beside zmq.proxy and others",
    "config": "print a topology as it is understood, with everything filled in",
    "explain": "print the page about a topic, or what a rule finds and why, with examples",
    "schema": "print the JSON Schema of topology files, for editors",
    "completion": "print what a shell needs to complete verbs, options, topologies and devices",
}
"""Each verb with its help. Its module ``zmqtopo.cli.VERB`` has ``add_arguments(parser)`` and ``run(args) -> int``."""

_MODULES: Final = dict.fromkeys(("stop", "start", "restart", "pause", "resume"), "change")
"""The verbs that share one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (by default that of the process) and return its exit code.

    A usage error raises SystemExit(2), as argparse does. An exception that is not a user's mistake comes
    out as it is: a traceback is what a bug report needs.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal in ASCII is no reason to fail
    try:
        code = _dispatch(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()  # who read it has seen enough
        return EXIT_BROKEN_PIPE
    except ImportError as error:
        if error.name not in ("zmqtopo.loop._loop", "zmqtopo.bench._ends"):
            raise
        print(f"zmqtopo: error: {error}", file=sys.stderr)
        return 1
    except OutputError as error:
        from zmqtopo.config.wording import printable

        _abandon_stdout()
        print(f"zmqtopo: error: {printable(str(error))}", file=sys.stderr)
        return 1
    return code


def _open_what_is_closed() -> None:
    """Let the standard streams that this process was started without lead nowhere.

    Python has None for them, and the next file or socket would get their number and what is meant for them.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)      # the lowest number that is free
            setattr(sys, name, open(number, mode, closefd=False))   # noqa: SIM115 - as long as the process


def _abandon_stdout() -> None:
    """Let what is still in the buffer go nowhere: Python flushes once more at exit, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    common, arguments = common_options(arguments)
    if not arguments or arguments[0].startswith("-"):
        return _without_verb(arguments)
    verb, *rest = arguments
    if verb == "version" and verb not in VERBS:
        return _without_verb(["--version", *rest])
    if verb == "help" and verb not in VERBS:
        return _help(rest)
    _check(verb)
    module, parser = load(verb)
    if any(option.startswith("--file=") for option in common) and not parser.takes_file:
        parser.error(f"{verb} takes no topology file")
    args = parser.parse([*common, *rest])
    output.quiet = args.quiet
    if args.no_color:
        os.environ["NO_COLOR"] = "1"    # for the processes that it starts, too
    code: int = module.run(args)
    return code


def common_options(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the verb and belongs to it, and the rest."""
    found: list[str] = []
    rest = list(arguments)
    while rest:
        name, equals, value = rest[0].partition("=")
        if name in ("-q", "--quiet", "--no-color") and not equals:
            found.append(rest.pop(0))
        elif name in ("-f", "--file") and (equals or len(rest) > 1):
            found.append(f"--file={value if equals else rest.pop(1)}")
            rest.pop(0)
        else:
            break
    return found, rest


def _check(verb: str) -> None:
    """End with a usage error for what is no verb."""
    if verb not in VERBS:
        from zmqtopo.cli.habits import suggestion

        _parser().error(f"there is no verb {verb!r}{suggestion(verb, VERBS)}")


def load(verb: str) -> tuple[ModuleType, Parser]:
    """Import the module of a verb; its parser knows what it takes."""
    module = import_module(f"zmqtopo.cli.{_MODULES.get(verb, verb)}")
    parser = Parser(f"zmqtopo {verb}", f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.")
    module.add_arguments(parser)
    parser.add_common()
    parser.set_defaults(usage_error=parser.error)
    return module, parser


def _parser() -> Parser:
    parser = Parser(
        "zmqtopo", "Run ZeroMQ brokers from one YAML file that is checked before it runs.",
        "zmqtopo [-h] [-V] [-f FILE] [-q] [--no-color] VERB ...",
        "`zmqtopo VERB --help`, or `zmqtopo help VERB`, explains a verb.",
    )
    parser.add_argument("-V", "--version", action="store_true",
                        help="print the versions of zmqtopo and its dependencies")
    parser.add_named_file("the topology that is meant, for the verb that follows")
    parser.add_common()
    verbs = parser.add_argument_group("verbs")
    for verb, words in VERBS.items():
        verbs.add_argument(verb, nargs="?", help=words)
    return parser


def _help(arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")]
    for verb in words:
        _check(verb)
    if not words:
        _parser().print_help()
    for verb in words:
        load(verb)[1].print_help()
    return 0


def _without_verb(arguments: list[str]) -> int:
    parser = _parser()
    if parser.parse(arguments).version:
        from zmqtopo.cli.version import versions

        emit(f"{versions()}\n")
        return 0
    parser.print_help(sys.stderr)
    return EXIT_USAGE
