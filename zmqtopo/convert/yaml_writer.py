"""The new file as it is written: lines that know where they come from, and notes that are comments too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

_PLAIN: Final = re.compile(r"[^\W\d_][\w./:*;-]*")
# Words of YAML 1.1 and 1.2 that are no texts; both must read the file alike.
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Note:
    """What was changed or could not be said, and the line of the old file that said it."""

    line: int
    text: str


class Page:
    """Lines of YAML; ``origins`` has for each of them the line of the old file that it comes from."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.origins: list[int] = []
        self.notes: list[Note] = []

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join([*self._lines, ""])

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing but notes."""
        return all(line.lstrip().startswith("#") for line in self._lines)

    def write(self, depth: int, text: str, origin: int) -> None:
        """Add a line, ``depth`` levels deep."""
        self._lines.append("  " * depth + text)
        self.origins.append(origin)

    def note(self, depth: int, text: str, origin: int) -> None:
        """Add a note as a comment above what comes next."""
        self.notes.append(Note(origin, text))
        for part in wrap(_visible(text), _WIDTH - 2 * depth, break_long_words=False, break_on_hyphens=False):
            self.write(depth, f"# {part}", origin)

    def block(self, depth: int, title: str, inner: Page, origin: int) -> None:
        """Add ``inner``, which is one level deeper, below ``title``; in its place when it has only notes."""
        bare = inner.is_bare
        if not bare:
            self.write(depth, title, origin)
        self._lines += [line[2:] if bare else line for line in inner._lines]
        self.origins += inner.origins
        self.notes += inner.notes

    def append(self, other: Page) -> None:
        """Add all of ``other`` as it is."""
        self._lines += other._lines
        self.origins += other.origins
        self.notes += other.notes


def scalar(text: str) -> str:
    """Return ``text`` as YAML reads it back, ``$`` doubled: it would begin a variable."""
    text = text.replace("$", "$$")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(":"):
        return text
    return '"' + "".join(_character(c) for c in text) + '"'


def one_or_list(texts: Sequence[str]) -> str:
    """Return one text, or a list on one line."""
    return scalar(texts[0]) if len(texts) == 1 else f"[{', '.join(scalar(text) for text in texts)}]"


def _character(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    return c if c.isprintable() else f"\\U{ord(c):08x}"


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
