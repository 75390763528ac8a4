"""The words of a topology file and of its devices, for ``zmqtopo explain``, from the JSON Schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from zmqtopo.config.schema.definitions import Schema, definition, examples, option_rules, schema

Kind = Literal["key", "socket option", "device type", "state"]

KINDS: Final[Mapping[Kind, str]] = {
    "device type": "Device types", "key": "Keys", "socket option": "Socket options", "state": "States of a device",
}
"""What each kind is called as a heading, in their order."""

_HEADS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "device type": ("type", "meaning"), "key": ("key", "of", "meaning", "default"),
    "socket option": ("option", "meaning", "values", "default"), "state": ("state", "meaning"),
}

STATES: Final[Mapping[str, str]] = {
    "starting": "Its worker starts, binds its sockets and connects them.",
    "running": "It moves messages. `out full` behind it says that messages wait because nobody takes them.",
    "paused": "It moves no messages until `zmqtopo resume`: what arrives waits, as far as high-water marks go.",
    "backoff": "It has ended by itself and waits to start again, longer after each failure in a row; see `restart`.",
    "stopping": "It passes on what it has received, for `stop_timeout` at most.",
    "stopped": "It has been stopped by a command, a signal or its restart policy; `zmqtopo start` starts it.",
    "failed": "It has ended by itself and is not started again by its restart policy; `zmqtopo start` revives it.",
}
"""The states of devices, as ``ps`` shows them, and what each means."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means."""

    kind: Kind
    name: str
    where: str
    """Of a key, the mapping in which it stands."""
    meaning: str
    values: str = ""
    """What it takes, in words."""
    default: str = ""
    example: str = ""

    @property
    def title(self) -> str:
        """The word and what it is: ``backoff (key of restart)``."""
        return f"{self.name} ({self.kind}{f' of {self.where}' if self.where else ''})"


@cache
def terms() -> tuple[Term, ...]:
    """Every word that is explained, kind by kind."""
    found = dict.fromkeys([*_device_types(), *_keys("the file", schema(), set()), *_options(),
                           *(Term("state", name, "", meaning) for name, meaning in STATES.items())])
    return tuple(term for kind in KINDS for term in found if term.kind == kind)


def named(name: str) -> list[Term]:
    """What a word stands for, which may be several things; ``WHERE.KEY``, capitals and libzmq's ``ZMQ_`` are taken."""
    word = name.lower().removeprefix("zmq_")
    for role in ("in.", "out."):
        word = f"socket.{word.removeprefix(role)}" if word.startswith(role) else word
    return [term for term in terms() if word in (term.name, f"{term.where}.{term.name}")]


def text(name_terms: Sequence[Term], width: int) -> str:
    """Terms for a terminal."""
    parts = []
    for term in name_terms:
        lines = [term.title, "", *_filled(_unquoted(term.meaning), width)]
        facts = [f"{word}: {said}" for word, said in (("Values", term.values), ("Default", term.default),
                                                     ("Example", term.example)) if said]
        lines += ["", *(line for fact in facts for line in _filled(fact, width))] if facts else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def markdown(some: Iterable[Term]) -> str:
    """Terms as tables of Markdown, kind by kind."""
    parts: list[str] = []
    for kind, heading in KINDS.items():
        mine = [term for term in some if term.kind == kind]
        if not mine:
            continue
        rows = [_HEADS[kind], ("---",) * len(_HEADS[kind]), *(_row(term) for term in mine)]
        parts += [f"## {heading}", "\n".join(f"| {' | '.join(row)} |" for row in rows)]
    return "\n\n".join(parts) + "\n"


def _row(term: Term) -> tuple[str, ...]:
    """The cells of a term in the table of its kind."""
    cells: tuple[str, ...] = (f"`{term.name}`", term.meaning)
    if term.kind == "key":
        cells = (f"`{term.name}`", term.where, term.meaning, term.default)
    elif term.kind == "socket option":
        cells = (f"`{term.name}`", term.meaning, term.values, term.default)
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _device_types() -> Iterator[Term]:
    (wanted, _variable) = _raw("device_type")["anyOf"]
    for name, meaning in zip(wanted["enum"], wanted["enumDescriptions"], strict=True):
        yield Term("device type", name, "", meaning, example=f"type: {name}")


@cache
def _raw(name: str) -> Schema:
    """A definition as it stands in the file, which `definition` fills in."""
    from zmqtopo.config.schema.definitions import schema_text

    found: Schema = json.loads(schema_text())["definitions"][name]
    return found


def _keys(where: str, rules: Schema, seen: set[tuple[str, str]]) -> Iterator[Term]:
    """The keys of a mapping, and of the mappings in it."""
    for key, own in _properties(rules).items():
        full = {**definition(own), **own}
        name = "socket" if key in ("in", "out") and where == "device" else key
        if (where, key) in seen:
            continue
        seen.add((where, key))
        yield Term("key", key, where, str(full.get("description", "")), _values(full), _shown(full.get("default")),
                   _example(key, full))
        if key == "options":
            continue        # they are terms of another kind
        inner = full.get("additionalProperties")
        if isinstance(inner, dict):
            yield from _keys({"devices": "device", "security": "profile", "peers": "peer"}.get(key, key),
                             definition(inner), seen)
        yield from _keys(name, full, seen)


def _properties(rules: Schema) -> dict[str, Any]:
    found: dict[str, Any] = rules.get("properties", {}) or rules.get("then", {}).get("properties", {})
    return found


def _options() -> Iterator[Term]:
    for name, own in schema()["definitions"]["options"]["properties"].items():
        full = {**option_rules()[name], **own}
        yield Term("socket option", name, "", str(full["description"]), _values(full), _shown(full.get("default")),
                   _example(name, full))


def _values(rules: Schema) -> str:
    """What a key takes: its choices, or its unit in words, or what it is called."""
    if "enum" in rules:
        if {True, False} == set(rules["enum"]) and any(isinstance(one, bool) for one in rules["enum"]):
            return "true or false"
        return ", ".join({str(word).lower(): str(word) for word in reversed(rules["enum"])}.values())
    title = str(rules.get("title", ""))
    about = definition(rules).get("description", "") if "$ref" in rules else ""
    return f"{title}. {about}" if title and about else title or about


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _flow(value)
    return value if isinstance(value, str) else json.dumps(value)


def _example(key: str, rules: Schema) -> str:
    found = examples(rules)
    return f"{key}: {_flow(found[0])}" if found and found[0] is not None else ""


def _flow(value: object) -> str:
    """A value as a file has it on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _shown(value)


def _filled(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_on_hyphens=False, break_long_words=False)


def _unquoted(words: str) -> str:
    return words.replace("`", "")
