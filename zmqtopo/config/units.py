"""Times and sizes with a unit; which unit a bare number is in says the schema (``x-unit``)."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from zmqtopo.config.schema.definitions import Schema
from zmqtopo.config.wording import LONGEST, shortened

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_BYTES = {"B": Decimal(1), "kB": Decimal(1000), "MB": Decimal(1000) ** 2, "GB": Decimal(1000) ** 3,
          "KiB": Decimal(1024), "MiB": Decimal(1024) ** 2, "GiB": Decimal(1024) ** 3}
_NAMES = {"ms": "milliseconds", "s": "seconds", "B": "bytes", "kB": "kilobytes"}


def quantity(value: float | str, rules: Schema) -> float:
    """Convert ``value``, which ``rules`` allow, to a number in their ``x-unit``; text has the form ``1.5h``.

    The number is whole, an int, where the schema wants integers. Raises ValueError, in words for the
    user, where the text is not a whole number of units or outside ``minimum`` and ``maximum``.
    """
    whole = "integer" in rules["type"]
    if not isinstance(value, str):
        return int(value) if whole else float(value)
    unit = rules["x-unit"]
    table = _SECONDS if unit in _SECONDS else _BYTES
    digits = value.rstrip("".join(set("".join(table))))
    number = Decimal(digits) * table[value[len(digits):]] / table[unit]
    if unit == "kB":  # a buffer: the next kilobyte will do
        number = Decimal(math.ceil(number))
    low, high = rules["minimum"], rules["maximum"]
    if not low <= number <= high:
        side, limit = ("over", high) if number > high else ("under", low)
        raise ValueError(f"{shortened(value)} is {side} the limit of {limit} {_NAMES[unit]}")
    if not whole:
        return float(number)
    if number != int(number):
        raise ValueError(f"{shortened(value)} is not a whole number of {_NAMES[unit]}")
    return int(number)


def respelled(text: str, unit: str) -> str | None:
    """Return what ``text`` probably means in the family of ``unit``: ``30 Sec`` is ``30s``; None if unclear."""
    form = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", text)
    if form is None or len(text) > LONGEST:
        return None
    said = form[2].lower()
    units = {u.lower(): u for u in (_SECONDS if unit in _SECONDS else _BYTES)}
    words = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "hr": "h", "msec": "ms",
             "millisecond": "ms", "byte": "B", "k": "kB", "m": "MB", "g": "GB"}
    found = units.get(said) or words.get(said) or words.get(said.removesuffix("s"))
    return f"{form[1]}{found}" if found in units.values() else None
