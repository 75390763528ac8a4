"""A file to a tree of nodes with places, or to the problem that keeps it from being one."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.yaml.markdown import blocks
from zmqtopo.config.yaml.source.folder import MARKDOWN, candidates, is_topology
from zmqtopo.config.yaml.tree import Node, Spot

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
    ``above`` is the number of lines that stand above it in a file of which it is a part.
    """

    file: str
    lines: Sequence[str] = ()
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    above: int = 0

    @property
    def spot(self) -> Spot:
        """The root, to walk down from; only where there is one."""
        assert self.root is not None  # the caller has looked
        return Spot(self.root, self.lines)


def read_source(path: str, *, streams: bool = True) -> Source:
    """Read the file ``path``, or standard input where it is ``-``. Problems are values: nothing is raised.

    Without ``streams`` a pipe or a device, which may have to be waited for, is a problem.
    """
    name = STDIN if path == "-" else path
    text = _text_of(path, name, streams)
    return parse_text(text, name) if isinstance(text, str) else text


def read_sources(path: str, exclude: Sequence[str] = ()) -> Iterator[Source]:
    """Read all that ``path`` has: as `read_source`, but also the files of a folder and the blocks of a Markdown file.

    Of a folder, with all that is below it, the topologies are read, in files that end in .yaml, .yml, .md or .markdown,
    but for those that ``exclude`` names; see `folder`. A Markdown file that is named has to have a topology.
    """
    if path != "-" and os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        yield from _folder(path, exclude)
    elif is_markdown(path):
        parts = list(_markdown(path))
        yield from parts or [_unreadable(path, "this file has no topology", "in Markdown a topology is a block that is "
                                         "fenced as yaml and has devices at its top level")]
    else:
        yield read_source(path)


def _markdown(path: str) -> Iterator[Source]:
    text = _text_of(path, path)
    if isinstance(text, Source):
        yield text
        return
    lines = _LINE_BREAK.split(text)
    for start, end in blocks(lines):
        yield replace(parse_text("\n".join(lines[start:end]), path), above=start)


def is_markdown(path: str) -> bool:
    """Whether the name of a file says that it is Markdown."""
    return path.lower().endswith(MARKDOWN)


def _folder(folder: str, exclude: Sequence[str]) -> Iterator[Source]:
    found = False
    for path in candidates(folder, exclude):
        for source in _in_folder(path):
            found = True
            yield source
    if not found:
        yield _unreadable(folder, "this folder has no topology",
                          "a topology is a file that ends in .yaml or .yml and has devices at its top level")


def _in_folder(path: Path | OSError) -> Iterator[Source]:
    if isinstance(path, OSError):
        yield _unreadable(str(path.filename), f"the folder cannot be read: {path.strerror}")
    elif is_markdown(path.name):
        yield from _markdown(str(path))
    else:
        text = _text_of(str(path), str(path))
        if isinstance(text, Source):
            yield text
        elif is_topology(text, path.name):
            yield parse_text(text, str(path))


def _text_of(path: str, name: str, streams: bool = True) -> str | Source:
    """The text of a file, or its problem."""
    if not path:
        return _unreadable("''", "a file without a name", "an argument is empty: is a variable of the shell not set?")
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb", opener=None if streams else _open_at_once) as opened:
                if not streams and not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                    return _unreadable(name, "this is a pipe or a device and not a file", "name a file")
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
    return _decoded(data, name)


def _open_at_once(path: str, flags: int) -> int:
    # Opening a pipe waits for its other end, unless O_NONBLOCK is set.
    return os.open(path, flags | os.O_NONBLOCK)


def decode(data: bytes, file: str) -> Source:
    """Read a text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark."""
    text = _decoded(data, file)
    return parse_text(text, file) if isinstance(text, str) else text


def _decoded(data: bytes, file: str) -> str | Source:
    encoding, start = next(((name, len(bom)) for bom, name in _BOMS if data.startswith(bom)), ("utf-8", 0))
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        before = data[start: start + error.start].decode(encoding, "replace")
        return _no_text(file, before, f"the byte 0x{data[start + error.start]:02x} is not {encoding.upper()}")
    if "\0" in text:
        return _no_text(file, text[: text.index("\0")], "a zero byte")
    return text


def parse_text(text: str, file: str) -> Source:
    """Read ``text``; ``file`` names it in reports."""
    import yaml

    from zmqtopo.config.yaml.compose import Composer, UnsafeError
    from zmqtopo.config.yaml.mask_variables import shield
    from zmqtopo.config.yaml.source.errors import explain

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
    return Source(file, problems=[Problem("yaml-syntax", "error", f"this is not a text file: {what}", file, place,
                                          "a topology is YAML in UTF-8")])
