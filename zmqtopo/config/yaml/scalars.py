"""What a plain scalar means: the core schema of YAML 1.2, in which ``on``, ``no`` and ``1:30`` are text."""

from __future__ import annotations

import re

Plain = bool | int | float | str | bytes | None
"""What one scalar of a file can be."""

_FIXED: dict[str, bool | float | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_FIRST = frozenset("~nNtTfF.+-0123456789")
_LONGEST_NUMBER = 250
"""Characters of a number: a longer one, which no key takes, is text. So every whole number, hexadecimal too, fits
into a double (below 1.8e308) and into what int() and str() do (sys.int_info.default_max_str_digits)."""


def resolve(text: str) -> Plain:
    """Return the value of the plain scalar ``text``."""
    if text and text[0] not in _FIRST:
        return text
    if text in _FIXED:
        return _FIXED[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
