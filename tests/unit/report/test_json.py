from __future__ import annotations

import io
import json

from zmqtopo.config.problem import Place, Problem
from zmqtopo.report import json as report


def test_the_document() -> None:
    problems = [
        Problem("bind-conflict", "error", "müde 日", "t.yaml", Place(3, 4, 7), "hint", Place(1, 2, 3)),
        Problem("mon-blocks", "warning", "m", "t.yaml"),
    ]
    written = io.StringIO()
    report.write(problems, 2, written)
    assert written.getvalue().isascii()
    assert json.loads(written.getvalue()) == {
        "problems": [
            {"rule": "bind-conflict", "severity": "error", "message": "müde 日", "hint": "hint", "file": "t.yaml",
             "line": 3, "column": 4, "end_column": 7, "other": {"line": 1, "column": 2, "end_column": 3}},
            {"rule": "mon-blocks", "severity": "warning", "message": "m", "hint": "", "file": "t.yaml",
             "line": 1, "column": 1, "end_column": 1, "other": None},
        ],
        "summary": {"files": 2, "error": 1, "warning": 1, "info": 0},
    }


def test_no_problems() -> None:
    written = io.StringIO()
    report.write([], 1, written)
    assert json.loads(written.getvalue()) == {
        "problems": [], "summary": {"files": 1, "error": 0, "warning": 0, "info": 0}}
