"""Problems for programs: one JSON document.

::

    {"problems": [{"rule": "bind-conflict", "severity": "error", "message": "...", "hint": "...",
                   "file": "feed.yaml", "line": 7, "column": 16, "end_column": 28,
                   "other": {"line": 4, "column": 16, "end_column": 28}}],
     "summary": {"files": 1, "error": 1, "warning": 0, "info": 0}}

Lines and columns count characters from 1, and ``end_column`` is behind the last character. ``hint`` may
be empty, and ``other``, the second place of a conflict, may be null. Keys may be added, none is taken away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from zmqtopo.config.problem import Place, Problem
from zmqtopo.report.summary import count


def write(problems: Sequence[Problem], files: int, stream: TextIO) -> None:
    """Write the document."""
    document = {
        "problems": [_problem(problem) for problem in problems],
        "summary": {"files": files, **count(problems)},
    }
    dump(document, stream)


def dump(document: dict[str, Any], stream: TextIO) -> None:
    """Write JSON in which nothing of a file can do harm: ASCII, and no ``##``, which CI machines take orders from."""
    stream.write(json.dumps(document, indent=2).replace("##", "#\\u0023") + "\n")


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "rule": problem.rule, "severity": problem.severity, "message": problem.message, "hint": problem.hint,
        "file": problem.file, **_place(problem.place), "other": problem.other and _place(problem.other),
    }


def _place(place: Place) -> dict[str, int]:
    return {"line": place.line, "column": place.column, "end_column": place.end_column}
