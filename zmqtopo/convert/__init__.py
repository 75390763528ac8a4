"""Old configuration files of ZeroMQ devices to topology files.

::

    text ──> syntax ──> tree ──┬─> legacy ──┬─> page
             JSON,      items  │   zdcf,    │   YAML and notes
             ZPL, XML          │   libzmq2  │
                               └─> fairmq ──┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal

from zmqtopo.convert.legacy.model import Old
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Note, Page

__all__ = ["FORMATS", "ConvertError", "Converted", "Format", "convert", "guess"]

Format = Literal["zdcf", "zpl", "xml", "fairmq"]

FORMATS: Final[Sequence[Format]] = ("zdcf", "zpl", "xml", "fairmq")
"""ZDCF in JSON; ZDCF in ZPL; the XML of libzmq 2's programs, and ZDCF in XML; the JSON of FairMQ."""

_FAIRMQ: Final = "fairMQOptions"
_SYNTAX: Final = {"zdcf": "json", "zpl": "zpl", "xml": "xml", "fairmq": "json"}


@dataclass(frozen=True, slots=True)
class Converted:
    """A topology file, and what was changed or left out; each note is a comment in ``text`` too."""

    text: str
    notes: Sequence[Note]


def guess(text: str) -> Format:
    """Return the format that the first character tells: ZPL begins with a letter, and JSON and XML never do.

    FairMQ's JSON has all that it says below one name.
    """
    first = text.lstrip()[:1]
    if first == "{":
        return "fairmq" if f'"{_FAIRMQ}"' in text else "zdcf"
    return "xml" if first == "<" else "zpl"


def convert(text: str, form: Format) -> Converted:
    """Return the topology file that ``text`` becomes; raises ConvertError when it is malformed or cannot be said."""
    from zmqtopo.checks import examine_text
    from zmqtopo.convert.legacy.translate import translate

    root: Item = import_module(f"zmqtopo.convert.syntax.{_SYNTAX[form]}").parse(text)
    page = _fairmq(root) if form == "fairmq" else translate(_read(root, form))
    # What no old format could know to be wrong is found by the rules for the new one.
    for problem in examine_text(page.text, environ={}).problems:
        if problem.severity == "error":
            line = page.origins[problem.place.line - 1]
            raise ConvertError(f"this cannot run: {problem.message}", line, problem.hint)
    return Converted(page.text, page.notes)


def _fairmq(root: Item) -> Page:
    from zmqtopo.convert import fairmq

    if not root.all(_FAIRMQ):
        raise ConvertError(f"a configuration of FairMQ has all in {_FAIRMQ}, which is not here", root.line)
    return fairmq.translate(root)


def _read(root: Item, form: Format) -> Old:
    from zmqtopo.convert.legacy import libzmq2, zdcf

    if form != "xml" or root.name == "zdcf":
        return zdcf.read(root)
    if root.name in libzmq2.PROGRAMS:
        return libzmq2.read_one(root)
    if root.name == "config":
        return libzmq2.read_many(root)
    raise ConvertError(f"no device configuration begins with <{root.name}>", root.line,
                       "known are <queue>, <forwarder>, <streamer>, <config> and <zdcf>")
