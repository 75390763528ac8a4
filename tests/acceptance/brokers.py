"""Topologies to be run, and messages through them."""

from __future__ import annotations

from typing import Any

ANY = '{bind: "tcp://127.0.0.1:*"}'

SMALL = '{bind: "tcp://127.0.0.1:*", options: {hwm: 100}}'

TOPOLOGY = f"""
devices:
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
  calls: {{type: queue, run: process, in: {ANY}, out: {ANY}}}
  one: {{type: streamer, run: process/g, in: {ANY}, out: {{bind: inproc://x}}}}
  two: {{type: streamer, run: process/g, in: {{connect: one.out}}, out: {ANY}}}
"""


def pump(net: Any, push: Any, pull: Any, numbers: range) -> None:
    for number in numbers:
        push.send(b"%d" % number)
    assert [int(net.receive(pull)[0]) for _ in numbers] == list(numbers)
