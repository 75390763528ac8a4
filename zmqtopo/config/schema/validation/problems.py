"""What the schema does not allow, as problems in words of the file.

Each fault has a place in the file and one cause; several at one place are one finding, and what was
found becomes UNKNOWN in the value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType

from zmqtopo.config.names import LONGEST_TOPOLOGY_NAME
from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.schema.definitions import Schema, definition, secret_options
from zmqtopo.config.schema.meanings import name_hint, place_hint
from zmqtopo.config.schema.suggestions import MOST_LISTED, choices, example, expected, got, value_hint
from zmqtopo.config.secrets import is_secret
from zmqtopo.config.wording import Guesses, listing, quote
from zmqtopo.config.yaml.source import Source
from zmqtopo.config.yaml.tree import UNKNOWN, Node, Spot, Step, Value

Path = tuple[Step, ...]

FORMAT = 1
"""The integer part of the newest ``version`` that this program reads."""

# What other programs of the field call our keys.
_SYNONYMS = {"frontend": "in", "input": "in", "backend": "out", "output": "out", "capture": "mon",
             "monitor": "mon", "addr": "bind", "endpoint": "bind", "option": "options", "sockopts": "options",
             "high_water_mark": "hwm"}
_ORDER = {"type": 0, "enum": 1, "format": 2, "pattern": 3}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the schema finds in a value: the ``keyword`` and ``operand`` in ``rules`` that are not met.

    ``path`` leads from the value to the place. ``key`` is the one that is missing there, or that is unknown and
    where the path ends.
    """

    path: Path
    keyword: str
    operand: Value
    rules: Schema
    key: str


class Findings:
    """The problems of one file, as they are found."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._guesses = Guesses()
        self._told: set[tuple[str, str, Node]] = set()

    def bad_name(self, name: str, path: Path) -> None:
        """Report a key that names a device or peer and is not a valid name."""
        self._report("bad-value", f"{quote(name)} is not a valid name", self._spot(path), True,
                     name_hint(name))

    def long_name(self, name: str) -> None:
        """Report a name of the topology that is too long."""
        message = (f"the name of the topology has {len(name.encode())} bytes, and that of its state folder at most "
                   f"{LONGEST_TOPOLOGY_NAME}")
        self._report("bad-value", message, self._spot(("name",)), False, "give it a shorter one")

    def add(self, faults: Sequence[Fault], holder: Value, prefix: tuple[str, ...]) -> None:
        """Report ``faults`` of the value at ``prefix``, which stands in ``holder`` (at the root: the value itself)."""
        start = max(len(prefix) - 1, 0)
        by_path: dict[Path, list[Fault]] = {}
        missing: list[tuple[Path, Fault]] = []
        suggested: set[Path] = set()
        for fault in faults:
            path = (*prefix, *fault.path)
            if fault.keyword == "required":
                missing.append((path, fault))
            else:
                by_path.setdefault(path, []).append(fault)
        for path, found in by_path.items():
            fault = min(found, key=lambda f: _ORDER.get(f.keyword, 9))
            if fault.keyword != "additionalProperties":
                value = _at(holder, path[start:])
                if value is UNKNOWN:
                    continue    # it stands in something that is wrong as a whole
                self._value(path, fault, value)
                _spoil(holder, path[start:])
                continue
            mapping = _at(holder, path[start:-1])
            if _in_secret(path) and (*path[:-1], "file") in suggested:
                _spoil(holder, path[start:])
                continue    # one mapping in the place of a secret is one cause, whatever its keys are
            near = self._unknown_key(path, fault, mapping)
            if near:
                # What a misspelled key says is what the right one says, whatever that is.
                suggested.add((*path[:-1], near))
                mapping.setdefault(near, UNKNOWN)
                del mapping[fault.key]
            else:
                _spoil(holder, path[start:])
        for path, fault in missing:
            # A misspelled key explains why the right one is missing.
            if (*path, fault.key) not in suggested:
                self._missing(path, fault, is_empty=not holder)
            _spoil(holder, (*path[start:], fault.key))

    def _spot(self, path: Path) -> Spot:
        spot = self._source.spot
        for step in path:
            spot = spot[step]
        return spot

    def _report(self, rule: str, message: str, spot: Spot, at_key: bool, hint: str = "",
                where: str = "") -> None:
        # What an anchor brings to several places is one cause, whatever the places are called.
        cause = (rule, message, spot.origin)
        if cause not in self._told:
            self._told.add(cause)
            place = spot.key_place if at_key else spot.place
            self.problems.append(Problem(rule, "error", message + where, self._source.file, place, hint))

    def _missing(self, path: Path, fault: Fault, *, is_empty: bool) -> None:
        key = fault.key
        rules = fault.rules["properties"][key]
        possible = choices(definition(rules)) if "enum" in definition(rules) else []
        hint = f"write {key}: {listing(possible) if 0 < len(possible) <= MOST_LISTED else example(rules)}"
        if "x-why" in rules:
            hint = f"{rules['x-why']}: {hint}, or another one"
        if not path:
            message = f"the file is empty: it has no {key}" if is_empty else f"the file has no {key}"
            self.problems.append(Problem("missing-key", "error", message, self._source.file, Place(), hint))
            return
        self._report("missing-key", f"{_name(path)} has no {key}", self._spot(path), True, hint)

    def _unknown_key(self, path: Path, fault: Fault, holder: Value) -> str | None:
        """Report it; returns the key that was probably meant."""
        if _in_secret(path):
            self._report("unknown-key", f"unknown key in {_name(path[:-1])}", self._spot(path), True,
                         "write {file: PATH}, or put the secret in quotes")
            return "file"
        key, known, guess = fault.key, fault.rules["properties"], self._guesses.closest
        spelled = key.lower().removeprefix("zmq_")
        free = [name for name in known if name not in holder]
        near = guess(spelled, free) or guess(spelled, known) or _SYNONYMS.get(spelled)
        near = near if near in known else None
        glued = re.fullmatch(r"([\w-]+):(\S.*)", key)
        if glued and glued[1] in known:
            near, hint = glued[1], f"missing space after the colon: write {glued[1]}: {quote(glued[2])[1:-1]}"
        elif (bare := re.fullmatch(r"([\w-]+)\s+(\S.*)", key)) and bare[1] in known:
            more = ": ..." if bare[2].startswith("{") else ""
            near, hint = bare[1], f"missing ':' after {bare[1]}: write {bare[1]}: {quote(bare[2])[1:-1]}{more}"
        elif "options" in known and spelled in definition(known["options"])["properties"]:
            near, hint = None, f"{spelled} is a socket option: put it under options"
        elif elsewhere := place_hint(spelled, holder[key], known):
            near, hint = None, elsewhere
        elif near:
            hint = f"did you mean {near}?"
        else:
            some = list(known)
            hint = f"known keys are {listing(some, 'and')}" if len(some) <= 12 else "see zmqtopo schema"
        where = f" in {_name(path[:-1])}" if len(path) > 1 else ""
        self._report("unknown-key", f"unknown key {quote(key)}", self._spot(path), True, hint, where)
        return near

    def _value(self, path: Path, fault: Fault, value: Value) -> None:
        key = next(str(step) for step in reversed(path) if isinstance(step, str))
        if key == "version" and fault.keyword == "exclusiveMaximum":
            self._report("unsupported-version", f"the file has version {got(value)}, this program reads version "
                         f"{FORMAT}", self._spot(path), False, "use a newer zmqtopo")
            return
        rule = "wrong-type" if fault.keyword == "type" else "bad-value"
        wanted = _limit(fault) or expected(fault.rules)
        shown = got(value)
        secret = (key in secret_options() and "options" in path) or path[:2] == ("http", "token")
        if secret and not isinstance(value, (dict, list, NoneType)):
            # It may come from a variable, and a report may be read by everybody.
            shown = "a secret"
            if isinstance(value, (str, bytes)):
                shown += f" of {len(value)} {'characters' if isinstance(value, str) else 'bytes'}"
        elif isinstance(value, list) and fault.keyword in ("minItems", "maxItems"):
            shown = str(len(value))
        self._report(rule, f"expected {wanted} for {_name((key,))}, got {shown}", self._spot(path), False,
                     value_hint(value, fault.rules, key, self._guesses.closest))


def _in_secret(path: Path) -> bool:
    """Whether a key stands in a mapping that is in the place of a secret."""
    return any(is_secret(step) for step in path[:-1] if isinstance(step, str))


def _spoil(holder: Value, steps: Path) -> None:
    """Make what stands at ``steps`` UNKNOWN, if nothing above it is already."""
    for step in steps[:-1]:
        holder = holder[step]
        if holder is UNKNOWN:
            return
    holder[steps[-1]] = UNKNOWN


def _at(holder: Value, steps: Path) -> Value:
    """What stands at ``steps``, UNKNOWN where something above it is."""
    for step in steps:
        if holder is UNKNOWN:
            break
        holder = holder[step]
    return holder


def _limit(fault: Fault) -> str:
    bound = fault.operand
    return {"minimum": f"{bound} or more", "maximum": f"{bound} or less", "minItems": f"{bound} values",
            "maxItems": f"{bound} values", "required": "a mapping with the key file"}.get(fault.keyword, "")


def _name(path: Path) -> str:
    """Put a path in words of the file: ``requests.in``; the section goes without saying."""
    steps = path[1:] if len(path) > 1 and path[0] in ("devices", "peers") else path
    shown = ".".join(str(step) for step in steps)
    return shown if shown.isprintable() and len(shown) <= 60 else quote(shown)
