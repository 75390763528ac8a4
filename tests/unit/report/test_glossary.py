"""Every word of a file and every state of a device is explained, from the schema itself."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from zmqtopo.config.schema.definitions import schema_text
from zmqtopo.report.glossary import STATES, markdown, named, terms, text
from zmqtopo.supervisor.device_state import State

SCHEMA = json.loads(schema_text())


def test_every_key_option_type_and_state_is_there_once() -> None:
    found = [(term.kind, term.where, term.name) for term in terms()]
    assert len(found) == len(set(found))
    assert all(term.meaning for term in terms())
    definitions = SCHEMA["definitions"]
    assert [term.name for term in terms() if term.kind == "socket option"] == list(definitions["options"]["properties"])
    assert [term.name for term in terms() if term.kind == "state"] == list(STATES) == list(get_args(State))
    assert [term.name for term in terms() if term.kind == "device type"] == [
        "queue", "forwarder", "streamer", "monitored_queue", "proxy"]
    keys = {(term.where, term.name) for term in terms() if term.kind == "key"}
    assert {name for where, name in keys if where == "the file"} == set(SCHEMA["properties"])
    for where in ("device", "socket", "peer", "limits", "graph", "profile"):
        assert {name for of, name in keys if of == where} == set(definitions[where]["properties"])
    assert {name for of, name in keys if of == "restart"} == {"policy", "backoff", "max_retries", "stable_after"}
    assert ("mon", "overflow") in keys


@pytest.mark.parametrize(("word", "titles"), [
    ("linger", ["linger (socket option)"]), ("ZMQ_RCVHWM", ["rcvhwm (socket option)"]),
    ("streamer", ["streamer (device type)"]), ("failed", ["failed (state)"]),
    ("backoff", ["backoff (key of restart)", "backoff (state)"]), ("mon.overflow", ["overflow (key of mon)"]),
    ("in.bind", ["bind (key of socket)"]), ("Device.Restart", ["restart (key of device)"]), ("nonsense", []),
])
def test_what_a_word_stands_for(word: str, titles: list[str]) -> None:
    assert [term.title for term in named(word)] == titles


@pytest.mark.parametrize("width", [40, 88])
def test_for_a_terminal(width: int) -> None:
    shown = text(terms(), width)
    titles = {term.title for term in terms()}
    assert [line for line in shown.splitlines() if len(line) > width and " " in line.partition(": ")[2]
            and line not in titles] == []
    assert "Default: 5s" in shown
    assert "`" not in shown


def test_the_tables_are_whole() -> None:
    lines = markdown(terms()).splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Device types", "## Keys", "## Socket options", "## States of a device"]
    widths = {"## Device types": 3, "## Keys": 5, "## Socket options": 5, "## States of a device": 3}
    wanted = 0
    for line in lines:
        wanted = widths.get(line, wanted)
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == wanted
