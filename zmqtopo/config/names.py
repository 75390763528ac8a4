"""Names of topologies, devices, peers and groups: letters of any script, digits, ``_`` and ``-``."""

from __future__ import annotations

import re
import unicodedata

REFERENCE = re.compile(r"([^./:\s]+)\.(in|out|mon)")
"""``DEVICE.SOCKET``, as ``connect`` takes it."""

DEFAULT_FILE = "topology.yaml"
"""The file that is meant where none is named."""

ENDINGS = (".yaml", ".yml")
"""What the name of a topology's file ends with, and may be left out on the command line."""

LONGEST_TOPOLOGY_NAME = 255
"""Bytes in UTF-8: the state folder of a topology has its name, and file systems take no longer ones (NAME_MAX)."""

_ASCII = re.compile(r"[A-Za-z0-9_-]+")


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a name; marks count as letters, since many scripts write vowels with them."""
    if text.isascii():
        return _ASCII.fullmatch(text) is not None
    return all(c in "_-" or unicodedata.category(c)[0] in "LMN" for c in text)


def is_topology_name(text: str) -> bool:
    """Tell whether ``text`` is a name that a topology can have."""
    return is_name(text) and len(text.encode()) <= LONGEST_TOPOLOGY_NAME


def is_run(text: str) -> bool:
    """Tell whether ``text`` says where a device runs: ``thread``, ``process`` or ``process/NAME``."""
    kind, slash, group = text.partition("/")
    return text in ("thread", "process") or (kind == "process" and bool(slash) and is_name(group))


def to_name(text: str) -> str:
    """Make every other character of ``text`` a ``-``; ``topology`` where nothing is left."""
    return "".join(c if is_name(c) else "-" for c in text).strip("-") or "topology"
