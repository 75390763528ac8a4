"""A file to a tree of nodes with places, or to the problem that keeps it from being one."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.tree import Node, Spot, Step

MAX_BYTES = 32 * 1024 * 1024
"""Size of a file; 80,000 devices take a third of it."""

STDIN = "<stdin>"
"""The name under which standard input is reported."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as the parser counts lines
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
         (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was read: its lines, to quote them, and its tree.

    ``root`` is None where the text is empty or no YAML; ``lines`` is empty where the file could not be read.
    """

    file: str
    lines: Sequence[str] = ()
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def spot(self) -> Spot:
        """The root, to walk down from; only where there is one."""
        assert self.root is not None  # the caller has looked
        return Spot(self.root, self.lines)

    def locate(self, path: Sequence[Step], *, key: bool = False) -> Place:
        """Return the place of the value at ``path`` (keys and indices), or of its key, or raise LookupError."""
        spot = self.spot
        for step in path:
            spot = spot[step]
        return spot.key_place if key else spot.place


def read_source(path: str) -> Source:
    """Read the file ``path``, or standard input where it is ``-``. Problems are values: nothing is raised."""
    name = STDIN if path == "-" else path
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return _unreadable(name, "there is no such file")
    except IsADirectoryError:
        return _unreadable(name, "this is a folder and not a file", "name the file in it")
    except PermissionError:
        return _unreadable(name, "the file may not be read: no permission")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _unreadable(name, f"the file cannot be read: {reason}")
    if len(data) > MAX_BYTES:
        return _unreadable(name, f"the file is larger than {MAX_BYTES // 2**20} MiB",
                           "is this the right file? A topology is a text that people read",
                           rule="yaml-unsafe")
    return decode(data, name)


def decode(data: bytes, file: str) -> Source:
    """Read a text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark."""
    encoding, start = next(((name, len(bom)) for bom, name in _BOMS if data.startswith(bom)), ("utf-8", 0))
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        before = data[start: start + error.start].decode(encoding, "replace")
        return _no_text(file, before, f"the byte 0x{data[start + error.start]:02x} is not {encoding.upper()}")
    if "\0" in text:
        return _no_text(file, text[: text.index("\0")], "a zero byte")
    return parse_text(text, file)


def parse_text(text: str, file: str) -> Source:
    """Read ``text``; ``file`` names it in reports."""
    import yaml

    from zmqtopo.config.compose import Composer, UnsafeError
    from zmqtopo.config.shield import shield
    from zmqtopo.config.syntax import explain

    lines = _LINE_BREAK.split(text.removeprefix("\ufeff"))
    composer = Composer(file, lines)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root: Node | None = None
    try:
        root = composer.compose(yaml.parse(shield(text.removeprefix("\ufeff")), Loader=loader))
    except yaml.YAMLError as error:
        composer.problems.append(explain(error, file, lines))
    except UnsafeError as error:
        composer.problems.append(error.problem)
    return Source(file, lines, root, composer.problems)


def _unreadable(file: str, message: str, hint: str = "", rule: str = "unreadable-file") -> Source:
    return Source(file, problems=[Problem(rule, "error", message, file, hint=hint)])


def _no_text(file: str, before: str, what: str) -> Source:
    lines = _LINE_BREAK.split(before)
    place = Place(len(lines), len(lines[-1]) + 1, len(lines[-1]) + 2)
    return Source(file, problems=[Problem("yaml-syntax", "error", f"this is no text file: {what}", file, place,
                                          "a topology is YAML in UTF-8")])
