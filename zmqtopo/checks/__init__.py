"""Everything that can be said about a topology without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zmqtopo.config.model import Topology
from zmqtopo.config.problem import Problem, below

if TYPE_CHECKING:
    from zmqtopo.checks.rule import Rule
    from zmqtopo.checks.running_topology import Present
    from zmqtopo.config.load import Loaded

__all__ = [
    "Checked", "check_file", "check_machine", "check_topology", "examine", "examine_all", "examine_mapping",
    "examine_text", "in_order",
    "with_machine",
]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was read and checked.

    ``file`` is its name in reports. ``topology`` is None when nothing could be made of it. ``problems``
    are sorted by place, each once. ``lines`` are those of the topology, for quoting; ``above`` is the
    number of lines above them, where it is a part of a file.
    """

    file: str
    topology: Topology | None
    problems: list[Problem]
    lines: Sequence[str]
    above: int = 0

    @property
    def has_errors(self) -> bool:
        """Whether one of the problems is an error, so that the topology must not run."""
        return any(problem.severity == "error" for problem in self.problems)


def examine(
    path: str | os.PathLike[str], *, strict_variables: bool = False, environ: Mapping[str, str] | None = None,
    streams: bool = True,
) -> Checked:
    """Read and check the file at ``path`` (``-`` is standard input); nothing is raised for its content.

    With ``strict_variables`` an undefined variable is an error, as it is for ``up``. ``environ`` stands
    in for the environment. Without ``streams`` a pipe or a device, which may have to be waited for, is a problem.
    """
    from zmqtopo.config.load import read

    return _checked(read(os.fspath(path), strict_variables=strict_variables, environ=environ, streams=streams))


def examine_all(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None,
                exclude: Sequence[str] = ()) -> Iterator[Checked]:
    """As `examine`, of every topology below a folder and in the fenced blocks of a Markdown file too.

    ``exclude`` are patterns of the shell for files and folders below a folder that are left out.
    """
    from zmqtopo.config.load import read_all

    return map(_checked, read_all(path, environ=environ, exclude=exclude))


def examine_text(text: str, file: str = "<text>", *, environ: Mapping[str, str] | None = None) -> Checked:
    """As `examine`, of a text that is already here; ``file`` is its name in reports."""
    from zmqtopo.config.load import read_text

    return _checked(read_text(text, file, environ=environ))


def examine_mapping(content: Mapping[str, Any], *, strict_variables: bool = False) -> Checked:
    """As `examine`, of a mapping with the keys of a file. Raises TypeError for what no file can have."""
    from zmqtopo.config.load import read_mapping

    return _checked(read_mapping(content, strict_variables=strict_variables))


def check_file(path: str | os.PathLike[str], *, strict_variables: bool = False) -> list[Problem]:
    """Every problem of the file at ``path``, sorted by place, each once."""
    return examine(path, strict_variables=strict_variables).problems


def check_topology(topology: Topology) -> list[Problem]:
    """Every problem that the rules find in a topology, sorted by place, each once."""
    from zmqtopo.checks.graph import Graph
    from zmqtopo.checks.rules import TOPOLOGY_RULES

    graph = Graph(topology)
    return in_order([problem for rule in TOPOLOGY_RULES for problem in rule.problems(graph)])


def check_machine(
    topology: Topology, present: Present | None = None, rules: Sequence[Rule] | None = None
) -> list[Problem]:
    """What keeps this machine from running ``topology`` now, sorted by place; takes some seconds at most.

    Every port is bound for an instant and let go of: it may be taken a moment later. With ``present`` it is asked
    about what is new beside that. ``rules`` are the ones to ask, by default all about the machine.
    """
    from zmqtopo.checks.graph import Graph
    from zmqtopo.checks.machine import MACHINE_RULES

    graph = Graph(topology, present)
    if present is not None:
        graph.binds, graph.connects = (tuple(link for link in links if link.end.owner.name in present.fresh)
                                       for links in (graph.binds, graph.connects))
    return in_order([problem for rule in (MACHINE_RULES if rules is None else rules)
                     for problem in rule.problems(graph)])


def with_machine(checked: Checked, present: Present | None = None, rules: Sequence[Rule] | None = None) -> Checked:
    """The file with the problems of this machine too, but for what its comments silence; see `check_machine`."""
    from zmqtopo.checks.ignore import Ignores

    if checked.topology is None:
        return checked
    found = Ignores(checked.file, checked.lines).kept(check_machine(checked.topology, present, rules))
    return replace(checked, problems=in_order([*checked.problems, *(below(p, checked.above) for p in found)]))


def in_order(problems: list[Problem]) -> list[Problem]:
    """Problems sorted by place, each once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.sort_key)


def _checked(loaded: Loaded) -> Checked:
    from zmqtopo.checks.ignore import Ignores

    lines = loaded.source.lines
    ignores = Ignores(loaded.source.file, lines)
    # What could not be read left a hole in the topology, and no comment makes that fit to run.
    problems = [problem for problem in loaded.problems if problem.severity == "error"]
    opinions = [problem for problem in loaded.problems if problem.severity != "error"]
    if loaded.topology is not None:
        opinions += check_topology(loaded.topology)
    problems += ignores.kept(opinions)
    problems += ignores.kept(ignores.unused(complete=not loaded.problems))
    above = loaded.source.above
    problems = in_order([below(problem, above) for problem in problems])
    return Checked(loaded.source.file, loaded.topology, problems, lines, above)
