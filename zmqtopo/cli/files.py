"""Which file is meant: the one that is named, with or without its ending, or the topology.yaml of this folder."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Final

from zmqtopo.config.names import DEFAULT_FILE, ENDINGS
from zmqtopo.config.wording import listing, printable

_MOST_NAMED: Final = 8
"""Files that a message names; a folder may have thousands."""


def one_file(args: argparse.Namespace) -> str:
    """The file that a verb is to take. A usage error ends it."""
    files = several_files(args)
    if len(files) > 1:
        args.usage_error(f"one file at a time: {' and '.join(map(printable, files))}")
    return files[0]


def several_files(args: argparse.Namespace, *, folders: bool = False) -> list[str]:
    """The files that a verb is to take, at least one; ``folders`` may be meant too. A usage error ends it."""
    positional = args.files if isinstance(args.files, list) else [args.files] if args.files is not None else []
    named = [*args.named, *positional]
    if named:
        return [path if folders and os.path.isdir(path) else completed(path, args) for path in named]   # noqa: PTH112
    if not Path(DEFAULT_FILE).exists():
        others: list[str] = []
        with contextlib.suppress(OSError):
            others = sorted(path.name for path in Path().iterdir()
                            if path.suffix in ENDINGS and not path.name.startswith(".") and path.is_file())
        more = [f"{len(others) - _MOST_NAMED} more"] if len(others) > _MOST_NAMED else []
        told = listing([*map(printable, others[:_MOST_NAMED]), *more])
        there = f"; did you mean {told}?" if others else "; name a FILE"
        args.usage_error(f"there is no {DEFAULT_FILE} in this folder{there}")
    return [DEFAULT_FILE]


def completed(path: str, args: argparse.Namespace) -> str:
    """The path, with the ending that it lacks where only that is there; two such files are a usage error."""
    found = with_ending(path)
    if len(found) > 1:
        args.usage_error(f"{printable(path)} may be {listing([printable(one) for one in found])}: name one")
    return found[0] if found else path


def with_ending(path: str) -> list[str]:
    """What a path without its ending may be, where there is no such file; a folder of the name is none."""
    is_there = os.path.lexists(path) and not os.path.isdir(path)    # noqa: PTH112 - any text
    if path == "-" or path.endswith((*ENDINGS, "/")) or is_there:
        return []
    return [f"{path}{ending}" for ending in ENDINGS if os.path.isfile(f"{path}{ending}")]   # noqa: PTH113
