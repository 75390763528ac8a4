"""IPv6 follows from the addresses, and what is told of it can be used by an ordinary client."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import zmq

import zmqtopo as library
from zmqtopo.checks import examine_text
from zmqtopo.config.dump import plain


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")

ONE = '{{type: streamer, in: {{bind: "{0}"{1}}}, out: {{bind: "tcp://127.0.0.1:*"}}}}'
IPV6 = ", options: {ipv6: true}"


def passes(net: Any, address_in: str, address_out: str, *, ipv6: bool = False) -> None:
    """A message comes through, for a client with the option ipv6 or without."""
    pull = net.socket(zmq.PULL, connect=address_out)
    push = net.socket(zmq.PUSH, connect=address_in, ipv6=ipv6)
    push.send(b"x")
    assert net.receive(pull) == [b"x"]


@pytest.mark.parametrize(("bind", "options", "shown", "ipv6"), [
    ("tcp://*:*", IPV6, "tcp://0.0.0.0:", False),
    ("tcp://[::]:*", "", "tcp://0.0.0.0:", False),
    ("tcp://127.0.0.1:*", IPV6, "tcp://127.0.0.1:", False),
    ("tcp://[::ffff:127.0.0.1]:*", "", "tcp://127.0.0.1:", False),
    ("tcp://localhost:*", IPV6, "tcp://127.0.0.1:", False),
    ("tcp://[::1]:*", "", "tcp://[::1]:", True),
])
def test_what_is_shown_can_be_used(
    start: Callable[..., Any], control: Any, net: Any, bind: str, options: str, shown: str, ipv6: bool
) -> None:
    up = start("devices:\n  a: " + ONE.format(bind, options)).ready()
    (address,) = up.addresses["a.in"]
    assert address.startswith(shown)
    passes(net, up.address("a.in"), up.address("a.out"), ipv6=ipv6)
    assert control.address("a.in") == address
    up.stop()


@pytest.mark.parametrize(("bind", "options", "ipv6"), [
    ("tcp://*:*", IPV6, False), ("tcp://[::]:*", "", False), ("tcp://127.0.0.1:*", IPV6, False),
    ("tcp://[::1]:*", "", True),
])
def test_the_address_for_a_program_and_a_reference(net: Any, bind: str, options: str, ipv6: bool) -> None:
    topology = examine_text(f"devices:\n  a: {ONE.format('tcp://127.0.0.1:*', '')}\n  b: {ONE.format(bind, options)}\n"
                            '  c: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {connect: b.in}}\n').topology
    assert topology is not None
    assert bool(topology.devices["c"].out.options.get("ipv6")) is ipv6
    with library.up(topology) as running:
        passes(net, running.address("c.in"), running.address("b.out"))
    with library.up(topology) as running:
        running.restart("b")    # it binds what libzmq has called its address
        passes(net, running.address("b.in"), running.address("b.out"), ipv6=ipv6)


def test_config_shows_the_option_and_an_address_that_is_reachable() -> None:
    topology = examine_text("""
devices:
  a:
    type: streamer
    in: {bind: ["tcp://[::1]:5001", "tcp://[::]:5003"]}
    out: {bind: tcp://*:5002, options: {ipv6: true}}
  b: {type: streamer, in: {connect: a.out}, out: {connect: "tcp://[fe80::1%lo]:5"}}
  c: {type: streamer, in: {connect: "tcp://[::ffff:10.0.0.1]:7"}, out: {connect: a.in}}
""").topology
    assert topology is not None
    devices = plain(topology)["devices"]
    assert devices["a"]["in"]["options"]["ipv6"] is True
    assert devices["b"]["in"]["connect"] == ["tcp://127.0.0.1:5002"]
    assert "ipv6" not in devices["b"]["in"]["options"]
    assert devices["b"]["out"]["options"]["ipv6"] is True
    assert "ipv6" not in devices["c"]["in"]["options"]
    assert devices["c"]["out"]["connect"] == ["tcp://[::1]:5001"]
    assert devices["c"]["out"]["options"]["ipv6"] is True


@pytest.mark.parametrize(("filter_", "address", "enters"), [
    ("10.0.0.0/8", "127.0.0.1", False), ("127.0.0.0/8", "127.0.0.1", True),
    ("127.0.0.1", "127.0.0.1", True), ("10.0.0.0/8", "::1", False), ("::1", "::1", True),
    ("::1", "127.0.0.1", False),
])
def test_an_accept_filter_holds_on_a_socket_of_both_families(
    start: Callable[..., Any], filter_: str, address: str, enters: bool
) -> None:
    """libzmq reads 10.0.0.0/8 on such a socket as the first eight bits of ::ffff:10.0.0.0, which everybody has."""
    options = f", options: {{tcp_accept_filter: {filter_!r}}}"
    up = start("devices:\n  a: " + ONE.format("tcp://[::]:*", options)).ready()
    with socket.create_connection((address, int(up.address("a.in").rpartition(":")[2])), 10) as client:
        # Who is let in gets ZMTP's greeting at once, and the connection of any other is closed.
        assert client.recv(1) == (b"\xff" if enters else b"")
    up.stop()
