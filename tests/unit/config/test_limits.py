"""The key limits: of a device, in defaults, and what is out of range."""

from __future__ import annotations

import pytest

from zmqtopo.config.load import read_text
from zmqtopo.config.model import Limits

DEVICE = "devices: {d: {type: queue, in: {bind: tcp://*:5}, out: {bind: tcp://*:6}%s}}"


def test_a_device_has_the_limits_of_the_defaults_but_for_those_that_it_names() -> None:
    loaded = read_text(
        "defaults: {limits: {message_size: 1KiB, frames: 5, handshake: 2s, memory: 64MiB}}\n"
        + DEVICE % ", limits: {message_size: -1, frames: 6, topics: 3, topic_length: 64KiB, x-note: 5}"
    )
    assert loaded.problems == []
    assert loaded.topology is not None
    assert loaded.topology.devices["d"].limits == Limits(None, 6, 3, 65536, 2.0, 64 << 20)


def test_without_a_word_nothing_that_is_honest_is_limited() -> None:
    loaded = read_text(DEVICE % "")
    assert loaded.topology is not None
    assert loaded.topology.devices["d"].limits == Limits()


@pytest.mark.parametrize(("limits", "rule"), [
    ("topic_length: 65KiB", "bad-value"), ("topic_length: -1", "bad-value"), ("frames: 0", "bad-value"),
    ("topics: many", "wrong-type"), ("memory: 1MiB", "bad-value"), ("handshake: 5 minutes", "bad-value"),
    ("frame: 5", "unknown-key"), ("connections: 5", "unknown-key"),
])
def test_what_is_no_limit_is_found(limits: str, rule: str) -> None:
    assert [problem.rule for problem in read_text(DEVICE % f", limits: {{{limits}}}").problems] == [rule]
