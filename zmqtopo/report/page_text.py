"""A page of Markdown as plain text for a terminal.

It knows what the pages use: headings, paragraphs, lists, tables, fenced blocks, links and pictures.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from zmqtopo.config.yaml.markdown import fences

_HEADING = re.compile(r"(#{1,6}) (.*)")
_ITEM = re.compile(r"( *)([-*]|\d+\.) ")
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")

_UNDERLINES: Final = {1: "=", 2: "-"}
_GAP: Final = 2
"""Columns between those of a table."""
_NARROWEST: Final = 12
"""Columns that every column of a table keeps, if it needs so many."""


def plain(markdown: str, width: int) -> str:
    """The page in lines of at most ``width`` columns, but for what a word, a heading or a block needs."""
    return "\n\n".join(_parts(_COMMENT.sub("", markdown).splitlines(), width)) + "\n"


def _parts(lines: Sequence[str], width: int) -> Iterator[str]:
    at = 0
    for fence in fences(lines):
        yield from _prose(lines[at:fence.start - 1], width)
        yield textwrap.indent("\n".join(lines[fence.start:fence.end]), "    ")
        at = fence.end + 1
    yield from _prose(lines[at:], width)


def _prose(lines: Sequence[str], width: int) -> Iterator[str]:
    """What stands between blocks, each paragraph, list, table and heading on its own."""
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        if not paragraph.strip():
            continue
        first, *others = paragraph.splitlines()
        if heading := _HEADING.fullmatch(first):
            words = _inline(heading[2])
            yield "\n".join([words, _UNDERLINES.get(len(heading[1]), "") * len(words)]).rstrip()
            yield from _prose(others, width)
        elif first.startswith("|"):
            yield _table(paragraph.splitlines(), width)
        elif _ITEM.match(first):
            yield "\n".join(_list(paragraph.splitlines(), width))
        else:
            yield _filled(paragraph, width)


def _list(lines: Sequence[str], width: int) -> Iterator[str]:
    """Each item with a hanging indent."""
    items: list[str] = []
    for line in lines:
        if _ITEM.match(line) or not items:
            items.append(line)
        else:
            items[-1] += f" {line.strip()}"
    for item in items:
        mark = _ITEM.match(item)
        lead = mark[0] if mark else ""
        yield _filled(item.removeprefix(lead), width, lead.replace("*", "-"), " " * len(lead))


def _table(lines: Sequence[str], width: int) -> str:
    """The cells in columns, those that are too wide wrapped."""
    rows = [[_inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    head, _, *body = rows
    rows = [head, *body]
    columns = list(zip_longest(*rows, fillvalue=""))
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    # The name in the first column is kept whole, to be searched for and copied.
    widths = _widths([max(map(len, column)) for column in columns], width - _GAP * (len(columns) - 1), words[0])
    written = [line for row in rows for line in _row(row, widths)]
    after_head = len(list(_row(head, widths)))
    written.insert(after_head, (" " * _GAP).join("-" * wide for wide in widths))
    return "\n".join(written)


def _widths(wanted: Sequence[int], room: int, first: int) -> list[int]:
    """As much as each column wants, less where there is not so much room: the widest give first.

    The first column keeps ``first``.
    """
    widths = list(wanted)
    least = [max(first, _NARROWEST), *[_NARROWEST] * (len(widths) - 1)]
    while sum(widths) > room and (wide := [at for at, one in enumerate(widths) if one > least[at]]):
        widths[max(wide, key=lambda at: widths[at])] -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    wrapped = [_wrapped(cell, wide) for cell, wide in zip(cells, widths, strict=False)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        yield (" " * _GAP).join(f"{part:{wide}}" for part, wide in zip(parts, widths, strict=False)).rstrip()


def _filled(text: str, width: int, lead: str = "", hanging: str = "") -> str:
    return textwrap.fill(_inline(" ".join(text.split())), width, initial_indent=lead, subsequent_indent=hanging,
                         break_long_words=False, break_on_hyphens=False)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)


def _inline(text: str) -> str:
    """The words of a line without the marks of Markdown, but for what stands in backquotes, which is left as it is."""
    parts = re.split(r"(`[^`]+`)", _LINK.sub(_target, _PICTURE.sub(r"\1", text)))
    return "".join(part[1:-1] if part.startswith("`") else re.sub(r"\*\*|\\(?=[|*_<>])|</?kbd>", "", part)
                   for part in parts).replace("\\|", "|")


def _target(link: re.Match[str]) -> str:
    """A link in words: to another page by the command that prints it."""
    words, target = link.groups()
    if page := re.fullmatch(r"([\w-]+)\.md(?:#.*)?", target):
        return f"{words} (zmqtopo explain {page[1]})"
    return f"{words} ({target})" if "://" in target and target != words else words
