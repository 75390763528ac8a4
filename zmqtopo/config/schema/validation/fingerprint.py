"""The shape of a value: what is left of it when all is dropped that the schema does not look at.

Two values of one shape are both valid or both not, so that one of them needs to be validated: ten
thousand devices that differ in addresses, numbers and names are a handful of shapes.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator
from functools import cache

from zmqtopo.config.names import is_name, is_run
from zmqtopo.config.schema.definitions import Schema, schema
from zmqtopo.config.yaml.tree import Value

FORMATS: dict[str, Callable[[str], bool]] = {"name": is_name, "run": is_run}
"""What ``format`` can say in the schema, and the check of a text."""

_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")


def shape(value: Value) -> Hashable:
    """Return a hashable that is equal for two values only if the schema judges them alike."""
    kind = value.__class__
    if kind is dict:
        return tuple([(key, shape(item)) for key, item in value.items()])
    if kind is list:
        return kind, *map(shape, value)
    if kind is str:
        return _text(value)
    if kind is int or kind is float:
        return kind, _number(value)
    return kind if kind is bytes else (kind, value)


def _text(value: str) -> Hashable:
    rules = _rules()
    if value in rules.words:
        return value
    # A text's length matters between the shortest and the longest that is asked for.
    length = bisect_left(rules.lengths, len(value)), len(value) in rules.lengths
    return str, length, tuple([search(value) is not None for search in rules.patterns]), \
        tuple([check(value) for check in FORMATS.values()]), value.endswith("\n")


def _number(value: float) -> Hashable:
    numbers = _rules().numbers
    if not math.isfinite(value):
        return None
    return bisect_left(numbers, value), value in numbers, value == int(value)


class _Rules:
    """Everything in the schema that a text or number is compared with."""

    def __init__(self, rules: Schema) -> None:
        numbers: set[float] = set()
        lengths: set[int] = set()
        patterns: set[str] = set()
        words: set[str] = set()
        for keyword, operand in _keywords(rules):
            if keyword in _LIMITS:
                numbers.add(operand)
            elif keyword in _LENGTHS:
                lengths.add(operand)
            elif keyword == "pattern":
                patterns.add(operand)
            elif keyword == "enum":
                words |= {one for one in operand if isinstance(one, str)}
                numbers |= {one for one in operand if isinstance(one, int) and not isinstance(one, bool)}
        self.numbers, self.lengths, self.words = sorted(numbers), sorted(lengths), words
        self.patterns = [re.compile(pattern).search for pattern in sorted(patterns)]


@cache
def _rules() -> _Rules:
    return _Rules(schema())


def _keywords(rules: Value) -> Iterator[tuple[str, Value]]:
    """Yield each keyword and its operand; keys under ``properties`` may look like keywords and do no harm."""
    if isinstance(rules, dict):
        for keyword, operand in rules.items():
            if not isinstance(operand, dict):
                yield keyword, operand
            yield from _keywords(operand)
    elif isinstance(rules, list):
        for each in rules:
            yield from _keywords(each)
