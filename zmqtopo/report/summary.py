"""How many problems of which severity, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from zmqtopo.config.problem import Problem, Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


def count(problems: Iterable[Problem]) -> dict[str, int]:
    """The number of problems of each severity, none left out."""
    counted = Counter(problem.severity for problem in problems)
    return {severity: counted[severity] for severity in SEVERITIES}


def summary(problems: Iterable[Problem], files: int) -> str:
    """Such as ``2 errors, 1 warning in 1 file``, or ``no problems in 3 files``."""
    parts = [f"{n} {s}{'' if n == 1 or s == 'info' else 's'}" for s, n in count(problems).items() if n]
    return f"{', '.join(parts) or 'no problems'} in {files} {'file' if files == 1 else 'files'}"
