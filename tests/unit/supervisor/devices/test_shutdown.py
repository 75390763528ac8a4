"""Who feeds whom: by reference, by address, by monitor, and never by a reply."""

from __future__ import annotations

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.devices.shutdown import upstream


@pytest.mark.parametrize(("devices", "expected"), [
    (["b: {type: streamer, in: {connect: a.out}, out: {bind: tcp://*:2}}",
      "a: {type: streamer, in: {bind: tcp://*:3}, out: {bind: tcp://*:1}}"], {"a": set(), "b": {"a"}}),
    (["b: {type: streamer, in: {bind: tcp://*:2}, out: {bind: tcp://*:4}}",
      "a: {type: streamer, in: {bind: tcp://*:3}, out: {connect: tcp://127.0.0.1:2}}"], {"a": set(), "b": {"a"}}),
    (["m: {type: monitored_queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}, mon: {bind: 'tcp://127.0.0.1:*'}}",
      "log: {type: streamer, in: {type: SUB, connect: m.mon}, out: {bind: tcp://*:4}}"], {"m": set(), "log": {"m"}}),
    (["front: {type: queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}",
      "back: {type: queue, in: {connect: front.out}, out: {bind: tcp://*:4}}"], {"front": set(), "back": {"front"}}),
    (["a: {type: queue, in: {bind: tcp://*:1}, out: {type: DEALER, bind: tcp://*:2}}",
      "b: {type: queue, in: {bind: tcp://*:3}, out: {connect: tcp://127.0.0.1:2}}"], {"a": set(), "b": set()}),
])
def test_upstream(devices: list[str], expected: dict[str, set[str]]) -> None:
    topology = examine_text("devices:\n" + "".join(f"  {device}\n" for device in devices)).topology
    assert topology is not None
    assert upstream(topology) == expected


@pytest.mark.parametrize(("address", "remote"), [
    ("tcp://127.0.0.1:1", True), ("ipc:///run/x", True), ("inproc://x", False),
])
def test_whose_messages_go_through_the_system(address: str, remote: bool) -> None:
    topology = examine_text(
        f"devices:\n  a: {{type: streamer, in: {{bind: tcp://*:3}}, out: {{bind: '{address}'}}}}\n"
        "  b: {type: streamer, in: {connect: a.out}, out: {bind: tcp://*:2}}\n").topology
    assert topology is not None
    assert upstream(topology, only_remote=True) == {"a": set(), "b": {"a"} if remote else set()}


@pytest.mark.parametrize(("a", "b", "patient"), [
    ("{type: streamer, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}", "{type: streamer, in: {connect: a.out}}", True),
    ("{type: queue, in: {bind: tcp://*:1}, out: {connect: b.in}}", "{type: queue, in: {bind: tcp://*:2}}", True),
    ("{type: forwarder, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}",
     "{type: forwarder, in: {connect: a.out}}", False),
    ("{type: monitored_queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}, mon: {type: PUSH, bind: tcp://*:3}}",
     "{type: streamer, in: {connect: a.mon}}", True),
    ("{type: monitored_queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}, mon: {type: PUSH, bind: tcp://*:3, "
     "overflow: drop}}", "{type: streamer, in: {connect: a.mon}}", False),
    ("{type: monitored_queue, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}, mon: {bind: tcp://*:3}}",
     "{type: streamer, in: {type: SUB, connect: a.mon}}", False),
])
def test_who_waits_until_somebody_takes_a_message(a: str, b: str, patient: bool) -> None:
    b = b.removesuffix("}") + ", out: {bind: tcp://*:9}}"
    topology = examine_text(f"devices:\n  a: {a}\n  b: {b}\n").topology
    assert topology is not None
    assert upstream(topology) == {"a": set(), "b": {"a"}}
    assert upstream(topology, only_patient=True) == {"a": set(), "b": {"a"} if patient else set()}
