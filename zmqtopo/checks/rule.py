"""What a rule is: a small function that finds, and beside it the words that explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zmqtopo.checks.graph import Graph
from zmqtopo.config.explanations import Explanation, Family
from zmqtopo.config.problem import Place, Problem, Severity


class Finding(NamedTuple):
    """What a rule found; the rule's name, its severity and the file make it a `Problem`."""

    place: Place
    message: str
    hint: str = ""
    other: Place | None = None
    severity: Severity | None = None
    """Where it is not that of the rule."""


@dataclass(frozen=True, slots=True)
class Rule(Explanation):
    """A rule about topologies: the words, and the function that finds."""

    find: Callable[[Graph], Iterator[Finding]]

    def problems(self, graph: Graph) -> Iterator[Problem]:
        """The findings in this graph, in no promised order."""
        for found in self.find(graph):
            yield Problem(
                rule=self.name, severity=found.severity or self.severity, message=found.message,
                file=graph.topology.file, place=found.place, hint=found.hint, other=found.other,
            )


def rule(
    family: Family, name: str, severity: Severity, *, finds: str, why: str, bad: str, good: str
) -> Callable[[Callable[[Graph], Iterator[Finding]]], Rule]:
    """Make a rule of the function that finds; `zmqtopo.checks.catalogue` lists all of them."""
    return lambda find: Rule(family, name, severity, finds, why, bad, good, find)
