"""Comments that silence a rule on their line: ``# zmqtopo: ignore[rule]``, or several, apart by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from zmqtopo.config.problem import Problem

_COMMENT = re.compile(r"(?:^|\s)#\s*zmqtopo:\s*ignore\[([^\]]*)\]")


def without_ignored(problems: Iterable[Problem], lines: Sequence[str]) -> list[Problem]:
    """The problems that no comment on their own line silences."""
    return [p for p in problems if p.rule not in _ignored(p, lines)]


def _ignored(problem: Problem, lines: Sequence[str]) -> set[str]:
    number = problem.place.line
    line = lines[number - 1] if number <= len(lines) else ""
    return {rule.strip() for names in _COMMENT.findall(line) for rule in names.split(",")}
