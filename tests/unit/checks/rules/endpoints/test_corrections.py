"""What an address that could not be read was meant to be."""

from __future__ import annotations

import pytest

from zmqtopo.checks.rules.endpoints.corrections import corrected
from zmqtopo.config.endpoint import EndpointError, parse


def is_address(text: str) -> bool:
    try:
        parse(text)
    except EndpointError:
        return False
    return True


@pytest.mark.parametrize(("text", "meant"), [
    ("tcp//127.0.0.1:23002", "tcp://127.0.0.1:23002"),
    ("tcp:127.0.0.1:23003", "tcp://127.0.0.1:23003"),
    ("tcp:/x:5", "tcp://x:5"),
    ("tcp:///x:5", "tcp://x:5"),
    ("TCP://*:5", "tcp://*:5"),
    ("tpc://h:5", "tcp://h:5"),
    ("tcp://127.0.0.1: 23002", "tcp://127.0.0.1:23002"),
    (" tcp://*:5", "tcp://*:5"),
    ("tcp://127.0.0.1,5555", "tcp://127.0.0.1:5555"),
    ("tcp://:5555", "tcp://*:5555"),
    ("tcp://5555", "tcp://*:5555"),
    ("tcp://host:5555/x", "tcp://host:5555"),
    ("tcp://2001:db8::1:5x", "tcp://[2001:db8::1]:5"),
    ("tcp://*:$PORT", "tcp://*:${PORT}"),
    (":23004", "tcp://*:23004"),
    ("5555", "tcp://*:5555"),
    ("localhost:5555", "tcp://localhost:5555"),
    ("[::1]:5", "tcp://[::1]:5"),
    ("http://h:80/x", "tcp://h:80"),
    ("ipc:/tmp/x", "ipc:///tmp/x"),
    ("ipc:x", "ipc://x"),
    ("unix:///tmp/a", "ipc:///tmp/a"),
    ("/tmp/x.sock", "ipc:///tmp/x.sock"),
    ("./x.sock", "ipc://./x.sock"),
    ("~/x.sock", "ipc://${HOME}/x.sock"),
    ("ipc://~/x.sock", "ipc://${HOME}/x.sock"),
    ("inproc:a", "inproc://a"),
    ("udp:239.0.0.1:5", "udp://239.0.0.1:5"),
])
def test_the_address_that_was_meant(text: str, meant: str) -> None:
    assert not is_address(text)
    assert corrected(text, is_address) == meant


@pytest.mark.parametrize("text", [
    "", "worker", "tcp://host", "tcp://host:http", "tcp://a:1:2", "\x1b[31m:5", "x" * 5000 + ":5",
])
def test_nobody_knows_what_was_meant(text: str) -> None:
    assert corrected(text, is_address) == ""
