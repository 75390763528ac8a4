from __future__ import annotations

import pytest

from zmqtopo.config.yaml.source import parse_text
from zmqtopo.config.yaml.tree import UNKNOWN
from zmqtopo.config.yaml.variables import Evaluation

ENVIRON = {"A": "1", "EMPTY": "", "TRICK": "${A} $$ *x {y: z}\n- a", "PORT": "5559"}


@pytest.mark.parametrize(("text", "value"), [
    ("${A}", "1"),
    ("a${A}b${A}c", "a1b1c"),
    ("tcp://*:${PORT}", "tcp://*:5559"),
    ("$${A}", "${A}"),
    ("$$${A}", "$1"),
    ("$A costs 5$", "$A costs 5$"),
    ("${NONE:-d}", "d"),
    ("${NONE:-}", ""),
    ("${EMPTY:-d}", "d"),
    ("${EMPTY}", ""),
    ("${A:-d}", "1"),
    ("${A:?why}", "1"),
    ("${NONE:-a:-b ? c}", "a:-b ? c"),
    ("${TRICK}", ENVIRON["TRICK"]),
])
def test_substitution(text: str, value: str) -> None:
    evaluation = Evaluation(parse_text(f"v: '{text}'", "f"), ENVIRON, strict=True)
    assert evaluation.problems == []
    assert evaluation.value == {"v": value}


@pytest.mark.parametrize(("text", "rule", "message"), [
    ("${NONE}", "undefined-variable", "the variable NONE is not set"),
    ("${NONE:?say why}", "undefined-variable", "the variable NONE is not set: say why"),
    ("${EMPTY:?}", "undefined-variable", "the variable EMPTY is not set"),
    ("${}", "bad-value", "'${}' is not a valid variable"),
    ("${1A}", "bad-value", "'${1A}' is not a valid variable"),
    ("${A-b}", "bad-value", "'${A-b}' is not a valid variable"),
    ("${A:+b}", "bad-value", "'${A:+b}' is not a valid variable"),
    ("${ A }", "bad-value", "'${ A }' is not a valid variable"),
    ("x${A", "bad-value", "'${A' is not closed"),
    ("${NONE:-${A}}", "bad-value", "'${NONE:-${A}}' is not a valid variable"),
])
def test_problems(text: str, rule: str, message: str) -> None:
    evaluation = Evaluation(parse_text(f"v: \"{text}\"", "f"), ENVIRON, strict=True)
    [problem] = evaluation.problems
    assert (problem.rule, problem.severity, problem.message) == (rule, "error", message)
    assert evaluation.value == {"v": UNKNOWN}


@pytest.mark.parametrize(("text", "strict", "severity"), [
    ("${NONE}", False, "warning"), ("${NONE}", True, "error"),
    ("${NONE:?}", False, "error"), ("${NONE:?}", True, "error"),
])
def test_severity(text: str, strict: bool, severity: str) -> None:
    evaluation = Evaluation(parse_text(f"v: {text}", "f"), {}, strict=strict)
    assert [p.severity for p in evaluation.problems] == [severity]


def test_keys_numbers_and_binaries_are_left_alone() -> None:
    evaluation = Evaluation(parse_text("'${A}': 5\nb: !!binary JHtBfQ==", "f"), ENVIRON, strict=True)
    assert evaluation.value == {"${A}": 5, "b": b"${A}"}


def test_each_variable_of_an_anchor_is_told_once() -> None:
    evaluation = Evaluation(parse_text("x-a: &a ${NONE}\nb: [*a, *a]", "f"), {}, strict=False)
    assert [(p.place.line, p.place.column) for p in evaluation.problems] == [(2, 5)]
    assert evaluation.value == {"b": [UNKNOWN, UNKNOWN]}


def test_what_nobody_uses_is_not_looked_at() -> None:
    assert Evaluation(parse_text("x-a: ${NONE}\nb: 1", "f"), {}, strict=True).problems == []


@pytest.mark.parametrize(("text", "shown"), [
    ("tcp://${H}:${P}", ["${H}", "${P}"]),
    ("'tcp://${H}:${H}'", ["${H}"]),
    ("'$${H} $$ ${H}'", ["${H}"]),
    ("[a, 'b ${H}']", ["${H}"]),
    ("|\n  one ${H}\n  two ${P} ${H}", ["${H}", "${P}"]),
    ("'${H}\n  ${P}'", ["${H}", "${P}"]),
    ("${H} ${ P}", ["${H}", "${ P}"]),
    ("'${H} ${P'", ["${H}", "${"]),
    ('"\\x24{H}"', ['"\\x24{H}"']),     # an escape hides the variable
])
def test_each_variable_has_its_own_place(text: str, shown: list[str]) -> None:
    source = parse_text(f"v: {text}", "f")
    problems = Evaluation(source, {}, strict=True).problems
    assert [source.lines[p.place.line - 1][p.place.column - 1 : p.place.end_column - 1] for p in problems] == shown
    assert len({p.place for p in problems}) == len(problems)
