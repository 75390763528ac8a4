"""Problems as SARIF 2.1.0 (OASIS), which code scanning reads."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

from zmqtopo import __version__
from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.config.explanations import Explanation
from zmqtopo.config.problem import Place, Problem
from zmqtopo.report.json import dump
from zmqtopo.report.reference import example, fenced, silencing
from zmqtopo.report.visible import visible

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_INDEX: Final = {name: index for index, name in enumerate(CATALOGUE)}


def write(problems: Sequence[Problem], stream: TextIO) -> None:
    """Write a log with one run; relative paths are from the folder where the command was called."""
    dump({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "zmqtopo", "semanticVersion": __version__, "rules": [_rule(r) for r in CATALOGUE.values()],
            }},
            "columnKind": "unicodeCodePoints",
            "results": [_result(problem) for problem in problems],
        }],
    }, stream)


def _rule(rule: Explanation) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.finds},
        "fullDescription": {"text": f"{rule.finds} {rule.why}"},
        "help": {
            "text": f"{rule.why}\n\nBad:\n\n{example(rule.bad)}\nGood:\n\n{example(rule.good)}\n{silencing(rule)}\n",
            "markdown": f"{rule.why}\n\n**Bad**\n\n{fenced(rule.bad)}\n\n**Good**\n\n{fenced(rule.good)}\n\n"
                        f"{_as_code(silencing(rule))}\n",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }


def _as_code(words: str) -> str:
    """A sentence whose comment for a file stands as code."""
    return re.sub(r"# zmqtopo: .*", lambda comment: f"`{comment[0]}`", words)


def _result(problem: Problem) -> dict[str, Any]:
    hint = f"\nhint: {visible(problem.hint)}" if problem.hint else ""
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "ruleIndex": _INDEX[problem.rule],
        "level": _LEVELS[problem.severity],
        "message": {"text": visible(problem.message) + hint},
        "locations": [{"physicalLocation": _physical(problem.file, problem.place)}],
    }
    if problem.other:
        result["relatedLocations"] = [{
            "id": 1, "physicalLocation": _physical(problem.file, problem.other), "message": {"text": "the other place"},
        }]
    return result


def _physical(file: str, place: Place) -> dict[str, Any]:
    location = {"uri": _uri(file)}
    if not Path(file).is_absolute():
        location["uriBaseId"] = "%SRCROOT%"
    return {
        "artifactLocation": location,
        "region": {"startLine": place.line, "startColumn": place.column, "endLine": place.line,
                   "endColumn": max(place.column, place.end_column)},
    }


def _uri(file: str) -> str:
    """A file name as a URI, in its own bytes where these are no UTF-8."""
    if Path(file).is_absolute():
        return f"file://{quote(os.fsencode(file))}"
    # `::x` or `a:b` would begin with a scheme.
    path = quote(os.fsencode(file))
    return f"./{path}" if ":" in path.partition("/")[0] else path
