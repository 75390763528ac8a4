"""What the address book says about two binds, against what the system says when they are really bound."""

from __future__ import annotations

import errno

import pytest
import zmq

from zmqtopo.checks import examine_text


def clash(one: str, two: str, ipv6: tuple[bool, bool]) -> bool:
    """Whether the rules see a conflict."""
    sockets = [f"{{bind: '{a}', options: {{ipv6: {str(v).lower()}}}}}" for a, v in zip((one, two), ipv6, strict=True)]
    yaml = f"devices:\n  d:\n    type: streamer\n    in: {sockets[0]}\n    out: {sockets[1]}\n"
    return [p.rule for p in examine_text(yaml).problems] == ["bind-conflict"]


@pytest.mark.parametrize(("one", "two", "ipv6"), [
    ("*", "*", (False, False)),
    ("*", "127.0.0.1", (False, False)),
    ("127.0.0.1", "*", (False, False)),
    ("0.0.0.0", "127.0.0.1", (False, False)),
    ("localhost", "127.0.0.1", (False, False)),
    ("127.0.0.1", "127.0.0.2", (False, False)),
    ("*", "[::1]", (False, True)),
    ("0.0.0.0", "[::1]", (True, True)),
    ("*", "[::1]", (True, True)),
    ("*", "127.0.0.1", (True, False)),
    ("[::]", "127.0.0.1", (True, False)),
    ("[::]", "0.0.0.0", (True, False)),
    ("[::]", "[::1]", (True, True)),
    ("[::1]", "127.0.0.1", (True, False)),
    ("[::1]", "[::1]", (True, True)),
])
def test_the_rules_and_the_system_agree(
    one: str, two: str, ipv6: tuple[bool, bool], context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    with context.socket(zmq.PULL) as first, context.socket(zmq.PULL) as second:
        first.ipv6, second.ipv6 = ipv6
        try:
            first.bind(f"tcp://{one}:*")
            port = first.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0").rpartition(":")[2]
            second.bind(f"tcp://{two}:{port}")
            taken = False
        except zmq.ZMQError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.EAFNOSUPPORT):
                pytest.skip(f"this machine has not all these addresses: {error}")
            if error.errno != errno.EADDRINUSE:
                raise
            taken = True
    assert clash(f"tcp://{one}:{port}", f"tcp://{two}:{port}", ipv6) is taken
