"""What the schema wants in words of the file, what is there instead, and what to write."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.names import REFERENCE, is_name
from zmqtopo.config.schema.definitions import Schema, examples
from zmqtopo.config.schema.meanings import (
    boolean_hint,
    device_type_hint,
    name_hint,
    number_hint,
    socket_type_hint,
    word_meant,
)
from zmqtopo.config.units import respelled
from zmqtopo.config.wording import listing, quote, shortened, with_article
from zmqtopo.config.yaml.scalars import resolve
from zmqtopo.config.yaml.tree import Value

Guess = Callable[[str, Collection[str]], str | None]
"""Finds the one of some words that another word probably stands for."""

MOST_LISTED = 5
"""Choices that a message lists; where there are more it gives examples."""

_KINDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
          "object": "a mapping", "array": "a list"}


def expected(rules: Schema) -> str:
    """Return what a schema wants, as a noun: ``a duration such as 500ms or 30s``."""
    types = _types(rules)
    if types[:1] == ["object"]:
        return listing(["a mapping", *types[1:]])
    if "enum" in rules and "boolean" not in types and len(choices(rules)) <= MOST_LISTED:
        return listing(choices(rules))
    title = rules.get("title")
    if title is None or title in ("text", "value"):
        return listing([_KINDS[one] for one in types])
    some = [_plain(e) for e in examples(rules) if not isinstance(e, (dict, list))]
    return with_article(title) + (f" such as {listing(some[:2])}" if some else "")


def got(value: Value) -> str:
    """Show a value in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bytes):
        return "binary data"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shortened(_plain(value), 40)


def _types(rules: Schema) -> list[str]:
    types: str | list[str] = rules.get("type", [])
    return [types] if isinstance(types, str) else types


def value_hint(value: Value, rules: Schema, key: str, guess: Guess) -> str:
    """Return what to write for ``key`` instead of ``value``; empty where the message says it already."""
    types = _types(rules)
    if value is None and (types[:1] != ["object"] or "properties" not in rules):
        return "write devices: {} for none" if key == "devices" else "give it a value or remove the key"
    if isinstance(value, list) and "properties" not in rules and types == ["object"]:
        return "write a mapping of names, NAME: {...}, instead of a list"
    if rules.get("title") == "address" and isinstance(value, int) and 0 < value <= 65535 and value is not True:
        return f"write tcp://{'HOST' if key == 'connect' else '*'}:{value}"
    if isinstance(value, (bool, int, float)) and "contentMediaType" in rules:
        return "put it in quotes"
    if rules.get("title") == "file mode" and isinstance(value, int) and value is not True:
        return f'write {key}: "{_mode_meant(value)}"; without quotes 0660 is the decimal number 660'
    if types[:1] == ["object"]:
        is_socket = "bind" in rules.get("properties", ()) and "required" not in rules
        written = [] if not is_socket else _as_sockets(value)
        return f"write {' or '.join(f'{key}: {one}' for one in written)}" if written else (
            f"such as {key}: {example(rules)}")
    if types == ["array"]:
        return f"such as {key}: {example(rules)}"
    meant = word_meant(value, str(rules.get("title", "")).removesuffix(" or mapping"))
    if meant and not _names_sockets(rules):
        return f"write {meant}"
    if {"integer", "number"} & set(types) and "boolean" not in types and (hint := number_hint(value, rules)):
        return hint
    return _text_hint(value, rules, types, guess) if isinstance(value, str) else ""


def _names_sockets(rules: Schema) -> bool:
    return rules.get("title") == "device type"      # which may be written as the types of its sockets


def _text_hint(value: str, rules: Schema, types: list[str], guess: Guess) -> str:
    """As `value_hint`, of a text."""
    match rules.get("format"):
        case "run":
            return _run_hint(value, guess)
        case "name":
            return name_hint(value)
    if "boolean" in types and (hint := boolean_hint(value)):
        return hint
    if "enum" in rules:
        elsewhere = {"device type": device_type_hint, "socket type": socket_type_hint}.get(rules.get("title", ""))
        if elsewhere is not None and (hint := elsewhere(value)):
            return hint
        near = guess(value, [c for c in rules["enum"] if isinstance(c, str)])
        possible = choices(rules)
        return f"did you mean {near}?" if near else f"one of {listing(possible)}" if len(possible) > MOST_LISTED else ""
    if isinstance(resolve(value), (bool, int, float)) and {"integer", "number"} & set(types):
        return f"write {shortened(value)} without quotes"
    if "x-unit" in rules and rules["minimum"] == -1 and value.lower() in ("forever", "never", "infinite", "unlimited"):
        return "write -1"
    tight = respelled(value, rules["x-unit"]) if "x-unit" in rules else None
    return f"write {tight}" if tight else ""


def _mode_meant(value: int) -> str:
    """The mode that a number without quotes stands for: by its digits, as YAML 1.2 reads it, or written as 0o660."""
    for digits in (f"{value:03}", f"{value:03o}"):
        if re.fullmatch("[67][0-7]{2}", digits):
            return f"0{digits}"
    return "0660"


def _as_sockets(value: Value) -> list[str]:
    """The mappings that addresses without one may be meant for; none where ``value`` is not a valid address."""
    said = value if isinstance(value, list) else [value]
    if not said or not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in said):
        return []
    texts = [one if isinstance(one, str) else f"tcp://*:{one}" for one in said]
    shown = quote(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")[1:-1]
    if all(REFERENCE.fullmatch(text) for text in texts):
        return [f"{{connect: {shown}}}"]
    try:
        ends = [parse(text) for text in texts]
    except EndpointError:
        return []
    may_bind = all(end.is_local or end.is_wildcard_host or end.is_system_port for end in ends)
    may_connect = not any(end.is_wildcard_host or end.is_system_port for end in ends)
    return [f"{{{key}: {shown}}}" for key, may in (("bind", may_bind), ("connect", may_connect)) if may]


def _run_hint(value: str, guess: Guess) -> str:
    kind, slash, group = value.partition("/")
    near = guess(kind, ("thread", "process"))
    if near == "process" and slash and group and not is_name(group):
        return "a name is made of letters, digits, _ and -"
    if near == "process" and slash and not group:
        return "write process/NAME for a process with others, or process for one of its own"
    return f"did you mean {near}{slash * (near == 'process')}{group * (near == 'process')}?" if near else ""


def choices(rules: Schema) -> list[str]:
    """Return the values of an enum without those that differ only in case."""
    seen: dict[str, str] = {}
    for choice in rules["enum"]:
        seen.setdefault(_plain(choice).lower(), _plain(choice))
    return list(seen.values())


def _plain(value: Value) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return value if isinstance(value, str) else json.dumps(value)


def example(rules: Schema) -> str:
    """Return the first example of the schema, as it would stand in a file."""
    shown = json.dumps(examples(rules)[0])
    return re.sub(r'"([^"]*)"', r"\1", shown)


