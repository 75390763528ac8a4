"""Which files below a folder are topologies: of all the YAML in a repository most is something else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

YAML: Final = (".yaml", ".yml")
MARKDOWN: Final = (".md", ".markdown")

_OTHERS: Final = ("node_modules", "site-packages", "__pycache__")
"""Folders of what others have made; hidden folders and virtual environments are left out too."""

_VIRTUAL_ENVIRONMENT: Final = "pyvenv.cfg"
"""The file that every virtual environment has, https://docs.python.org/3/library/venv.html."""

_KEY = re.compile(r"( *)([\w-]+|'[\w-]+'|\"[\w-]+\") *:(?:\s+([^#\s])|\s|$)")
_FLOW_KEY = re.compile(r"[{,\s](['\"]?)(\w+)\1 *:")
_SCHEMA = re.compile(r"^#.*yaml-language-server:.*topology\.schema\.json", re.MULTILINE)
_NAMED = re.compile(r"(.+\.)?topology\.ya?ml", re.IGNORECASE)

_SLIPS: Final = {"device", "devcies", "devics", "deivces", "devicse", "dveices", "devies", "evices"}
"""Spellings of ``devices`` with one slip: a mapping below such a key was meant as devices."""


def candidates(folder: str, exclude: Sequence[str]) -> Iterator[Path | OSError]:
    """Every file below the folder that may be one, in order, and what could not be read on the way.

    Symbolic links to folders are left out. ``exclude`` are patterns of the shell for a name, or for the path from the
    folder on.
    """
    forbidden: list[OSError] = []
    for above, inside, names in os.walk(folder, onerror=forbidden.append):
        here = Path(above)
        inside[:] = sorted(name for name in inside if not _is_foreign(here / name)
                           and not _is_excluded(here / name, folder, exclude))
        for name in sorted(names):
            path = here / name
            wanted = name.lower().endswith((*YAML, *MARKDOWN)) and not name.startswith(".")
            # A pipe would be waited for.
            if wanted and path.is_file() and not _is_excluded(path, folder, exclude):
                yield path
    yield from forbidden


def _is_foreign(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _OTHERS or (folder / _VIRTUAL_ENVIRONMENT).exists()


def _is_excluded(path: Path, folder: str, patterns: Sequence[str]) -> bool:
    names = (path.name, str(path), str(path.relative_to(folder)))
    return any(fnmatch(name, pattern.rstrip("/").removeprefix("./")) for pattern in patterns for name in names)


def is_topology(text: str, name: str) -> bool:
    """Whether a text in YAML, whole or broken, was meant as a topology: it has ``devices`` at its top level.

    So does a file that is called topology.yaml, or names the schema for its editor: a mistyped ``devices`` should not
    let it pass unseen.
    """
    if _NAMED.fullmatch(name) or _SCHEMA.search(text):
        return True
    return any(key.lower() == "devices" or (key.lower() in _SLIPS and not value) for key, value in _top_keys(text))


def _top_keys(text: str) -> Iterator[tuple[str, str]]:
    """The keys at the top level, each with how its value begins in the same line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "---", "%"))]
    if not lines:
        return
    if lines[0].lstrip().startswith("{"):
        # In flow style, as JSON is, depth would take a parser; a key of that name is enough.
        yield from ((match[2], "flow") for match in _FLOW_KEY.finditer(text))
        return
    top = min(len(line) - len(line.lstrip(" ")) for line in lines)
    for line in lines:
        found = _KEY.match(line)
        if found and len(found[1]) == top:
            yield found[2].strip("'\""), found[3] or ""
