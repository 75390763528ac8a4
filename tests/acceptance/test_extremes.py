"""Values at the ends of their ranges start, pass messages and end; secrets stay out of all that a reload says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import parse_monitor_message

from .conftest import DEADLINE

SECRET = "hunter2"

FAILED = (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
          | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED)


@pytest.mark.parametrize(("more", "top"), [
    ("stop_timeout: 2000000", ""), ("stop_timeout: 0", ""),
    ("restart: {policy: always, backoff: [0, 0], stable_after: 0, max_retries: 0}", ""),
    ("restart: {policy: always, backoff: [2000000, 2000000], stable_after: 2000000, max_retries: 2147483647}", ""),
    ("run: thread", "context: {max_sockets: 65535}"), ("run: thread", "context: {max_sockets: 2}"),
    ("limits: {message_size: 9223372036854775807, memory: 9223372036854775807, handshake: 2000000}", ""),
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


A = """
devices:
  a: {type: streamer, limits: {handshake: %s}, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""


def handshakes(net: Any, address: str, count: int) -> tuple[list[float], int]:
    """The seconds that clients have needed, one after the other, to be let in; how often one was cut off before."""
    needed, refused = [], 0
    for _ in range(count):
        client = net.socket(zmq.PUSH)
        monitor = client.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | FAILED)
        monitor.setsockopt(zmq.LINGER, 0)
        client.connect(address)
        begun = 0.0
        while True:
            event = int(parse_monitor_message(net.receive(monitor))["event"])
            if event == zmq.EVENT_CONNECTED:
                begun = time.monotonic()
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                break
            else:
                refused += 1
        needed.append(time.monotonic() - begun)
        client.disable_monitor()
        monitor.close()
        client.close()
    return needed, refused


def test_a_handshake_limit_ends_who_is_silent_and_nobody_else(start: Callable[..., Any], net: Any) -> None:
    """The limit is many times what this machine needs now, whatever else it does."""
    up = start(A % "2000000").ready()
    needed, _ = handshakes(net, up.address("a.in"), 20)
    up.stop()
    limit = max(0.1, 20 * max(needed))
    up = start(A % f"{limit * 1000:.0f}ms").ready()
    address = up.address("a.in")
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), DEADLINE) as silent:
        begun = time.monotonic()
        while silent.recv(4096):        # libzmq's half of the greeting, and then the end
            continue
        took = time.monotonic() - begun
    assert 0.9 * limit < took < limit + DEADLINE
    _, refused = handshakes(net, address, 20)
    assert refused <= 1
    up.stop()


def test_the_shortest_handshake_is_a_limit_too(start: Callable[..., Any]) -> None:
    """Less than libzmq's smallest unit; 0 would be no limit."""
    up = start(A % "0.4ms").ready()
    with socket.create_connection(("127.0.0.1", int(up.address("a.in").rpartition(":")[2])), DEADLINE) as silent:
        while silent.recv(4096):
            continue
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
