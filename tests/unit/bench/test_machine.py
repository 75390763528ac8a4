from __future__ import annotations

import os

import zmq

from zmqtopo.bench.machine import in_words, machine


def test_this_machine() -> None:
    found = machine()
    assert found["libzmq"] == zmq.zmq_version()
    assert 1 <= int(found["cores"]) <= (os.cpu_count() or 1)
    assert found["cpu"]
    words = in_words(found)
    assert "\n" not in words
    assert all(str(value) in words for value in found.values())
