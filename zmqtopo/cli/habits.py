"""What hands have learned from docker compose, systemctl, journalctl, kubectl and others, and how it is done here.

A verb that acts is never suggested for a word that looks: nobody should stop anything for having asked how it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

_ANSWERS: Final[dict[str, str]] = {
    "ps": "status stats stat state top list ls inspect show describe get is-active is-failed list-units info who "
          "processes devices port ports",
    "ps --watch": "watch monitor",
    "ps -a": "history last",
    "validate": "lint check test verify parse",
    "validate --probe": "doctor",
    "up": "run serve launch",
    "up -d --wait": "wait",
    "resume": "unpause continue",
    "reload": "apply update",
    "reload --dry-run": "diff plan",
    "down": "quit shutdown exit",
    "down --force": "kill rm remove delete",
    "logs": "log journal tail",
    "logs -f --format json": "events event",
    "graph": "draw picture plot diagram",
    "config": "cat view print dump",
    "init": "new create",
    "convert": "import migrate",
    "explain": "man doc docs rules rule why",
    "bench": "benchmark perf",
    "completion": "complete completions",
    "--version": "versions",
}
"""By what to use here, the words of others."""

_OPTIONS: Final[dict[str, str]] = {
    "--json": "--format json", "--yaml": "--format json", "--no-trunc": "-o wide", "--wide": "-o wide",
    "--follow-name": "--follow", "--lines": "--tail", "--project-name": "--name", "-p": "--name", "--name": "TOPOLOGY",
    "--plain": "--no-color", "--nocolor": "--no-color", "--color": "--no-color", "--silent": "--quiet",
    "--detached": "--detach", "--daemon": "--detach", "--background": "--detach", "--build": "", "--time": "--timeout",
    "--grace": "--timeout", "--force-kill": "--force", "--kill": "--force", "--check": "--dry-run",
    "--diff": "--dry-run", "--exit-code": "--strict", "--Werror": "--strict", "--output": "--format",
    "--interval": "--watch",
}
"""Options of others, and ours for them; of a verb that does not take ours nothing is said."""

ACTING: Final = frozenset({"up", "stop", "start", "restart", "pause", "resume", "reload", "down", "replay", "demo"})
"""Verbs that change what runs."""

_SWAPPED: Final = 0.9
"""Two letters in the wrong order are the commonest slip, and count less than any other."""


def suggestion(word: str, verbs: Collection[str]) -> str:
    """What to say behind "there is no verb ...": what does it here, or what was meant; empty for neither."""
    answers = {other: answer for answer, others in _ANSWERS.items() for other in others.split() if other not in verbs}
    spelled = word.lower().replace("_", "-")
    if spelled in answers:
        return f"; use: zmqtopo {answers[spelled]}"
    near = _nearest(spelled, {**answers, **{verb: verb for verb in verbs}})
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def option(name: str, known: Collection[str]) -> str:
    """What to say of an option of others; empty where there is nothing to say."""
    ours = _OPTIONS.get(name, "")
    return f"use {ours}" if ours and (ours.split()[0] in known or ours == "TOPOLOGY") else ""


def _nearest(word: str, answers: Mapping[str, str]) -> list[str]:
    """The verbs whose names, or whose names elsewhere, are nearest to a word; where one of them looks, only those."""
    limit = 1 if len(word) <= 4 else 2
    distances = {other: distance(word, other) for other in answers if abs(len(other) - len(word)) <= limit}
    least = min(distances.values(), default=limit + 1.0)
    found = {answers[other] for other, far in distances.items() if far == least and far <= limit}
    if not found and len(word) >= 3:
        found = {answer for other, answer in answers.items() if other.startswith(word)}
        least = limit
        found = found if len(found) == 1 else set()
    looking = sorted(verb for verb in found if verb.split()[0] not in ACTING)
    # With two slips it may as well have been a word that looks.
    return looking or sorted(found if least <= 1 else ())


def distance(one: str, other: str) -> float:
    """How many letters have to be put in, left out, changed or, for a little less, swapped with the next one."""
    before: list[float] = []
    row: list[float] = [float(column) for column in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        row, last, before_last = [float(i)], row, before
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b != a:
                cost = min(cost, before_last[j - 2] + _SWAPPED)
            row.append(cost)
        before = last
    return row[-1]
