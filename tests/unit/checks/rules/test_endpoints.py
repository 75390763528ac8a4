"""Addresses and references: where the rules about them speak, and where they keep silent."""

from __future__ import annotations

import pytest

from ..conftest import Found, devices, found, problems, streamer

# -- addresses ----------------------------------------------------------------------------------------------------

IN = [
    ("{bind: tcp://*}", [("bad-endpoint", "tcp://*")]),
    ("{bind: tcp://*:70000}", [("bad-endpoint", "tcp://*:70000")]),
    ("{bind: tpc://*:5000}", [("bad-endpoint", "tpc://*:5000")]),
    ("{bind: [tcp://*:5000, nothing]}", [("bad-endpoint", "nothing")]),
    ("{connect: [b.outt, 'tcp://h:1']}", [("bad-endpoint", "b.outt")]),
    ("{connect: tcp://*:5000}", [("connect-wildcard", "tcp://*:5000")]),
    ("{connect: tcp://0.0.0.0:5000}", [("connect-wildcard", "tcp://0.0.0.0:5000")]),
    ("{connect: 'tcp://[::]:5000'}", [("connect-wildcard", "'tcp://[::]:5000'")]),
    ("{connect: tcp://h:*}", [("connect-wildcard", "tcp://h:*")]),
    ("{connect: tcp://h:0}", [("connect-wildcard", "tcp://h:0")]),
    ("{connect: ipc://*}", [("connect-wildcard", "ipc://*")]),
    ("{connect: tcp://*:*}", [("connect-wildcard", "tcp://*:*")]),
    ("{}", [("no-endpoint", "in")]),
    ("{bind: []}", [("no-endpoint", "in")]),
    ("{connect: nobody.out}", [("unknown-reference", "nobody.out")]),
    ("{connect: a.mon}", [("unknown-reference", "a.mon")]),
    ("{connect: inproc://x}", [("inproc-unbound", "inproc://x")]),
    ("{connect: ipc:///run/x}", [("unbound-endpoint", "ipc:///run/x")]),
    ("{connect: tcp://localhost:5000}", [("unbound-endpoint", "tcp://localhost:5000")]),
    ("{connect: tcp://h:5000}", []),
    ("{bind: tcp://*:80}", [("privileged-port", "tcp://*:80")]),
    ("{bind: tcp://*:1024}", []),
    ("{connect: tcp://h:80}", []),
    ("{bnid: tcp://*:5000}", [("unknown-key", "bnid")]),
]


@pytest.mark.parametrize(("in_", "expected"), IN)
def test_addresses(in_: str, expected: Found) -> None:
    assert found(devices(streamer(in_))) == expected


@pytest.mark.parametrize(("path", "expected"), [
    ("/" + "a" * 106, []),
    ("/" + "a" * 107, ["ipc-path-too-long"]),
    ("/" + "é" * 53, []),
    ("/" + "é" * 54, ["ipc-path-too-long"]),
    ("@" + "a" * 107, ["ipc-path-too-long"]),
    ("/" + "./" * 60 + "a", ["ipc-path-too-long"]),
])
def test_the_bytes_of_an_ipc_path(path: str, expected: list[str]) -> None:
    assert [p.rule for p in problems(devices(streamer(f'{{bind: "ipc://{path}"}}')))] == expected


@pytest.mark.parametrize(("text", "hint"), [
    ("a.output", "did you mean a.out?"), ("a.outt", "did you mean a.out?"), ("a.input", "did you mean a.in?"),
    ("a", "name it too: a.in or a.out"), ("a.front", "a has in and out"), ("a.monitor", "a has in and out"),
    ("aa.output", "did you mean a.out?"), ("feed.in", "connect to the address that it binds: tcp://127.0.0.1:6000"),
    ("feed.socket", "connect to the address that it binds: tcp://127.0.0.1:6000"),
])
def test_what_is_nearly_a_reference(text: str, hint: str) -> None:
    yaml = devices(streamer("{bind: tcp://*:5000}"), streamer(f"{{connect: {text}}}", "{bind: tcp://*:7001}", "b"))
    (problem,) = problems(f"{yaml}peers: {{feed: {{type: PUSH, bind: 'tcp://*:6000'}}}}\n")
    assert (problem.rule, problem.hint) == ("unknown-reference", hint)


def test_what_is_not_a_reference() -> None:
    yaml = devices(streamer("{bind: tcp://*:5000}"), streamer("{connect: c.out.}", "{bind: tcp://*:7001}", "b"))
    (problem,) = problems(yaml)
    assert problem.rule == "bad-endpoint"


@pytest.mark.parametrize("text", ["b.in", "nobody.in", "b.output"])
def test_a_reference_that_is_bound(text: str) -> None:
    yaml = devices(streamer(f"{{bind: {text}}}"), streamer("{bind: tcp://*:7002}", "{bind: tcp://*:7001}", "b"))
    (problem,) = problems(yaml)
    meant = text.replace("output", "out")
    assert (problem.rule, problem.hint) == ("bad-endpoint", f"write connect: {meant}, or bind an address")


def test_a_reference_to_a_socket_that_binds_nothing() -> None:
    yaml = devices(streamer("{connect: tcp://h:1}", "{bind: tcp://*:7001}", "b"), streamer("{connect: b.in}"))
    (problem,) = problems(yaml)
    assert (problem.rule, problem.other and problem.other.line) == ("unknown-reference", 4)


@pytest.mark.parametrize("target", [
    "{bind: tcp://*:5000}", "{bind: 'tcp://127.0.0.1:*'}", "{bind: ipc://*}", "{bind: ipc:///run/x}",
    "{bind: inproc://x}", "{bind: 'tcp://[::]:5000'}", "{bind: tcp://10.0.0.1:5000}",
])
def test_a_reference_follows_whatever_is_bound(target: str) -> None:
    yaml = devices(streamer("{connect: tcp://h:1}", target, "b"), streamer("{connect: b.out}"))
    assert found(yaml) == []


# -- inproc -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connect", ["inproc://x", "b.out"])
@pytest.mark.parametrize(("runs", "across"), [
    (("thread", "thread"), False), (("process/g", "process/g"), False), (("thread", "process"), True),
    (("process", "process"), True), (("process/g", "process/h"), True),
])
def test_inproc_reaches_one_process(connect: str, runs: tuple[str, str], across: bool) -> None:
    yaml = devices(
        streamer("{connect: tcp://h:1}", "{bind: inproc://x}", "b", run=runs[0]),
        streamer(f"{{connect: {connect}}}", run=runs[1]),
    )
    assert found(yaml) == ([("inproc-across-processes", connect)] if across else [])


@pytest.mark.parametrize("connect", ["inproc://x", "b.out"])
def test_a_peer_is_in_no_process_of_ours(connect: str) -> None:
    yaml = devices(
        streamer("{connect: tcp://h:1}", "{bind: inproc://x}", "b"), peers=f"  p: {{type: PULL, connect: {connect}}}"
    )
    assert found(yaml) == [("inproc-across-processes", connect)]


def test_a_reference_over_processes_takes_another_transport_when_there_is_one() -> None:
    yaml = devices(
        streamer("{connect: tcp://h:1}", "{bind: [inproc://x, ipc:///run/x]}", "b"),
        streamer("{connect: b.out}", run="process"),
    )
    assert found(yaml) == []


def test_an_unreadable_bind_may_be_the_one_that_is_missed() -> None:
    yaml = devices(
        streamer("{connect: tcp://h:1}", "{bind: inprok://x}", "b"), streamer("{connect: inproc://x}"),
    )
    assert found(yaml) == [("bad-endpoint", "inprok://x")]
