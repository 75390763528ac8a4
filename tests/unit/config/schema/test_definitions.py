"""The schema itself: whole, documented, and in step with pyzmq."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from jsonschema import Draft7Validator

from zmqtopo.config.schema.definitions import examples, option_rules, schema, schema_text

# Not to be set in a file: read only, of a context, a descriptor of a process, or a second name.
READ_ONLY = {"events", "fd", "last_endpoint", "mechanism", "rcvmore", "thread_safe", "topics_count", "type"}
ELSEWHERE = {"blocky", "use_fd"}
SECOND_NAMES = {"connect_rid", "delay_attach_on_connect", "fail_unroutable", "router_behavior"}


def properties(rules: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in rules.items():
        if key == "properties":
            for name, each in value.items():
                yield f"{path}/{name}", each
                yield from properties(each, f"{path}/{name}")
        elif key == "definitions":
            for name, each in value.items():
                yield from properties(each, f"{path}/{name}")
        elif isinstance(value, dict) and key not in ("if", "else"):     # conditions on keys that stand above
            yield from properties(value, path)


PROPERTIES = list(properties(schema()))


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(schema())
    Draft7Validator.check_schema(json.loads(schema_text()))


def test_every_option_of_pyzmq() -> None:
    known = {name.lower() for name in zmq.SocketOption.__members__}
    assert set(option_rules()) == known - READ_ONLY - ELSEWHERE - SECOND_NAMES


def test_second_names_are_second_names() -> None:
    assert all(zmq.SocketOption[name.upper()].name.lower() in option_rules() for name in SECOND_NAMES)


@pytest.mark.parametrize("option", list(option_rules()))
def test_an_option_has_the_type_that_pyzmq_sets(option: str) -> None:
    """Text and bytes go to options of bytes, numbers and flags to options of numbers."""
    rules = option_rules()[option]
    of_bytes = zmq.SocketOption[option.upper()]._opt_type.name == "bytes"
    assert of_bytes is ("contentMediaType" in rules)
    types = [rules["type"]] if isinstance(rules["type"], str) else rules["type"]
    assert of_bytes is not bool({"integer", "boolean"} & set(types))


@pytest.mark.parametrize(("path", "rules"), PROPERTIES, ids=[path for path, _ in PROPERTIES])
def test_every_key_is_explained_with_an_example(path: str, rules: dict[str, Any]) -> None:
    assert rules["description"].endswith(".")
    assert examples(rules)
    for example in [*examples(rules), *([rules["default"]] if "default" in rules else [])]:
        whole = {"definitions": schema()["definitions"], **({"$ref": rules["$ref"]} if "$ref" in rules else rules)}
        assert not list(Draft7Validator(whole).iter_errors(example)), path


def test_no_walls_for_editors() -> None:
    assert not re.search(r'"(oneOf|anyOf|allOf|not)"', json.dumps(schema()))
    choices: list[Any] = []
    json.loads(schema_text(), object_hook=lambda rules: choices.append(rules["anyOf"]) if "anyOf" in rules else rules)
    assert choices
    assert all(others == [{"$ref": "#/definitions/variable"}] for _, *others in choices)


@pytest.mark.parametrize("option", list(option_rules()))
def test_an_editor_takes_a_variable_for_every_value(option: str) -> None:
    seen = Draft7Validator(json.loads(schema_text()))
    rules = option_rules()[option]
    is_free = "string" in rules["type"] and not {"pattern", "enum", "maxLength"} & rules.keys()
    for text, fits in (("${NAME:-5}", True), ("5${NAME}", True), ("$NAME", is_free)):
        socket = {"bind": "tcp://*:5559", "options": {option: text}}
        assert seen.is_valid({"devices": {"d": {"type": "queue", "in": socket, "out": socket}}}) is fits, text


def test_ignored_keys_are_allowed_in_every_mapping() -> None:
    def mappings(rules: Any) -> Iterator[dict[str, Any]]:
        if isinstance(rules, dict):
            if "properties" in rules and "additionalProperties" in rules:
                yield rules
            for each in rules.values():
                yield from mappings(each)

    assert all(rules["patternProperties"] == {"^x-": True} for rules in mappings(schema()))


def test_units_have_limits() -> None:
    for name, rules in itertools.chain(option_rules().items(), schema()["definitions"].items()):
        if "x-unit" in rules:
            assert {"minimum", "maximum", "pattern", "type"} <= set(rules), name


def test_an_example_that_is_a_mapping_is_a_snippet() -> None:
    """An editor shows such an example as [object Object]; a snippet has a label."""
    def shown(rules: Any) -> Iterator[Any]:
        if isinstance(rules, dict):
            yield from rules.get("examples", ()) if isinstance(rules.get("examples"), list) else ()
            for each in rules.values():
                yield from shown(each)

    assert [example for example in shown(json.loads(schema_text())) if isinstance(example, dict)] == []
