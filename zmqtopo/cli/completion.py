"""``zmqtopo completion``: let a shell complete verbs, options, topologies and devices."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from zmqtopo.cli import VERBS, common_options, load
from zmqtopo.cli.output import emit
from zmqtopo.cli.parser import Parser
from zmqtopo.config.wording import listing

FILES: Final = ":files"
"""A line that stands for the files that begin with the word; no name has a colon."""

YAML: Final = ":yaml"
"""As `FILES`, but those of topologies come first: where there are some, or folders, no others are offered."""

_BASH: Final = r"""# Completion of zmqtopo for bash. In ~/.bashrc:  eval "$(zmqtopo completion bash)"
_zmqtopo() {
    local line cur=${COMP_WORDS[COMP_CWORD]}
    [[ $cur == "=" ]] && cur=""
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == ":files" || $line == ":yaml" ]]; then
            compopt -o filenames 2>/dev/null    # bash 3.2 has none, and adds no slash to a folder then
            local found=${#COMPREPLY[@]}
            if [[ $line == ":yaml" ]]; then
                while IFS= read -r line; do COMPREPLY+=("$line"); done \
                    < <(compgen -f -X '!*.y*ml' -- "$cur"; compgen -d -- "$cur")
            fi
            if (( ${#COMPREPLY[@]} == found )); then
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
            fi
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("${1/#\~\//$HOME/}" completion bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _zmqtopo zmqtopo
"""

_ZSH: Final = r"""#compdef zmqtopo
# Completion of zmqtopo for zsh. In ~/.zshrc, after compinit:  source <(zmqtopo completion zsh)
_zmqtopo() {
    local line files
    local -a found
    for line in "${(@f)$(${~words[1]} completion zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == ":files" ]]; then
            files=yes
        elif [[ $line == ":yaml" ]]; then
            files=yaml
        elif [[ -n $line ]]; then
            found+=("${${line//:/\\:}/$'\t'/:}")
        fi
    done
    (( $#found )) && _describe zmqtopo found
    [[ $files == yes ]] && _files
    [[ $files == yaml ]] && _files -g '*.(yaml|yml)'
}
if [[ $funcstack[1] == _zmqtopo ]]; then
    _zmqtopo "$@"
else
    compdef _zmqtopo zmqtopo
fi
"""

_FISH: Final = r"""# Completion of zmqtopo for fish. In ~/.config/fish/config.fish:  zmqtopo completion fish | source
function __zmqtopo_next
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] completion fish $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":yaml"
            set -l found $current*.yaml $current*.yml
            set -l folders $current*/
            if test (count $found $folders) -gt 0
                printf '%s\n' $found $folders
            else
                __fish_complete_path "$current"
            end
        else if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c zmqtopo -f -a '(__zmqtopo_next)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

HOW: Final = {
    "bash": 'eval "$(zmqtopo completion bash)"', "zsh": "source <(zmqtopo completion zsh)",
    "fish": "zmqtopo completion fish | source",
}
"""What each shell has to be told."""

ANSWER_TIMEOUT: Final = 1.0
"""Seconds that a topology has to tell its devices; nobody who has pressed a key waits longer."""

Candidate = tuple[str, str]
"""A word and what it is, for shells that show that."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("shell", nargs="?", choices=tuple(SCRIPTS), help="print the completion script of this shell")
    # What the script asks with: the words of the line behind the command, up to the one that is to be completed.
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Return 0."""
    if args.shell is None:
        mine = os.path.basename(os.environ.get("SHELL", ""))    # noqa: PTH119 - of any text
        yours = f"; yours is {mine}: {HOW[mine]}" if mine in HOW else ""
        args.usage_error(f"name a shell, {listing(list(SCRIPTS))}{yours}")
    if args.words:
        words = _joined(args.words) if args.shell == "bash" else args.words
        emit("".join(f"{word}\t{what}\n" if what else f"{word}\n" for word, what in candidates(words)))
    else:
        emit(SCRIPTS[args.shell])
    return 0


def candidates(words: Sequence[str]) -> list[Candidate]:
    """What the last of ``words``, which may be empty, can become; `FILES` stands for the files of that beginning."""
    *before, current = words
    common, before = common_options(before)
    if not before or before == ["help"]:
        flags = [("--help", "explain the command"), ("--version", "print the versions"), ("--quiet", "no notes"),
                 ("--no-color", "no colours"), ("--file", "the topology that is meant")]
        if before or not current.startswith("-"):
            return _beginning(current, VERBS.items())
        return _beginning(current, flags)
    if before[0] in ("-f", "--file") and len(before) == 1:
        return [(YAML, "")]
    if before[0] not in VERBS:
        return []
    before[1:1] = [word for option in common for word in option.split("=", 1)]
    return _beginning(current, _Line(load(before[0])[1], before[1:]).next(current))


def _beginning(current: str, found: Iterable[Candidate]) -> list[Candidate]:
    return [(word, what) for word, what in found if word in (FILES, YAML) or word.startswith(current)]


class _Line:
    """What stands on the line already, as the parser of its verb understands it."""

    def __init__(self, parser: Parser, words: Iterable[str]) -> None:
        self._options = {name: action for action in parser.actions for name in action.option_strings}
        self._alone = parser.alone
        self._positionals = [action for action in parser.actions if not action.option_strings]
        self._yaml = parser.yaml
        self._offers = parser.offers
        self._given: list[str] = []
        self._used: set[argparse.Action] = set()
        self._open: argparse.Action | None = None
        """The option whose value comes next."""
        self._only_positionals = False
        for word in words:
            self._take(word)

    def _take(self, word: str) -> None:
        if self._open is not None:
            if self._open.dest == "named" and self._positionals[:1] and self._positionals[0].dest == "topology":
                self._given.insert(0, word)     # it is the topology, and what stands there is the next operand
            self._open = None
        elif word == "--":
            self._only_positionals = True
        elif word.startswith("-") and word != "-" and not self._only_positionals:
            name, equals, _ = word.partition("=")
            action = self._options.get(name)
            if action is not None:
                self._used.add(action)
                if action.nargs != 0 and not equals and name not in self._alone:
                    self._open = action
        else:
            self._given.append(word)

    def next(self, current: str) -> Iterator[Candidate]:
        """What may come next, whatever it begins with."""
        if self._open is not None:
            yield from self._values(self._open, current)
        elif current.startswith("--") and "=" in current and not self._only_positionals:
            name = current.partition("=")[0]
            if name in self._options:
                yield from ((f"{name}={word}", what)
                            for word, what in self._values(self._options[name], current[len(name) + 1:])
                            if word not in (FILES, YAML))
        elif current.startswith("-") and not self._only_positionals:
            for name, action in self._options.items():
                if action not in self._used and action.help != argparse.SUPPRESS:
                    yield name, _first_words(action.help)
        elif self._positionals:
            at = min(len(self._given), len(self._positionals) - 1)
            action = self._positionals[at]
            if len(self._given) <= at or action.nargs in ("*", "+"):
                yield from self._values(action, current)

    def _values(self, action: argparse.Action, current: str) -> Iterator[Candidate]:
        if offers := self._offers.get(action.dest):
            begun = current.rpartition(",")[0]
            taken = begun.split(",")
            yield from ((f"{begun},{word}" if begun else word, "") for word in offers if word not in taken)
            return
        if action.choices is not None:
            yield from ((str(choice), "") for choice in action.choices)
            return
        match str(action.metavar).partition(".")[0]:
            case "TOPOLOGY":
                yield from ((name, what) for name, what in _topologies() if name not in self._given)
                yield YAML, ""
            case "DEVICE" if self._given and self._positionals[0].dest == "topology":
                yield from ((name, what) for name, what in _devices(self._given[0]) if name not in self._given[1:])
            case "TOPIC":
                yield from ((name, what) for name, what in _topics() if name not in self._given)
            case "FILE" | "DRAWING":
                yield YAML if action.dest in self._yaml else FILES, ""


def _topologies() -> Iterator[Candidate]:
    from zmqtopo.control.client import running
    from zmqtopo.control.errors import ControlError

    try:
        there = running()
    except ControlError:
        return      # as for the devices
    yield from ((name, "topology") for name in there)


def _devices(topology: str) -> Iterator[Candidate]:
    from zmqtopo.control.client import connect
    from zmqtopo.control.errors import ControlError

    try:
        with connect(topology) as client:
            devices = client.ask("ps", timeout=ANSWER_TIMEOUT).get("devices", [])
    except ControlError:
        return      # that it does not run is said when the command is entered
    yield from ((device["name"], f"{device['type']}, {device['state']}") for device in devices)


def _topics() -> Iterator[Candidate]:
    from zmqtopo.checks.catalogue import CATALOGUE
    from zmqtopo.report.glossary import terms
    from zmqtopo.report.pages import pages

    for topic, page in pages().items():
        yield topic, page.title
    for name, rule in CATALOGUE.items():
        yield name, rule.severity
    known = {*pages(), *CATALOGUE}
    for term in terms():
        if term.name not in known:
            known.add(term.name)
            yield term.name, term.kind


def _first_words(help_: str | None) -> str:
    return (help_ or "").partition(" (")[0].partition(";")[0]


def _joined(words: Sequence[str]) -> list[str]:
    """Put options and values together again, which bash takes apart at ``=``; the last word stays what it is for bash.

    Behind an ``=`` it completes the value alone, so that the option counts as a word of its own.
    """
    joined: list[str] = []
    *before, current = words
    for word in before:
        if word == "=" and joined and joined[-1].startswith("--"):
            joined[-1] += "="
        elif joined and joined[-1].startswith("--") and joined[-1].endswith("="):
            joined[-1] += word
        else:
            joined.append(word)
    if current == "=":
        return [*joined, ""]
    if joined and joined[-1].startswith("--") and joined[-1].endswith("="):
        joined[-1] = joined[-1][:-1]
    return [*joined, current]
