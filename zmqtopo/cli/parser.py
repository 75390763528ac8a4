"""The parser of a verb's arguments: no abbreviations, suggestions for what was mistyped, and options that all take."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

_OPERAND: Final = "\0"
"""Put before what stands behind ``--``, so that argparse does not look at its dash; no argument of a process has one.

Parsing options and operands in any order, argparse loses ``--`` on the way from the former to the latter."""

_QUANTITY: Final = re.compile(r"\d+(\.\d+)?(ms|s|m|h)?|inf")
"""What follows an option whose value may be left out, when it is its value."""


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, which break when an option is added, and suggests what was meant."""

    def __init__(self, prog: str, description: str, usage: str | None = None, epilog: str | None = None) -> None:
        self.actions: list[argparse.Action] = []
        """What it takes, options and positionals, in the order of the help: argparse keeps that to itself."""
        self.offers: dict[str, Sequence[str]] = {}
        super().__init__(prog, usage, description, epilog, allow_abbrev=False)
        self.yaml: set[str] = set()
        """The names of what it takes that are topology files, which completion offers before any others."""
        self.alone: dict[str, str] = {}
        """Options whose value may be left out, and what it is then; it comes with ``=`` or is a number or a time."""

    def add_argument(self, *names: Any, offers: Sequence[str] = (), **settings: Any) -> argparse.Action:
        """Take an argument, as argparse says; this is where `actions` learns of it.

        ``offers`` are values that completion offers where any others are taken too, or several with commas.
        """
        action = super().add_argument(*names, **settings)
        self.actions.append(action)
        self.offers[action.dest] = offers
        return action

    def add_file(self, help_: str, *, many: bool = False, yaml: bool = True) -> None:
        """Take a file, or several, as an operand and behind ``-f``; see `zmqtopo.cli.files`.

        With ``yaml`` it is a topology.
        """
        if yaml:
            self.yaml |= {"files", "named"}
        self.add_argument("files", metavar="FILE", nargs="*" if many else "?", default=[] if many else None, help=help_)
        self.add_named_file("the same as FILE")

    def add_named_file(self, help_: str) -> None:
        """Take ``-f FILE``."""
        add_named_file(self, help_)

    def add_common(self) -> None:
        """Take what every verb does."""
        self.add_argument("-q", "--quiet", action="store_true", help="print results and errors only, no notes")
        self.add_argument("--no-color", action="store_true", help="no colours, as with NO_COLOR set")

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
            *self._with_values(arguments[:end]),
            *(argument if argument == "-" else f"{_OPERAND}{argument}" for argument in arguments[end + 1:]),
        ])
        for name, value in vars(args).items():
            setattr(args, name, _without_mark(value))
        for argument in unknown:
            if argument.startswith("-"):
                self._refuse_option(argument.partition("=")[0])
            self.error(f"unexpected argument {_without_mark(argument)!r}")
        named = getattr(args, "named", None) or ()
        for word in named:
            self._check_form(word)
        if hasattr(args, "topology") and named:
            self._name_topology(args)
        return args

    @property
    def takes_file(self) -> bool:
        """Whether a topology file can be named."""
        return any(action.dest == "named" for action in self.actions)

    def _check_form(self, word: str) -> None:
        """End with a usage error where ``-f`` was meant to be the form of the result."""
        forms = [action.choices for action in self.actions if "--format" in action.option_strings and action.choices]
        if forms and word in forms[0] and not os.path.lexists(word):
            self.error(f"-f is for a file, and there is none that is called {word}; write --format {word}")

    def _name_topology(self, args: argparse.Namespace) -> None:
        """Let ``-f FILE`` be the topology; what stands in its place is the next operand then."""
        if len(args.named) > 1:
            self.error(f"one topology at a time: {' and '.join(map(repr, args.named))}")
        operands = [action.dest for action in self.actions if not action.option_strings]
        following = operands[operands.index("topology") + 1:][:1]
        if args.topology is not None:
            value = getattr(args, following[0]) if following else ""
            if isinstance(value, list):
                value.insert(0, args.topology)
            elif value is None:
                setattr(args, following[0], args.topology)
            else:
                self.error(f"unexpected argument {value or args.topology!r}")
        args.topology = args.named[0]

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

    def format_help(self) -> str:
        """The help, with exit codes and an example, which nobody needs who does not ask for it."""
        from zmqtopo.cli.manual import epilog

        verb = self.prog.partition(" ")[2]
        if verb:
            self.epilog = epilog(verb)
            self.formatter_class = argparse.RawDescriptionHelpFormatter
            self.description = _filled(self.description or "")
        return super().format_help()

    def _with_values(self, arguments: Sequence[str]) -> list[str]:
        """The arguments, each option of `alone` with ``=`` and its value."""
        found: list[str] = []
        for argument in arguments:
            if found and found[-1] in self.alone and _QUANTITY.fullmatch(argument):
                found[-1] += f"={argument}"
            else:
                found.append(argument)
        return [f"{argument}={self.alone[argument]}" if argument in self.alone else argument for argument in found]

    def _refuse_option(self, name: str) -> NoReturn:
        from zmqtopo.cli.habits import option

        known = [name for action in self.actions for name in action.option_strings]
        if said := option(name, known):
            self.error(f"there is no option {name!r}; {said}")
        self.fail("option", name, known)


def add_named_file(parser: argparse.ArgumentParser, help_: str, *names: str) -> None:
    """Take ``-f FILE``, or what ``names`` has in place of that."""
    names = names or ("-f", "--file")
    parser.add_argument(*names, metavar="FILE", action="append", default=[], dest="named", help=help_)


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


def _filled(text: str) -> str:
    import shutil
    import textwrap

    return textwrap.fill(text, max(shutil.get_terminal_size().columns - 2, 20), break_on_hyphens=False)
