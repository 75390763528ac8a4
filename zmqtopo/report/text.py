"""Problems for people: one line each, or with the line of the file, a caret and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.secrets import concealed_lines
from zmqtopo.report.colour import wants_colour as wants_colour
from zmqtopo.report.summary import summary
from zmqtopo.report.visible import disarmed, visible, visible_path, width

QUOTED_COLUMNS = 100
"""Longer lines are cut around the caret."""

_TAB = "    "
_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_DIM = "\x1b[2m"
_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m"}


def concise(problems: Iterable[Problem], stream: TextIO) -> None:
    """Write one line for each problem: ``file:line:column: severity: message [rule]``."""
    for problem in problems:
        stream.write(_headline(problem, colour=False) + "\n")


def full(
    problems: Sequence[Problem], lines: Mapping[str, Sequence[str]], stream: TextIO, *, colour: bool = False
) -> None:
    """Write each problem with the lines of its file that it is about, then a summary.

    ``lines`` holds the lines of every file that was checked, by the name that problems have for it. Secrets in them
    are not shown.
    """
    shown = {file: concealed_lines(lines[file]) for file in {problem.file for problem in problems} & lines.keys()}
    for problem in problems:
        stream.write(_headline(problem, colour))
        stream.write("\n")
        for row in _excerpt(problem, shown.get(problem.file, ()), colour):
            stream.write(row + "\n")
        stream.write("\n")
    stream.write(summary(problems, len(lines)) + "\n")


def _headline(problem: Problem, colour: bool) -> str:
    place = f"{visible_path(problem.file)}:{problem.place.line}:{problem.place.column}"
    message, rule = visible(problem.message), visible(problem.rule)
    if not colour:
        return f"{place}: {problem.severity}: {message} [{rule}]"
    return (f"{_BOLD}{place}:{_RESET} {_COLOURS[problem.severity]}{problem.severity}:{_RESET} "
            f"{_BOLD}{message}{_RESET} {_DIM}[{rule}]{_RESET}")


def _excerpt(problem: Problem, lines: Sequence[str], colour: bool) -> list[str]:
    """The quoted lines with their carets, and the hint, in a gutter as wide as the largest line number."""
    places = [place for place in (problem.place, problem.other) if place and _can_quote(place, lines)]
    gutter = max((len(str(place.line)) for place in places), default=1)
    bar = _dim(" " * gutter + " |", colour)
    rows: list[str] = []
    for place in places:
        code, caret = _quote(lines[place.line - 1], place)
        if place is problem.other:
            caret += " the other place"
        mark = f"{_COLOURS[problem.severity]}{caret}{_RESET}" if colour and place is problem.place else caret
        rows += [f"{_dim(f'{place.line:>{gutter}} |', colour)} {code}".rstrip(), f"{bar} {mark}"]
    if problem.hint:
        rows.append(f"{_dim(' ' * gutter + ' =', colour)} hint: {visible(problem.hint)}")
    return rows


def _can_quote(place: Place, lines: Sequence[str]) -> bool:
    """A place that is the file as a whole, or lies in an empty line, has nothing to show."""
    if place.line > len(lines) or place == Place():
        return False
    line = lines[place.line - 1]
    return line != "" and not line.isspace()


def _quote(line: str, place: Place) -> tuple[str, str]:
    """The line made visible, cut if need be, and the carets that go below it."""
    start = min(place.column - 1, len(line))
    end = min(max(place.end_column - 1, start), len(line))
    # What is further away is not shown: a file may have all its ten thousand mistakes in one line.
    first = max(0, start - QUOTED_COLUMNS - 1)
    end = min(end, start + QUOTED_COLUMNS)
    line = disarmed(line[first : end + QUOTED_COLUMNS + 1])
    start, end = start - first, end - first
    before, value, after = (visible(part.replace("\t", _TAB)) for part in (line[:start], line[start:end], line[end:]))
    before, value, after = _cut(before, value, after.rstrip())
    return before + value + after, " " * width(before) + "^" * max(1, width(value))


def _cut(before: str, value: str, after: str) -> tuple[str, str, str]:
    """Leave the value and as much around it as there is room for; what is left out becomes an ellipsis."""
    if len(before) + len(value) + len(after) <= QUOTED_COLUMNS:
        return before, value, after
    if len(value) > QUOTED_COLUMNS * 3 // 4:
        value = value[: QUOTED_COLUMNS * 3 // 4 - 1] + "…"
    room = QUOTED_COLUMNS - len(value)
    left = max(room // 2, room - len(after))
    if len(before) > left:
        before = "…" + before[len(before) - left + 1 :]
    right = room - len(before)
    if len(after) > right:
        after = after[: max(0, right - 1)] + "…"
    return before, value, after


def _dim(text: str, colour: bool) -> str:
    return f"{_DIM}{text}{_RESET}" if colour else text
