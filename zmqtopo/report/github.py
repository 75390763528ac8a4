"""Problems as annotations of GitHub: commands of a workflow, one a line, which it shows beside the code.

::

    ::error file=feed.yaml,line=7,col=16,endColumn=28,title=bind-conflict::message. hint

"Workflow commands for GitHub Actions" in GitHub's documentation is the source; it shows ten of a kind for each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from zmqtopo.config.problem import Problem
from zmqtopo.report.summary import summary
from zmqtopo.report.visible import visible

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def write(problems: Sequence[Problem], files: int, stream: TextIO) -> None:
    """Write an annotation for each problem, then the summary, which goes to the log alone."""
    for problem in problems:
        place = problem.place
        properties = {
            "file": visible(problem.file), "line": place.line, "endLine": place.line, "col": place.column,
            # GitHub's last column is that of the last character, ours is the one behind it.
            "endColumn": max(place.column, place.end_column - 1), "title": problem.rule,
        }
        listed = ",".join(f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items())
        stream.write(f"::{_COMMANDS[problem.severity]} {listed}::{_sentence(problem).translate(_DATA)}\n")
    stream.write(summary(problems, files) + "\n")


def _sentence(problem: Problem) -> str:
    other = f" (see line {problem.other.line})" if problem.other else ""
    hint = f"\nhint: {visible(problem.hint)}" if problem.hint else ""
    return f"{visible(problem.message)}{other} [{problem.rule}]{hint}"
