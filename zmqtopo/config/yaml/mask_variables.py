"""Keep ``${...}`` whole while YAML is read.

YAML ends an unquoted text inside ``[ ]`` and ``{ }`` at every bracket and comma, so that
``bind: [tcp://*:${PORT:-5561}]`` would not be read. The characters with a meaning are exchanged for
private ones before the parser sees them and changed back in every value: one for one, so that no
column moves.
"""

from __future__ import annotations

import re

_MEANING = "{}[],:#"
# From a private plane that YAML accepts and that has no assigned use.
_PRIVATE = "".join(chr(0x10FFF0 + i) for i in range(len(_MEANING)))
_SHIELD = str.maketrans(_MEANING, _PRIVATE)
_UNSHIELD = str.maketrans(_PRIVATE, _MEANING)
_VARIABLE = re.compile(r"\$\{[^{}'\"\r\n]*\}")  # a quote would end before the brace that closes


def shield(text: str) -> str:
    """Return ``text`` with what stands in ``${...}`` made harmless."""
    if "${" not in text:
        return text
    return _VARIABLE.sub(lambda m: "$" + m.group()[1:].translate(_SHIELD), text)


def unshield(value: str) -> str:
    """Return a value of the parser as it stood in the file."""
    return value if value.isascii() else value.translate(_UNSHIELD)
