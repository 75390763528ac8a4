"""Copies without a prefix frame, as zmq.proxy's capture gives them: `prefix: null`, for both ways or for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.acceptance.conftest import Up

DEVICE = """
name: it
devices:
  m:
    type: monitored_queue
    run: {run}
    in: {{type: PAIR, bind: "tcp://127.0.0.1:*"}}
    out: {{type: PAIR, bind: "tcp://127.0.0.1:*"}}
    mon: {{type: PUSH, bind: "tcp://127.0.0.1:*", prefix: {prefix}}}
"""


@pytest.mark.parametrize("run", ["thread", "process"])
@pytest.mark.parametrize(("prefix", "request_head", "reply_head"), [
    ("null", [], []),
    ("{in: null, out: reply}", [], [b"reply"]),
    ("{out: null}", [b"in"], []),
    ("{in: '', out: null}", [b""], []),
])
def test_copies_without_a_prefix(start: Callable[..., Up], control: Any, tmp_path: Path, net: Any, run: str,
                                 prefix: str, request_head: list[bytes], reply_head: list[bytes]) -> None:
    """From the start, and after a reload that changes it while the sockets stay."""
    up = start(DEVICE.format(run=run, prefix=prefix)).ready()
    asks = net.socket(zmq.PAIR, connect=up.address("m.in"))
    answers = net.socket(zmq.PAIR, connect=up.address("m.out"))
    copies = net.socket(zmq.PULL, connect=up.address("m.mon"))

    def heads() -> list[list[bytes]]:
        found = []
        for sender, receiver in ((asks, answers), (answers, asks)):
            sender.send_multipart([b"", b"x"])
            assert net.receive(receiver) == [b"", b"x"]
            copy = net.receive(copies)
            assert copy[-2:] == [b"", b"x"]
            found.append(copy[:-2])
        return found

    assert heads() == [request_head, reply_head]
    for other, expected in (("{in: a, out: b}", [[b"a"], [b"b"]]), (prefix, [request_head, reply_head])):
        (tmp_path / "it.yaml").write_text(DEVICE.format(run=run, prefix=other))
        assert "(new sockets)" not in control("reload")
        assert heads() == expected
    up.stop()
