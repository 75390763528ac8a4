"""Topologies in Markdown: the blocks fenced as YAML that have ``devices`` at their top level.

Fences are those of CommonMark 0.31, section 4.5: three or more backquotes or tildes, closed by at least
as many of the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})[ \t]*([^\s`]*)([^`]*)")
_DEVICES = re.compile(r"( *)(?:devices|'devices'|\"devices\") *:(?:\s|$)")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language in lower case, its first line, from 0, and the line behind its last."""

    language: str
    start: int
    end: int
    margin: str
    """What stands before the marks, as white space: the lines of a block in a list have it too."""
    is_closed: bool


def fences(lines: Sequence[str]) -> Iterator[Fence]:
    """Yield every fenced block of ``lines``."""
    opened = language = margin = ""
    start = 0
    for number, line in enumerate(lines):
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        marks, word, more = fence.groups()
        if not opened:
            opened, language, start = marks, word.lower(), number + 1
            margin = re.sub(r"\S", " ", line[:fence.start(1)])
        elif marks.startswith(opened) and not word and not more.strip():
            yield Fence(language, start, number, margin, is_closed=True)
            opened = ""
    # A fence that nobody closes goes to the end of the file.
    if opened:
        yield Fence(language, start, len(lines), margin, is_closed=False)


def blocks(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where each topology stands in ``lines``: the first line, from 0, and the one behind the last."""
    for fence in fences(lines):
        if fence.language in ("yaml", "yml") and _is_topology(lines[fence.start:fence.end]):
            yield fence.start, fence.end


def _is_topology(lines: Sequence[str]) -> bool:
    top = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    return any(len(found[1]) == top for line in lines if (found := _DEVICES.match(line)))
