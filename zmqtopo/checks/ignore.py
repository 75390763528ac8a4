"""Comments that silence a rule on their line: ``# zmqtopo: ignore[rule]``, or several, apart by commas."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from zmqtopo.config.explanations import UNUSED
from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.wording import Guesses, quote

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*zmqtopo:\s*ignore\[([^\[\]]*)\]")
_BY_CHANCE: Final = frozenset({"undefined-variable", UNUSED.name})
"""Rules of which nobody can say that they will find nothing here tomorrow."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A rule in a comment."""

    rule: str
    place: Place


@dataclass(slots=True)
class Ignores:
    """The comments of one file. Lines without one cost a search for a word and no more."""

    file: str
    lines: Sequence[str]
    _words: dict[int, list[_Word]] = field(init=False)
    _silenced: dict[tuple[int, str], bool] = field(init=False)
    """Each line and rule that comments name, and whether a finding was there."""

    def __post_init__(self) -> None:
        self._words = {n: words for n, line in enumerate(self.lines, 1)
                       if "zmqtopo:" in line and (words := list(_words(line, n)))}
        if self._words:
            texts = _texts(self.lines, self._words.keys())
            for number, words in self._words.items():
                # What looks like a comment and stands inside a text is text.
                self._words[number] = [word for word in words if not _is_inside(word.place.column, texts[number])]
        self._silenced = {(number, word.rule): False for number, words in self._words.items() for word in words}

    def kept(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems that no comment on their own line silences."""
        return [problem for problem in problems if not self._silences(problem)]

    def _silences(self, problem: Problem) -> bool:
        comment = problem.place.line, problem.rule
        if comment in self._silenced:
            self._silenced[comment] = True
            return True
        return False

    def unused(self, *, complete: bool) -> Iterator[Problem]:
        """What has silenced nothing so far.

        Where the file could not be read as a whole (not ``complete``) a rule may have kept silent for that,
        and what a variable makes of a line is another thing on another day: then only unknown names are told.
        """
        if not self._words:
            return
        from zmqtopo.checks.catalogue import CATALOGUE  # most files have no such comment

        guesses = Guesses()
        for number, words in self._words.items():
            certain = complete and "${" not in self.lines[number - 1]
            for word in words:
                rule = CATALOGUE.get(word.rule)
                if rule is None:
                    near = guesses.closest(word.rule, CATALOGUE)
                    yield self._problem(word, f"there is no rule {quote(word.rule)}",
                                        f"did you mean {near}?" if near else "zmqtopo explain lists the rules")
                elif rule.family == "machine" or rule.name in _BY_CHANCE or self._silenced[number, word.rule]:
                    continue
                elif rule.family in ("reading", "schema"):
                    yield self._problem(word, f"{rule.name} cannot be silenced", "fix what it finds")
                elif certain:
                    yield self._problem(word, f"this comment silences nothing: there is no {rule.name} in this line",
                                        "remove it, or put it on the line that the finding names")

    def _problem(self, word: _Word, message: str, hint: str) -> Problem:
        return Problem(UNUSED.name, UNUSED.severity, message, self.file, word.place, hint)


def _words(line: str, number: int) -> Iterator[_Word]:
    for comment in _COMMENT.finditer(line):
        at = comment.start(1)
        for name in comment[1].split(","):
            start = at + len(name) - len(name.lstrip()) + 1
            yield _Word(name.strip(), Place(number, start, start + max(1, len(name.strip()))))
            at += len(name) + 1


def _texts(lines: Sequence[str], wanted: Collection[int]) -> dict[int, list[tuple[int, int]]]:
    """Where texts stand in the lines of these numbers: the columns before the first and of the last character."""
    import yaml

    from zmqtopo.config.yaml.mask_variables import shield

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts: dict[int, list[tuple[int, int]]] = {number: [] for number in wanted}
    try:
        for token in yaml.scan(shield("\n".join(lines)), Loader=loader):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark, token.end_mark
                for line in range(start.line, end.line + 1):
                    if line + 1 in texts:
                        texts[line + 1].append((start.column if line == start.line else 0,
                                                end.column if line == end.line else len(lines[line])))
    except yaml.YAMLError:
        pass  # the finding is made, and behind it nothing is known
    return texts


def _is_inside(column: int, texts: Sequence[tuple[int, int]]) -> bool:
    """Whether the column is in one of the texts, which stand in the order of the line."""
    index = bisect_left(texts, (column, 0)) - 1
    return index >= 0 and texts[index][0] < column <= texts[index][1]
