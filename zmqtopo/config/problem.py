"""A problem is a value: what a stage found, where, and what to do about it.

Stages return problems; only ``zmqtopo.report`` prints them and only the command line exits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zmqtopo.config.secrets import concealed
from zmqtopo.config.wording import printable

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in the file: line and column count characters from 1.

    ``end_column`` is the column behind the last character on the same line (a value that goes on
    below ends, for a caret, where its first line ends). ``Place()`` is "the file as a whole".
    """

    line: int = 1
    column: int = 1
    end_column: int = 1

    def below(self, lines: int) -> Place:
        """The same so many lines further down."""
        return replace(self, line=self.line + lines)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of one rule.

    ``rule`` is the stable name that ``zmqtopo explain`` knows; ``message`` says what is wrong in one
    line without a full stop; ``hint`` says what to do (empty when the message says it all); ``other``
    is the second place of a conflict. Message and hint are printable and show no secret, whatever the file has.
    """

    rule: str
    severity: Severity
    message: str
    file: str
    place: Place = Place()
    hint: str = ""
    other: Place | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", concealed(printable(self.message)))
        object.__setattr__(self, "hint", concealed(printable(self.hint)))

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """By file and place, then by rule and message, so that reports are stable."""
        return self.file, self.place.line, self.place.column, self.rule, self.message


def below(problem: Problem, lines: int) -> Problem:
    """The problem as it is told of a text that stands so many lines further down in its file."""
    if not lines:
        return problem
    return replace(problem, place=problem.place.below(lines), other=problem.other and problem.other.below(lines))


class TopologyError(Exception):
    """A topology that cannot be used. ``problems`` holds every finding, sorted by place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(
            f"{p.file}:{p.place.line}:{p.place.column}: {p.severity}: {p.message} [{p.rule}]"
            for p in problems
        ))
