"""The examples of every rule, and what a catalogue must be."""

from __future__ import annotations

from textwrap import dedent

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.catalogue import CATALOGUE, FAMILIES
from zmqtopo.checks.rules import TOPOLOGY_RULES
from zmqtopo.config.explanations import Explanation

EVERY_RULE = pytest.mark.parametrize("rule", CATALOGUE.values(), ids=CATALOGUE)
# The machine's are tried in tests/unit/probe, the one about files as such in tests/acceptance/test_explain.py.
RULES_ABOUT_TEXTS = [rule for rule in CATALOGUE.values() if rule.family != "machine" and rule.name != "unreadable-file"]
EVERY_TEXT = pytest.mark.parametrize("rule", RULES_ABOUT_TEXTS, ids=lambda rule: rule.name)

PROMISED = {
    "reading": {"unreadable-file", "yaml-syntax", "duplicate-key", "yaml-unsafe", "undefined-variable",
                "unsupported-version", "unused-ignore"},
    "schema": {"unknown-key", "missing-key", "wrong-type", "bad-value"},
    "endpoint": {"bad-endpoint", "ipc-path-too-long", "ipc-permissions", "connect-wildcard", "bind-conflict",
                 "inproc-across-processes", "inproc-unbound", "unknown-reference", "no-endpoint", "unbound-endpoint",
                 "privileged-port", "transport-scope", "duplicate-connect", "absent-worker"},
    "socket": {"socket-pair", "router-router", "mon-type", "mon-not-allowed", "mon-missing", "mon-blocks",
               "incompatible-peers", "pair-fan-in", "duplicate-routing-id", "option-scope", "unlimited-hwm",
               "few-subscriptions", "unusable-option", "unstable-connection"},
    "security": {"security-both-ways", "curve-keys", "server-key-missing", "mixed-security", "no-authenticator",
                 "http-without-token", "unknown-profile", "unused-security", "raw-security-option", "nobody-allowed",
                 "allow-any", "plain-unencrypted", "mon-open"},
    "flow": {"forwarding-loop", "lost-unsubscription"},
    "machine": {"port-in-use", "ipc-dir-missing", "unknown-group", "host-unresolvable", "too-many-sockets",
                "too-many-threads", "transport-unavailable", "option-unavailable", "key-files", "option-file",
                "key-missing", "key-readable"},
}
WARNINGS = {"undefined-variable", "unused-ignore", "privileged-port", "mon-blocks", "unlimited-hwm",
            "few-subscriptions", "duplicate-connect", "lost-unsubscription", "unstable-connection",
            "unused-security", "plain-unencrypted", "mon-open", "key-readable"}
INFOS = {"unbound-endpoint", "absent-worker", "allow-any"}


def test_every_promised_rule_is_there() -> None:
    assert {family: {r.name for r in CATALOGUE.values() if r.family == family} for family in FAMILIES} == PROMISED
    assert {rule.name for rule in CATALOGUE.values() if rule.severity == "warning"} == WARNINGS
    assert {rule.name for rule in CATALOGUE.values() if rule.severity == "info"} == INFOS
    assert {rule.name for rule in TOPOLOGY_RULES} < set(CATALOGUE)


@EVERY_TEXT
def test_the_bad_example_has_this_problem_and_no_other(rule: Explanation) -> None:
    checked = examine_text(dedent(rule.bad), "bad.yaml", environ={})
    assert [(p.rule, p.severity, p.file) for p in checked.problems] == [(rule.name, rule.severity, "bad.yaml")]
    problem = checked.problems[0]
    line = checked.lines[problem.place.line - 1]
    assert line[problem.place.column - 1 : problem.place.end_column - 1].strip()
    assert problem.hint
    assert not problem.message.endswith(".")


@EVERY_TEXT
def test_the_good_example_has_none(rule: Explanation) -> None:
    assert examine_text(dedent(rule.good), environ={}).problems == []


@EVERY_RULE
def test_the_words_are_whole_sentences(rule: Explanation) -> None:
    assert rule.finds.endswith(".")
    assert rule.why.endswith(".")
