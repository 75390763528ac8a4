"""The command: finds the verb, imports its module and no other, and turns what happens into an exit code.

It stands on argparse. With click 8.5 and a lazy group in its place, `ps` and `--version` took 1.16 and 1.18 times the
CPU, and completion lost the values behind ``=`` in bash and all bash before 4.4.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Final, NoReturn

from zmqtopo.cli.output import OutputError, emit
from zmqtopo.exit_codes import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, EXIT_USAGE

_OPERAND: Final = "\0"
"""Put before what stands behind ``--``, so that argparse does not look at its dash; no argument of a process has one.

Parsing options and operands in any order, argparse loses ``--`` on the way from the former to the latter."""


VERBS: Final = {
    "init": "write a first topology to change",
    "validate": "find every problem of topology files",
    "graph": "draw a topology",
    "convert": "make a topology of an old device configuration",
    "up": "run a topology, in the foreground or with -d in the background",
    "ps": "show what runs, and how",
    "logs": "print the log of a running topology",
    "stop": "stop devices of a running topology, having passed on what they received",
    "start": "start devices of a running topology that were stopped or have failed",
    "restart": "stop and start devices of a running topology",
    "pause": "let devices of a running topology take no more messages",
    "resume": "let paused devices of a running topology continue",
    "replay": "send the messages of a recording again",
    "recording": "tell what is in a recording, cut it, or export it as JSON",
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


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, which break when an option is added, and suggests what was meant."""

    def __init__(self, prog: str, description: str, usage: str | None = None, epilog: str | None = None) -> None:
        self.actions: list[argparse.Action] = []
        """What it takes, options and positionals, in the order of the help: argparse keeps that to itself."""
        super().__init__(prog, usage, description, epilog, allow_abbrev=False)
        self.alone: dict[str, str] = {}
        """Options whose value has to come with ``=``, since it may be left out, and what it is then."""

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Take an argument, as argparse says; this is where `actions` learns of it."""
        action = super().add_argument(*names, **settings)
        self.actions.append(action)
        return action

    def one_of(self) -> OneOf:
        """Options of which at most one may be given, for `add_mutually_exclusive_group`, which hides them."""
        return OneOf(self)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse; a mistake writes a message and raises SystemExit(2)."""
        takes_the_rest = any(action.nargs == argparse.REMAINDER for action in self.actions)
        # Intermixed: names may follow the options, as in `stop NAME --format json DEVICE`.
        parse = self.parse_known_args if takes_the_rest else self.parse_known_intermixed_args
        end = arguments.index("--") if "--" in arguments and not takes_the_rest else len(arguments)
        args, unknown = parse([
            *(f"{argument}={self.alone[argument]}" if argument in self.alone else argument
              for argument in arguments[:end]),
            *(argument if argument == "-" else f"{_OPERAND}{argument}" for argument in arguments[end + 1:]),
        ])
        for name, value in vars(args).items():
            setattr(args, name, _without_mark(value))
        for argument in unknown:
            if argument.startswith("-"):
                known = [name for action in self.actions for name in action.option_strings]
                self.fail("option", argument.partition("=")[0], known)
            self.error(f"unexpected argument {_without_mark(argument)!r}")
        return args

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse, which lists the choices, with what was probably meant."""
        from zmqtopo.config.wording import closest, listing

        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        near = closest(str(value), known)
        raise argparse.ArgumentError(action, f"invalid choice: {value!r}; "
                                     + (f"did you mean {near!r}?" if near else f"write {listing(known)}"))

    def fail(self, thing: str, word: str, known: Sequence[str]) -> NoReturn:
        """End with a usage error that names what is nearest to ``word``."""
        from zmqtopo.config.wording import closest

        near = closest(word, known)
        self.error(f"there is no {thing} {word!r}" + (f"; did you mean {near!r}?" if near else ""))


class OneOf:
    """Options of a parser of which at most one may be given."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._group = parser.add_mutually_exclusive_group()

    def add_argument(self, *names: Any, **settings: Any) -> None:
        """Take an option, as argparse says."""
        self._parser.actions.append(self._group.add_argument(*names, **settings))


def _without_mark(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_mark(each) for each in value]
    return value.removeprefix(_OPERAND) if isinstance(value, str) else value


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
    if not arguments or arguments[0].startswith("-"):
        return _without_verb(arguments)
    verb = arguments[0]
    if verb not in VERBS:
        _parser().fail("verb", verb, list(VERBS))
    module, parser = load(verb)
    code: int = module.run(parser.parse(arguments[1:]))
    return code


def load(verb: str) -> tuple[ModuleType, Parser]:
    """Import the module of a verb; its parser knows what it takes."""
    module = import_module(f"zmqtopo.cli.{_MODULES.get(verb, verb)}")
    parser = Parser(f"zmqtopo {verb}", f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.")
    module.add_arguments(parser)
    return module, parser


def _parser() -> Parser:
    parser = Parser(
        "zmqtopo", "Run ZeroMQ brokers from one YAML file that is checked before it runs.",
        "zmqtopo [-h] [--version] VERB ...", "`zmqtopo VERB --help` explains a verb.",
    )
    parser.add_argument("--version", action="store_true", help="print the versions of zmqtopo and its dependencies")
    verbs = parser.add_argument_group("verbs")
    for verb, words in VERBS.items():
        verbs.add_argument(verb, nargs="?", help=words)
    return parser


def _without_verb(arguments: list[str]) -> int:
    parser = _parser()
    if parser.parse(arguments).version:
        from zmqtopo.cli.version import versions

        emit(f"{versions()}\n")
        return 0
    parser.print_help(sys.stderr)
    return EXIT_USAGE
