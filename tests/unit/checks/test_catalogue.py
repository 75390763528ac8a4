"""The examples of every rule, and what a catalogue must be."""

from __future__ import annotations

from textwrap import dedent

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.rules import RULES, Rule

EVERY_RULE = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)

PROMISED = {
    "bad-endpoint", "ipc-path-too-long", "connect-wildcard", "bind-conflict", "inproc-across-processes",
    "inproc-unbound", "unknown-reference", "no-endpoint", "unbound-endpoint", "privileged-port", "socket-pair",
    "router-router", "mon-type", "mon-not-allowed", "mon-missing", "mon-blocks", "incompatible-peers", "pair-fan-in",
    "option-scope", "unlimited-hwm", "forwarding-loop",
}


def test_every_promised_rule_is_there() -> None:
    assert set(RULES) == PROMISED


@EVERY_RULE
def test_the_bad_example_has_this_problem_and_no_other(rule: Rule) -> None:
    checked = examine_text(dedent(rule.bad), "bad.yaml")
    assert [(p.rule, p.severity, p.file) for p in checked.problems] == [(rule.name, rule.severity, "bad.yaml")]
    problem = checked.problems[0]
    line = checked.lines[problem.place.line - 1]
    assert line[problem.place.column - 1 : problem.place.end_column - 1].strip()
    assert problem.hint
    assert not problem.message.endswith(".")


@EVERY_RULE
def test_the_good_example_has_none(rule: Rule) -> None:
    assert examine_text(dedent(rule.good)).problems == []


@EVERY_RULE
def test_the_words_are_whole_sentences(rule: Rule) -> None:
    assert rule.finds.endswith(".")
    assert rule.why.endswith(".")
