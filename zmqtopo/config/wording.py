"""How values and suggestions are put into a message: safe for a terminal, short, on one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence

LONGEST = 60
"""Characters of a quoted value; a longer one is cut."""


def quote(text: str) -> str:
    """Put ``text`` in single quotes, cut to :data:`LONGEST` characters, unprintable ones escaped.

    A name may hold terminal escapes or line breaks: none of them reaches a message as it is.
    """
    return f"'{printable(shortened(text))}'"


def shortened(text: str, longest: int = LONGEST) -> str:
    """``text`` cut to ``longest`` characters, the last of which tells of the rest."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str) -> str:
    """``text`` with every unprintable character as Python would escape it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escaped_yaml(text: str) -> str:
    """``text``, in YAML whose unprintable characters are all in double quotes, harmless for a terminal."""
    return _escaped(text, lambda c: f"\\U{ord(c):08x}")


def escaped_json(text: str) -> str:
    """``text``, in JSON, harmless for a terminal."""
    return _escaped(text, lambda c: json.dumps(c)[1:-1])


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isascii():
        return text     # who has written it has escaped what is unprintable in ASCII
    return "".join(c if c.isprintable() or c == "\n" else escape(c) for c in text)


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``word`` probably stands for, or None when none is near."""
    from difflib import get_close_matches

    if len(word) > LONGEST:
        return None  # comparing takes time by the square of the length, and nobody mistypes a text
    word = word.lower().replace("-", "_")
    spelled: dict[str, str] = {}
    for candidate in (c for c in candidates if len(c) <= LONGEST):
        spelled.setdefault(candidate.lower().replace("-", "_"), candidate)
    if word in spelled:
        return spelled[word]
    # Two letters in the wrong order are the commonest slip, and difflib rates them low.
    letters = sorted(word)
    found = [s for s in spelled if len(s) == len(word) and sorted(s) == letters]
    found = found or get_close_matches(word, spelled, n=1, cutoff=0.75)
    # A longer form of it, such as PUBLISHER, before what has many of its letters.
    found = found or [s for s in spelled if len(s) >= 3 and word.startswith(s)]
    found = found or get_close_matches(word, spelled, n=1, cutoff=0.6)
    if not found and len(word) >= 3:
        found = [s for s in spelled if s.startswith(word)]  # an abbreviation, such as desc
    return spelled[found[0]] if len(found) == 1 else None


class Guesses:
    """`closest` for all the words of one file.

    After so many comparisons there are no more suggestions: a file with ten thousand mistakes has one cause,
    and nobody should wait for ten thousand guesses about it.
    """

    BUDGET = 100_000

    def __init__(self) -> None:
        self._left = self.BUDGET

    def closest(self, word: str, candidates: Collection[str]) -> str | None:
        """As the function `closest`, while the budget lasts."""
        self._left -= len(candidates)
        return closest(word, candidates) if self._left >= 0 else None


def listing(words: Sequence[str], last: str = "or") -> str:
    """Join words: ``a``, ``a or b``, ``a, b or c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def with_article(noun: str) -> str:
    """Make ``a duration``, ``an address``; a list of things stays as it is."""
    if "," in noun or not noun[:1].isalpha() or noun.startswith("true "):
        return noun
    return f"{'an' if noun[0].lower() in 'aeio' else 'a'} {noun}"


def count(number: int, thing: str) -> str:
    """``1 device``, ``3 devices``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
