"""Values at the ends of their ranges start, pass messages and end; secrets stay out of all that a reload says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

SECRET = "hunter2"


@pytest.mark.parametrize(("more", "top"), [
    ("stop_timeout: 2000000", ""), ("stop_timeout: 0", ""),
    ("restart: {policy: always, backoff: [0, 0], stable_after: 0, max_retries: 0}", ""),
    ("restart: {policy: always, backoff: [2000000, 2000000], stable_after: 2000000, max_retries: 2147483647}", ""),
    ("run: thread", "context: {max_sockets: 65535}"), ("run: thread", "context: {max_sockets: 2}"),
    ("limits: {message_size: 9223372036854775807, memory: 9223372036854775807, handshake: 5s}", ""),
    ("limits: {message_size: 1KiB, frames: 2, topics: 1, topic_length: 0, handshake: 2000000}", ""),
])
def test_a_start_with_extreme_settings(start: Callable[..., Any], net: Any, more: str, top: str) -> None:
    up = start(f"""
{top}
devices:
  a:
    type: streamer
    in: {{bind: "tcp://127.0.0.1:*"}}
    out: {{bind: "tcp://127.0.0.1:*"}}
    {more}
""").ready()
    pull = net.socket(zmq.PULL, connect=up.address("a.out"))
    net.socket(zmq.PUSH, connect=up.address("a.in")).send(b"x")
    assert net.receive(pull) == [b"x"]
    up.stop()


def test_no_secret_is_told_by_a_reload(start: Callable[..., Any], zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)

    def text(value: str) -> str:
        return f"""
devices:
  a:
    type: streamer
    in: {{bind: "tcp://127.0.0.1:*"}}
    out:
      connect: tcp://127.0.0.1:9
      options: {{plain_username: feed, plain_password: {value}, linger: 0}}
"""

    up = start(text("before"), "--log-format", "json")
    up.wait_for('"event": "ready"')
    said = ""
    wrong = (f"*{SECRET}", 78), (f"[{SECRET}, {SECRET * 40}]", 78)
    for value, code in ((SECRET, 0), ("{file: password}", 0), *wrong):
        (tmp_path / "it.yaml").write_text(text(value))
        done = zmqtopo("reload", "it")
        assert done.returncode == code, done
        said += done.stdout + done.stderr
    said += zmqtopo("ps", "it", "--format", "json").stdout + zmqtopo("logs", "it").stdout
    assert SECRET not in said + up.stop()
