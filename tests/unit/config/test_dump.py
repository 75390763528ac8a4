from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from zmqtopo.config.dump import dump, plain
from zmqtopo.config.load import read_text
from zmqtopo.config.model import Topology
from zmqtopo.config.schema.definitions import examples, schema, secret_options

OPTIONS = schema()["definitions"]["options"]["properties"]


def topology(text: str) -> Topology:
    loaded = read_text(text, "dir/f.yaml", environ={"X": "x"})
    assert loaded.problems == []
    assert loaded.topology is not None
    return loaded.topology


def device(inside: str) -> str:
    return f"devices: {{d: {{type: queue, in: {{options: {{{inside}}}}}, out: {{}}}}}}"


@pytest.mark.parametrize("text", [
    "devices: {}",
    "version: 1.5\nname: n\ndescription: '5'\ncontext: {io_threads: 3, max_sockets: 9}\ndevices: {}\n",
    "devices: {d: {type: queue, run: process/g, description: a, in: {bind: [tcp://*:5, 'ipc:///$$x']}, "
    "out: {connect: tcp://a:1}, stop_timeout: 0.123456, graph: {color: red, group: g}, "
    "restart: {policy: always, backoff: [1ms, 1.5h], max_retries: 0, stable_after: 0}}}",
    "devices: {d: {type: monitored_queue, in: {}, out: {}, mon: {type: PUSH, bind: tcp://*:*, overflow: drop, "
    "prefix: {in: '', out: !!binary /w==}}}}",
    "devices: {d: {type: monitored_queue, in: {}, out: {}, mon: {bind: tcp://*:*, prefix: null}}}",
    "devices: {d: {type: monitored_queue, in: {}, out: {}, mon: {bind: tcp://*:*, prefix: {out: null}}}}",
    "devices: {d: {type: queue, in: {}, out: {}, limits: {message_size: 5MiB, frames: 9, topics: 8, topic_length: 7, "
    "handshake: 1ms, memory: 1GiB}}}",
    "devices: {'1': {type: queue, in: {type: sub}, out: {}}, 'true': {type: queue, in: {}, out: {}}}",
    "devices: {}\npeers: {p: {type: XREQ, bind: tcp://*:5, connect: [tcp://a:1], description: '$${X}', "
    "graph: {color: '#00ff00'}}}",
    "devices: {}\ndescription: ${X} $${X} $$",
    "devices: {d: {type: queue, in: {bind: 'ipc:///x', mode: '660', group: zmq}, out: {bind: 'ipc:///y', group: 0}}}",
    device("subscribe: ['', '5', '0o17', '1e3', 'on', '1:30', ~a, !!binary /w==, \"\\e\", '$$']"),
    device("linger: -1, rcvbuf: 4MiB, tcp_keepalive: true, tcp_keepalive_idle: 1m, linger: 0"
           .replace("linger: -1, ", "")),
    device("linger: 1.5s, reconnect_ivl: -1, ipc_filter_uid: 5, plain_password: {file: a/b}"),
    device("routing_id: !!binary AQEC/w=="),
    device("routing_id: 'a\u202eb', subscribe: [\"\\e\\u2066x\\U000e0001\", 'a\u00adb', '\u200b', 'é']"),
    'devices: {}\ndescription: "a\u202e\\n  b \u2066c"\nx-y: 1',
    *[device(f"{name}: {json.dumps(example)}") for name, rules in OPTIONS.items() for example in examples(rules)],
])
def test_what_is_written_loads_to_the_same(text: str) -> None:
    first = topology(text)
    second = topology(dump(first))
    assert second == first
    assert dump(second) == dump(first)
    assert dump(first).replace("\n", "").isprintable()


def test_references_are_resolved_where_they_are_fixed() -> None:
    told: dict[str, Any] = plain(topology("""
devices:
  a: {type: streamer, in: {bind: tcp://*:5}, out: {bind: tcp://*:*}}
  b: {type: streamer, in: {connect: a.out}, out: {connect: [a.in, tcp://h:1]}}
"""))
    assert told["devices"]["b"]["in"]["connect"] == ["a.out"]
    assert told["devices"]["b"]["out"]["connect"] == ["tcp://127.0.0.1:5", "tcp://h:1"]


def test_everything_is_filled_in() -> None:
    assert plain(topology(device("hwm: 5"))) == {
        "version": 1, "name": "f", "context": {"io_threads": 1},
        "devices": {"d": {
            "type": "queue", "run": "thread",
            "in": {"type": "ROUTER", "options": {"sndhwm": 5, "rcvhwm": 5, "linger": "5s", "router_mandatory": True}},
            "out": {"type": "DEALER", "options": {"linger": "5s"}},
            "restart": {"policy": "on-failure", "backoff": ["100ms", "30s"], "stable_after": "10s"},
            "stop_timeout": "5s",
            "limits": {"frames": 1_000_000, "topics": 1_000_000, "topic_length": 4096, "handshake": "30s"},
                "peers": True,
        }},
    }


SECRETS = ["curve_secretkey", "plain_password", "socks_password", "wss_key_pem"]


def test_which_options_are_secret() -> None:
    assert secret_options() == set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["hush" * 10, "${X}", "hush${Y}", f"!!binary {b64encode(b'hush' * 8).decode()}"])
def test_a_secret_is_not_shown_and_what_is_shown_is_refused(name: str, value: str) -> None:
    loaded = read_text(device(f"{name}: {value}"), environ={"X": "hush" * 10, "Y": "hush" * 9})
    assert loaded.topology is not None
    assert loaded.problems == []
    written = dump(loaded.topology)
    assert "hush" not in written
    assert "aHVza" not in written
    again = read_text(written, environ={})
    assert [(p.rule, p.severity) for p in again.problems] == [("undefined-variable", "error")]
    assert "zmqtopo config does not show" in again.problems[0].message
    variable = f"ZMQTOPO_D_IN_{name.upper()}"
    assert read_text(written, environ={variable: "hush" * 10}).problems == []


def test_the_file_of_a_secret_is_shown() -> None:
    assert "file: " in dump(topology(device("plain_password: {file: a/b}")))


@pytest.mark.parametrize(("value", "words"), [
    ("${X}", "got a secret of 4 characters"), ("!!binary aHVzaA==", "a key has 32 bytes, and this has 4"),
])
def test_a_secret_that_is_wrong_is_not_shown_either(value: str, words: str) -> None:
    loaded = read_text(device(f"curve_secretkey: {value}"), environ={"X": "hush"})
    problem, = loaded.problems
    assert problem.rule == "bad-value"
    assert problem.message.endswith(words)
    assert "hush" not in problem.message
