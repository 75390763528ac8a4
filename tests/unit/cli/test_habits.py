"""What is said of verbs that hands know from elsewhere, and of slips."""

from __future__ import annotations

import pytest

from zmqtopo.cli import VERBS
from zmqtopo.cli.habits import ACTING, distance, suggestion


@pytest.mark.parametrize(("words", "answer"), [
    ("status stats state ls list inspect show describe is-active get", "ps"),
    ("lint check test", "validate"), ("run", "up"), ("unpause", "resume"), ("diff", "reload --dry-run"),
    ("kill rm", "down --force"), ("events", "logs -f --format json"), ("doctor", "validate --probe"),
    ("wait", "up -d --wait"), ("STATUS is_active", "ps"),
])
def test_a_habit_gets_its_answer(words: str, answer: str) -> None:
    assert {suggestion(word, VERBS) for word in words.split()} == {f"; use: zmqtopo {answer}"}


def test_a_verb_that_is_there_is_no_habit() -> None:
    assert suggestion("top", ["ps"]) == "; use: zmqtopo ps"
    assert "ps" not in suggestion("top", ["top", "ps"])


@pytest.mark.parametrize(("word", "verb"), [
    ("valdate", "validate"), ("strat", "start"), ("stpo", "stop"), ("restrat", "restart"), ("dwon", "down"),
    ("reusme", "resume"), ("grpah", "graph"), ("lgos", "logs"), ("completon", "completion"), ("Validate", "validate"),
])
def test_a_slip(word: str, verb: str) -> None:
    assert suggestion(word, VERBS) == f"; did you mean {verb!r}?"


@pytest.mark.parametrize("word", [
    "statu", "stauts", "statuss", "stats", "stast", "stat", "tops", "tpo", "sho", "lst", "insepct", "lits", "viwe",
    "report", "result", "parse", "stage", "dump", "watch", "summary", "health", "metrics", "peers", "state", "sate",
])
def test_what_looks_is_never_answered_with_what_acts(word: str) -> None:
    said = suggestion(word, [verb for verb in VERBS if verb not in ("top", "metrics", "peers")])
    assert not any(verb in said for verb in ACTING)


@pytest.mark.parametrize(("one", "other", "far"), [
    ("", "", 0), ("a", "", 1), ("start", "strat", 0.9), ("start", "start", 0), ("ps", "sp", 0.9), ("stop", "tops", 2),
    ("up", "ups", 1), ("kitten", "sitting", 3),
])
def test_the_distance_of_two_words(one: str, other: str, far: float) -> None:
    assert distance(one, other) == distance(other, one) == pytest.approx(far)
