"""The plain value of a file against ``schemas/topology.schema.json``.

Each device and peer is validated by itself, and only once per shape. What is wrong becomes UNKNOWN in
the value, so that later stages conclude nothing from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from zmqtopo.config.names import is_name, is_topology_name
from zmqtopo.config.problem import Problem
from zmqtopo.config.schema.definitions import Schema, definition, schema
from zmqtopo.config.schema.validation.fingerprint import FORMATS, shape
from zmqtopo.config.schema.validation.problems import Fault, Findings
from zmqtopo.config.yaml.scalars import resolve
from zmqtopo.config.yaml.source import Source
from zmqtopo.config.yaml.tree import UNKNOWN, Value
from zmqtopo.config.yaml.variables import Evaluation

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

SECTIONS = {"devices": "device", "peers": "peer", "security": "profile"}
"""Key of the file and definition of each of its entries."""


def validate(evaluation: Evaluation, source: Source) -> list[Problem]:
    """Return what the schema finds in ``evaluation.value``, a mapping, and make that UNKNOWN in it."""
    return _Validation(evaluation, source).problems


class _Validation:
    def __init__(self, evaluation: Evaluation, source: Source) -> None:
        self._evaluation, self._root = evaluation, source.spot
        self._findings = Findings(source)
        value = evaluation.value
        self._check(partial(_faults, _validator("root")), value, value, ())
        name = value.get("name")
        if isinstance(name, str) and not is_topology_name(name):
            self._findings.long_name(name)
        for section, kind in SECTIONS.items():
            entries = value.get(section)
            if isinstance(entries, dict):
                self._entries(entries, section, _validator(kind))

    @property
    def problems(self) -> list[Problem]:
        return self._findings.problems

    def _entries(self, entries: dict[str, Any], section: str, validator: Validator) -> None:
        known: dict[Hashable, list[Fault]] = {}

        def faults(entry: Value) -> list[Fault]:
            form = shape(entry)
            if form not in known:
                known[form] = _faults(validator, entry)
            return known[form]

        for name, entry in entries.items():
            if not is_name(name):
                self._findings.bad_name(name, (section, name))
            self._check(faults, entry, entries, (section, name))

    def _check(self, faults: Callable[[Value], list[Fault]], value: Value, holder: Value,
               path: tuple[str, ...]) -> None:
        found = faults(value)
        if found and self._retype(found, holder, path):
            found = faults(holder[path[-1]] if path else holder)
        if found:
            self._findings.add(found, holder, path)

    def _retype(self, faults: list[Fault], holder: Value, path: tuple[str, ...]) -> bool:
        """Read again, as YAML would, the text that a variable made where the schema wants no text."""
        changed = False
        for fault in faults:
            steps = [*path, *fault.path]
            if not steps or fault.keyword == "additionalProperties":
                continue
            spot, inner = self._root, holder
            for step in steps:
                spot = spot[step]
            for step in steps[max(len(path) - 1, 0): -1]:
                inner = inner[step]
            text = inner[steps[-1]]
            if isinstance(text, str) and self._evaluation.is_substituted(spot.origin) and resolve(text) != text:
                inner[steps[-1]] = resolve(text)
                changed = True
        return changed


def _faults(validator: Validator, value: Value) -> list[Fault]:
    return [Fault(tuple(error.absolute_path), str(error.validator), error.validator_value,
                  cast("Schema", error.schema), error.message)
            for error in validator.iter_errors(value)]


@cache
def _validator(kind: str) -> Validator:
    """Return a validator of ``device``, ``peer``, or ``root``: the file without the entries of its sections."""
    rules = schema()
    if kind == "root":
        deep = ("additionalProperties", "propertyNames")
        shallow = {section: {key: rule for key, rule in rules["properties"][section].items() if key not in deep}
                   for section in SECTIONS}
        rules = {**rules, "properties": {**rules["properties"], **shallow}}
    else:
        rules = rules["definitions"][kind]
    return dialect()(rules, format_checker=_formats())


@cache
def dialect() -> type[Validator]:
    """Return Draft 7 in which UNKNOWN is right everywhere and no sentences are made."""
    from jsonschema import Draft7Validator
    from jsonschema.validators import extend

    # An integral float is an integer for JSON; infinity and not-a-number are no numbers.
    types = Draft7Validator.TYPE_CHECKER.redefine(
        "number", lambda _, value: _is_number(value)
    ).redefine("integer", lambda _, value: _is_number(value) and value == int(value))
    own: dict[str, Keyword] = {"$ref": _ref, "type": _type, "pattern": _pattern, "required": _required,
           "additionalProperties": _additional}
    checks = cast("dict[str, Keyword]", {**Draft7Validator.VALIDATORS, **own})
    keywords = {name: _but_for_unknown(check) for name, check in checks.items()}
    made: type[Validator] = extend(Draft7Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return made


Keyword = Callable[..., "Iterator[ValidationError] | None"]


def _but_for_unknown(check: Keyword) -> Keyword:
    def checked(validator: Value, rule: Value, value: Value, within: Schema) -> Iterator[ValidationError]:
        if value is not UNKNOWN:
            yield from check(validator, rule, value, within) or ()

    return checked


def _ref(validator: Value, reference: str, value: Value, within: Schema) -> Iterator[ValidationError]:
    # Every reference is to a definition of the same file, which needs no resolver.
    yield from validator.descend(value, definition(within))


def _type(validator: Value, types: str | list[str], value: Value, within: Schema) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, bytes) and "contentMediaType" in within:
        return
    allowed = [types] if isinstance(types, str) else types
    if not any(validator.is_type(value, one) for one in allowed):
        yield ValidationError("type")


def _pattern(validator: Value, pattern: str, value: Value, within: Schema) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    # For Python `$` also stands before a final line feed, for JSON Schema only at the end.
    if isinstance(value, str) and (value.endswith("\n") or not re.search(pattern, value)):
        yield ValidationError("pattern")


def _required(validator: Value, keys: list[str], value: Value, within: Schema) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, dict):
        for key in keys:
            if key not in value:
                yield ValidationError(key)


def _additional(validator: Value, rule: Value, value: Value, within: Schema) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, dict):
        for key in value:
            if key not in within["properties"]:
                yield ValidationError(key, path=[key])


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_format(check: Callable[[str], bool], value: Value) -> bool:
    return not isinstance(value, str) or check(value)


@cache
def _formats() -> FormatChecker:
    from jsonschema import FormatChecker

    formats = FormatChecker(formats=())
    for name, check in FORMATS.items():
        formats.checks(name)(partial(_is_format, check))
    return formats
