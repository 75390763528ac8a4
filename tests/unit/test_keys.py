"""A key of a device or a socket is known wherever it has to be: model, build, dump, and what a reload compares.

Who adds a key to the schema is led by this file to the other places.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.dump import dump
from zmqtopo.config.model import Topology
from zmqtopo.supervisor.reload.plan import plan

ROOT = Path(__file__).parents[2]

DEVICE: dict[str, Any] = {
    "type": "proxy", "in": {"type": "PULL", "bind": "tcp://127.0.0.1:*"}, "out": {"type": "PUSH", "bind": "ipc:///run/o"},
    "mon": {"type": "PUSH", "bind": "ipc:///run/m"},
}
OTHER_VALUES: dict[str, dict[str, Any]] = {
    "device": {
        "type": "monitored_queue", "description": "text", "run": "process", "in": {"type": "SUB", "bind": "ipc:///run/i"},
        "out": {"type": "PUSH", "bind": "ipc:///run/other"}, "mon": {"type": "PUB", "bind": "ipc:///run/m"},
        "restart": "never", "stop_timeout": "1m", "limits": {"frames": 10}, "graph": {"color": "red"},
    },
    "socket": {
        "type": "PAIR", "bind": "ipc:///run/other", "connect": "tcp://127.0.0.1:9", "options": {"sndhwm": 5},
        "mode": "0600", "group": 0,
    },
    "mon": {
        "type": "PUB", "bind": "ipc:///run/other", "connect": "tcp://127.0.0.1:9", "options": {"sndhwm": 5},
        "mode": "0600", "group": 0, "prefix": {"in": "i", "out": "o"}, "overflow": "drop",
    },
}
"""For every key one value that is not the one of `DEVICE`, nor the default."""

WHERE = {"device": None, "socket": "out", "mon": "mon"}


def load(device: dict[str, Any]) -> Topology:
    checked = examine_text(json.dumps({"name": "t", "devices": {"d": device}}))
    assert checked.topology is not None
    assert not checked.has_errors, checked.problems
    return checked.topology


def other(kind: str, key: str) -> dict[str, Any]:
    part = WHERE[kind]
    value = OTHER_VALUES[kind][key]
    return DEVICE | ({key: value} if part is None else {part: DEVICE[part] | {key: value}})


def test_every_key_of_the_schema_is_here() -> None:
    kinds = json.loads((ROOT / "schemas" / "topology.schema.json").read_text("utf-8"))["definitions"]
    assert {kind: set(kinds[kind]["properties"]) for kind in OTHER_VALUES} == {
        kind: set(values) for kind, values in OTHER_VALUES.items()}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, values in OTHER_VALUES.items() for key in values])
def test_a_key_is_known_everywhere(kind: str, key: str) -> None:
    before, after = load(DEVICE), load(other(kind, key))
    assert before != after, "zmqtopo.config.model has no field for it, or zmqtopo.config.build does not fill it"
    assert dump(before) != dump(after), "zmqtopo.config.dump leaves it out"
    again = examine_text(dump(after)).topology
    assert again == after, "zmqtopo.config.dump writes another value"
    assert plan(before, after).devices["d"].action in ("changed", "replaced"), "a reload does not see it"
