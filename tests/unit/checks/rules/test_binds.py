"""Which addresses are one address."""

from __future__ import annotations

import pytest

from ..conftest import devices, found, problems, streamer

CLASH = [
    ("tcp://*:5000", "tcp://*:5000"),
    ("tcp://*:5000", "tcp://127.0.0.1:5000"),
    ("tcp://127.0.0.1:5000", "tcp://*:5000"),
    ("tcp://0.0.0.0:5000", "tcp://10.1.2.3:5000"),
    ("tcp://0.0.0.0:5000", "tcp://*:5000"),
    ("tcp://[::]:5000", "tcp://10.1.2.3:5000"),
    ("tcp://[::]:5000", "tcp://[::1]:5000"),
    ("tcp://[::1]:5000", "tcp://[0:0:0:0:0:0:0:1]:5000"),
    ("tcp://localhost:5000", "tcp://127.0.0.1:5000"),
    ("tcp://eth0:5000", "tcp://*:5000"),
    ("tcp://*:5000", "ws://127.0.0.1:5000/feed"),
    ("ws://*:5000/a", "ws://*:5000/b"),
    ("ipc:///run/a", "ipc:///run//a"),
    ("ipc:///run/a", "ipc:///run/./b/../a"),
    ("ipc://a", "ipc://./a"),
    ("ipc://@a", "ipc://@a"),
    ("inproc://a", "inproc://a"),
]

NO_CLASH = [
    ("tcp://*:5000", "tcp://*:5001"),
    ("tcp://127.0.0.1:5000", "tcp://127.0.0.2:5000"),
    ("tcp://10.0.0.1:5000", "tcp://10.0.0.2:5000"),
    ("tcp://localhost:5000", "tcp://[::1]:5000"),
    ("tcp://*:5000", "tcp://[::1]:5000"),  # `*` is IPv4 alone without the option ipv6
    ("tcp://*:*", "tcp://*:*"),
    ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
    ("ipc://*", "ipc://*"),
    ("ipc:///run/a", "ipc:///run/b"),
    ("ipc://@a", "ipc://a"),
    ("ipc://@a", "ipc://@./a"),
    ("ipc:///run/a", "inproc:///run/a"),
    ("inproc://a", "inproc://A"),
]


@pytest.mark.parametrize(("one", "two"), CLASH)
def test_two_devices_that_bind_one_address(one: str, two: str) -> None:
    yaml = devices(
        streamer(f'{{bind: "{one}"}}'),
        streamer(f'{{bind: "{two}"}}', "{bind: tcp://*:7001}", "b"),
    )
    (problem,) = problems(yaml)
    assert problem.rule == "bind-conflict"
    assert problem.place.line == 8
    assert problem.other
    assert problem.other.line == 4
    assert "b.in" in problem.message
    assert "a.in" in problem.message


@pytest.mark.parametrize(("one", "two"), NO_CLASH)
def test_two_devices_that_bind_different_addresses(one: str, two: str) -> None:
    yaml = devices(
        streamer(f'{{bind: "{one}"}}'),
        streamer(f'{{bind: "{two}"}}', "{bind: tcp://*:7001}", "b"),
    )
    assert found(yaml) == []


def test_one_address_twice_in_one_socket() -> None:
    assert found(devices(streamer("{bind: [tcp://*:5000, tcp://127.0.0.1:5000]}"))) == [
        ("bind-conflict", "tcp://127.0.0.1:5000")
    ]


def test_every_later_bind_is_reported_once_and_against_the_first() -> None:
    clashes = problems(devices(
        streamer("{bind: tcp://*:5000}"),
        streamer("{bind: tcp://127.0.0.1:5000}", "{bind: tcp://*:7001}", "b"),
        streamer("{bind: tcp://*:5000}", "{bind: tcp://*:7002}", "c"),
    ))
    assert [(p.rule, p.place.line, p.other and p.other.line) for p in clashes] == [
        ("bind-conflict", 8, 4), ("bind-conflict", 12, 4),
    ]


def test_a_wildcard_with_ipv6_takes_both_families() -> None:
    yaml = devices(
        streamer("{bind: tcp://*:5000, options: {ipv6: true}}"),
        streamer('{bind: "tcp://[::1]:5000", options: {ipv6: true}}', "{bind: tcp://*:7001}", "b"),
    )
    assert found(yaml) == [("bind-conflict", '"tcp://[::1]:5000"')]


@pytest.mark.parametrize(("run", "expected"), [
    (("thread", "thread"), 1), (("process/x", "process/x"), 1), (("process/x", "process/y"), 0),
    (("process", "process"), 0), (("thread", "process"), 0),
])
def test_an_inproc_name_belongs_to_one_process(run: tuple[str, str], expected: int) -> None:
    yaml = devices(
        streamer("{bind: inproc://x}", run=run[0]),
        streamer("{bind: inproc://x}", "{bind: tcp://*:7001}", "b", run=run[1]),
    )
    assert [p.rule for p in problems(yaml)] == ["bind-conflict"] * expected


@pytest.mark.parametrize(("peer", "clashes"), [
    ("tcp://*:5000", True), ("tcp://127.0.0.1:5000", True), ("tcp://upstream:5000", False),
    ("tcp://10.9.9.9:5000", False), ("tcp://127.0.0.1:5001", False),
])
def test_a_peer_counts_where_its_address_is_on_this_machine(peer: str, clashes: bool) -> None:
    yaml = devices(streamer("{bind: tcp://*:5000}"), peers=f'  p: {{type: PUSH, bind: "{peer}"}}')
    assert found(yaml) == ([("bind-conflict", f'"{peer}"')] if clashes else [])


def test_two_peers_on_one_other_machine() -> None:
    yaml = "devices: {}\npeers:\n  p: {type: PUSH, bind: tcp://up:1}\n  q: {type: PUSH, bind: tcp://up:1}\n"
    assert found(yaml) == [("bind-conflict", "tcp://up:1")]


def test_several_may_have_one_multicast_group() -> None:
    socket = '{type: SUB, bind: "epgm://eth0;239.192.1.1:5555"}'
    assert found(devices(streamer(socket), streamer(socket, "{bind: tcp://*:7001}", "b"))) == []
