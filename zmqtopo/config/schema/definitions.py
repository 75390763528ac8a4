"""The JSON Schema of the file as data: what validation, units and options are derived from."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

Schema = dict[str, Any]


@cache
def schema_text() -> str:
    """Return the JSON Schema as text: of the installed package, or of the source tree that is imported."""
    try:
        return (resources.files("zmqtopo.schemas") / "topology.schema.json").read_text("utf-8")
    except ModuleNotFoundError:
        beside = Path(__file__).parents[2] / "schemas" / "topology.schema.json"
        return beside.read_text("utf-8")


@cache
def schema() -> Schema:
    """Return the JSON Schema of a topology as it holds once variables are filled in; not to be changed."""
    loaded: Schema = json.loads(schema_text(), object_hook=_filled_in)
    return loaded


def _filled_in(rules: Schema) -> Schema:
    """Return what holds for a value: an editor sees the file before, where a variable stands for any value.

    A pattern with ``x-rule`` is for editors alone: the rule of that name says more.
    """
    if "x-rule" in rules:
        del rules["pattern"]
    if "anyOf" not in rules:
        return rules
    (wanted, _variable) = rules.pop("anyOf")
    return {**rules, **wanted}


def definition(of: Schema) -> Schema:
    """Return the definition that a ``$ref`` names, or the schema itself."""
    reference = of.get("$ref")
    found: Schema = schema()["definitions"][reference.rpartition("/")[2]] if reference else of
    return found


def examples(rules: Schema) -> list[Any]:
    """Return the examples of a schema: an editor gets those that are mappings as snippets, which have a label."""
    return [*rules.get("examples", ()), *(snippet["body"] for snippet in rules.get("defaultSnippets", ()))]


@cache
def option_rules() -> dict[str, Schema]:
    """Return the definition of each socket option by its name."""
    options = schema()["definitions"]["options"]["properties"]
    return {name: definition(rules) for name, rules in options.items()}


@cache
def option_defaults() -> dict[str, int | bool]:
    """Return what libzmq takes, in its unit, for each socket option that is not given and has a default."""
    options = schema()["definitions"]["options"]["properties"]
    return {name: rules["default"] for name, rules in options.items() if "default" in rules}


@cache
def secret_options() -> frozenset[str]:
    """Return the socket options whose value nobody is shown."""
    options = schema()["definitions"]["options"]["properties"]
    return frozenset(name for name, rules in options.items() if rules.get("x-secret"))
