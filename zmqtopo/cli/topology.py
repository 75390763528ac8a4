"""What the verbs that need a good file have in common."""

from __future__ import annotations

import sys
from typing import Final

from zmqtopo.checks import Checked, examine
from zmqtopo.config.model import Topology

EXIT_BAD_FILE: Final = 78  # EX_CONFIG of sysexits.h


def load_or_report(path: str, *, strict_variables: bool = False) -> Topology | None:
    """Return the topology in ``path`` (``-`` is standard input); None, and a report on stderr, when it has errors.

    Warnings of a file without errors go to stderr too.
    """
    checked = examine(path, strict_variables=strict_variables)
    report(checked)
    return None if checked.has_errors else checked.topology


def report(checked: Checked) -> None:
    """Write errors and warnings to stderr; what is only information belongs to ``validate``."""
    problems = [problem for problem in checked.problems if problem.severity != "info"]
    if problems:
        from zmqtopo.report import text

        text.full(problems, {checked.file: checked.lines}, sys.stderr, colour=text.wants_colour(sys.stderr))
