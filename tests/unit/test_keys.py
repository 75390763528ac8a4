"""A key of the file is known wherever it has to be: model, build, dump, and what a reload compares.

A new key in the schema fails here until it has a value in `OTHER_VALUES`, and then until all of them know it.
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

FILE: dict[str, Any] = {
    "name": "t", "http": {},
    "devices": {"d": {
        "type": "proxy", "in": {"type": "PULL", "bind": "tcp://127.0.0.1:*"},
        "out": {"type": "PUSH", "bind": "ipc:///run/o"}, "mon": {"type": "PUSH", "bind": "ipc:///run/m"},
    }},
    "peers": {"p": {"type": "PULL", "connect": "tcp://127.0.0.1:7"}},
    "security": {"lan": {"curve": "broker.key_secret", "allow": "clients"}},
}
SOCKET = {
    "bind": "ipc:///run/other", "connect": "tcp://127.0.0.1:9", "options": {"sndhwm": 5}, "mode": "0600", "group": 0,
    "security": "lan",
}
OTHER_VALUES: dict[tuple[str, ...], dict[str, Any]] = {
    (): {
        "version": 1.0, "name": "other", "description": "text", "context": {"io_threads": 2},
        "defaults": {"stop_timeout": "1m"}, "devices": {}, "peers": {}, "http": "127.0.0.1:9465",
        "security": {"lan": {"allow_ips": "10.0.0.0/8"}},
    },
    ("http",): {
        "listen": "127.0.0.1:9465", "control": True, "tap": True, "token": {"file": "/run/token"}, "hosts": ["a.lan"],
    },
    ("context",): {"io_threads": 2, "max_sockets": 50},
    ("defaults",): {
        "run": "process", "restart": "never", "stop_timeout": "1m", "limits": {"frames": 10}, "peers": False,
        "security": "lan",
    },
    ("devices", "d"): {
        "type": "monitored_queue", "description": "text", "run": "process", "in": {"type": "SUB", "bind": "ipc:///run/i"},
        "out": {"type": "PUSH", "bind": "ipc:///run/other"}, "mon": {"type": "PUB", "bind": "ipc:///run/m"},
        "restart": "never", "stop_timeout": "1m", "limits": {"frames": 10}, "graph": {"color": "red"},
        "security": "lan", "peers": False,
    },
    ("devices", "d", "restart"): {"policy": "never", "backoff": ["1s", "2s"], "max_retries": 3, "stable_after": "1s"},
    ("devices", "d", "limits"): {
        "message_size": 100, "frames": 10, "topics": 10, "topic_length": 10, "handshake": "1s", "memory": "1GiB",
    },
    ("devices", "d", "graph"): {"color": "red", "group": "g"},
    ("devices", "d", "out"): {"type": "PAIR", **SOCKET},
    ("devices", "d", "mon"): {"type": "PUB", **SOCKET, "prefix": {"in": "i", "out": "o"}, "overflow": "drop"},
    ("peers", "p"): {
        "type": "SUB", "description": "text", "bind": "tcp://127.0.0.1:9", "connect": "tcp://127.0.0.1:8",
        "graph": {"color": "red"}, "security": "none",
    },
    ("security", "lan"): {
        "curve": "other.key_secret", "server": "server.key", "allow": "any", "plain": "users",
        "allow_ips": "10.0.0.0/8", "allow_uids": 0,
    },
}
"""For every key, by where it stands, one value that is neither that of `FILE` nor the default."""

EQUAL = {((), "version"), ((), "peers"), ((), "devices")}
"""Keys of which `FILE` and the other value mean the same, or of which a reload is tested elsewhere."""


def kinds() -> dict[tuple[str, ...], set[str]]:
    """The keys of the schema by where they stand."""
    schema = json.loads((ROOT / "schemas" / "topology.schema.json").read_text("utf-8"))
    named = schema["definitions"]
    found = {
        (): schema, ("context",): schema["properties"]["context"], ("defaults",): schema["properties"]["defaults"],
        ("http",): named["http"]["then"],
        ("devices", "d"): named["device"], ("devices", "d", "restart"): named["restart"]["then"],
        ("devices", "d", "limits"): named["limits"], ("devices", "d", "graph"): named["graph"],
        ("devices", "d", "out"): named["socket"], ("devices", "d", "mon"): named["mon"], ("peers", "p"): named["peer"],
        ("security", "lan"): named["profile"],
    }
    return {where: set(kind["properties"]) for where, kind in found.items()}


def load(file: dict[str, Any]) -> Topology:
    checked = examine_text(json.dumps(file))
    assert checked.topology is not None
    assert not checked.has_errors, checked.problems
    return checked.topology


def other(where: tuple[str, ...], key: str) -> dict[str, Any]:
    file: dict[str, Any] = json.loads(json.dumps(FILE))
    holder = file
    for step in where:
        holder = holder.setdefault(step, {})
    holder[key] = OTHER_VALUES[where][key]
    return file


def test_every_key_of_the_schema_is_here() -> None:
    assert {where: set(values) for where, values in OTHER_VALUES.items()} == kinds()


@pytest.mark.parametrize(("where", "key"), [
    (where, key) for where, values in OTHER_VALUES.items() for key in values if (where, key) not in EQUAL])
def test_a_key_is_known_everywhere(where: tuple[str, ...], key: str) -> None:
    before, after = load(FILE), load(other(where, key))
    assert before != after, "zmqtopo.config.model has no field for it, or zmqtopo.config.load.build does not fill it"
    assert dump(before) != dump(after), "zmqtopo.config.dump leaves it out"
    again = examine_text(dump(after)).topology
    assert again == after, "zmqtopo.config.dump writes another value"
    if where[:1] != ("peers",):     # which are only checked and drawn
        assert plan(before, after), "a reload does not see it"
