"""All rules together: what is found at once, what is silenced, and one problem for one cause."""

from __future__ import annotations

import pytest

from zmqtopo.checks import check_topology
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import Address, Device, Socket, Topology

from ..conftest import Found, devices, found, problems, streamer


def test_a_broken_device_hides_nothing_in_another() -> None:
    yaml = devices(streamer("{bnid: tcp://*:5000}"), streamer("{bind: tcp://*}", "{}", "b"))
    assert found(yaml) == [("unknown-key", "bnid"), ("bad-endpoint", "tcp://*"), ("no-endpoint", "out")]


@pytest.mark.parametrize(("yaml", "expected"), [
    # of the same device, in what does not hang on the mistake
    (devices(streamer("{type: SUB, bind: tcp://*:5000, options: {hmw: 3}}", "{type: SUB, bind: tcp://*:7000}")),
     [("unknown-key", "hmw"), ("socket-pair", "SUB")]),
    (devices("  d:\n    type: forwarder\n    in: {bind: tcp://*:5000, options: {hwm: x}}\n"
             "    out: {type: PUB, bind: tcp://*:5001}\n"), [("wrong-type", "x"), ("socket-pair", "PUB")]),
    (devices(streamer("{bind: tcp://*:5000, bidn: tcp://*:5001}", "{}")),
     [("unknown-key", "bidn"), ("no-endpoint", "out")]),
    (devices(streamer("{options: {hmw: 3}}")), [("no-endpoint", "in"), ("unknown-key", "hmw")]),
    # of others, that name the broken one
    (devices(streamer("{bind: tcp://*:5000}", desc="x"), streamer("{connect: a.mon}", "{bind: tcp://*:7001}", "b")),
     [("unknown-key", "desc"), ("unknown-reference", "a.mon")]),
    (devices(streamer("{connect: tcp://h:1, opts: {}}"), streamer("{connect: a.in}", "{bind: tcp://*:7001}", "b")),
     [("unknown-key", "opts"), ("unknown-reference", "a.in")]),
])
def test_a_mistake_hides_nothing_that_does_not_hang_on_it(yaml: str, expected: Found) -> None:
    assert found(yaml) == expected


@pytest.mark.parametrize(("yaml", "expected"), [
    # a typed port, and who connects to it
    (devices(streamer("{bind: tcp://*:5000}"), streamer("{bind: tcp://*:7000}", "{bind: tcp://*:7001}", "b"),
             peers="  p: {type: PULL, connect: a.out}\n  q: {type: PUSH, connect: b.in}"),
     [("bind-conflict", "tcp://*:7000")]),
    (devices(streamer("{bind: tcp://*:5000}"), streamer("{bind: tcp://127.0.0.1:7000}", "{bind: tcp://*:7001}", "b"),
             peers="  p: {type: PULL, connect: tcp://localhost:7000}"), [("bind-conflict", "tcp://127.0.0.1:7000")]),
    (devices(*(f"  {n}:\n    type: queue\n    in: {{type: PAIR, bind: tcp://*:5000}}\n"
               f"    out: {{type: PAIR, bind: tcp://*:{port}}}\n" for n, port in (("a", 5001), ("b", 5002))),
             peers="  p: {type: PAIR, connect: a.in}\n  q: {type: PAIR, connect: b.in}"),
     [("bind-conflict", "tcp://*:5000")]),
    (devices(streamer("{bind: tcp://*:5000}"), streamer("{connect: a.out}", "{bind: tcp://*:5000}", "b")),
     [("bind-conflict", "tcp://*:5000")]),
    # a process that cannot be read
    (devices(streamer("{bind: tcp://*:5000}", "{bind: inproc://x}", run="process/x"),
             streamer("{connect: a.out}", "{bind: tcp://*:7001}", "b", run="proces/x"),
             streamer("{connect: inproc://x}", "{bind: tcp://*:7002}", "c", runn="process/x")),
     [("bad-value", "proces/x"), ("unknown-key", "runn")]),
    (devices(streamer("{bind: inproc://x}"), streamer("{bind: inproc://x}", "{bind: tcp://*:7001}", "b", run="proces")),
     [("bad-value", "proces")]),
    # a monitor that is not there, and who wants to listen to it
    (devices("  d:\n    type: monitored_queue\n    in: {bind: tcp://*:5000}\n    out: {bind: tcp://*:5001}\n",
             peers="  p: {type: SUB, connect: d.mon}"), [("mon-missing", "monitored_queue")]),
    (devices("  d:\n    type: monitored_queue\n    in: {bind: tcp://*:5000}\n    out: {bind: tcp://*:5001}\n"
             "    mno: {bind: tcp://*:5002}\n", peers="  p: {type: SUB, connect: d.mon}"), [("unknown-key", "mno")]),
    (devices("  d:\n    type: queue\n    in: {bind: tcp://*:5000}\n    out: {bind: tcp://*:5001}\n    mno: {}\n"),
     [("unknown-key", "mno")]),
    # a socket without an address, and who connects to it
    (devices(streamer("{bind: tcp://*:5000}", "{}"), peers="  p: {type: PULL, connect: a.out}"),
     [("no-endpoint", "out")]),
    # the section of the program that is connected to
    (devices(streamer("{connect: tcp://127.0.0.1:5000}")) + "peer:\n  p: {type: PUSH, bind: tcp://127.0.0.1:5000}\n",
     [("unknown-key", "peer")]),
])
def test_one_cause_gives_one_problem(yaml: str, expected: Found) -> None:
    assert found(yaml) == expected


@pytest.mark.parametrize(("comment", "left"), [
    ("# zmqtopo: ignore[privileged-port]", []),
    ("#zmqtopo:ignore[ privileged-port ]", []),
    ("# for now # zmqtopo: ignore[privileged-port] until spring", []),
    ("# zmqtopo: ignore[privileged-port, bind-conflict]", [("unused-ignore", "bind-conflict")]),
    ("# zmqtopo: ignore[bind-conflict]", [("privileged-port", "tcp://*:80"), ("unused-ignore", "bind-conflict")]),
    ("# zmqtopo: ignore[privileged_port]", [("privileged-port", "tcp://*:80"), ("unused-ignore", "privileged_port")]),
    ("# zmqtopo: ignore[bind-conflict, privileged-port, unused-ignore]", []),
    ("# zmqtopo: ignore[port-in-use, privileged-port]", []),     # of the machine, which nobody has asked
    ("# zmqtopo: ignore", [("privileged-port", "tcp://*:80")]),
    ("# ignore[privileged-port]", [("privileged-port", "tcp://*:80")]),
    ("#zmqtopo: ignore[]", [("privileged-port", "tcp://*:80"), ("unused-ignore", "]")]),
])
def test_a_comment_silences_a_rule_on_its_line(comment: str, left: list[tuple[str, str]]) -> None:
    assert found(devices(streamer(f"{{bind: tcp://*:80}}   {comment}"))) == left


def test_a_comment_on_another_line_silences_nothing() -> None:
    yaml = devices(streamer("{bind: tcp://*:80}")) + "# zmqtopo: ignore[privileged-port]\n"
    assert found(yaml) == [("privileged-port", "tcp://*:80"), ("unused-ignore", "privileged-port")]


@pytest.mark.parametrize("text", [
    "'a # zmqtopo: ignore[no-endpoint]'", "|\n  a\n  # zmqtopo: ignore[no-endpoint]\n  b",
    "\"a\n  # zmqtopo: ignore[no-endpoint] \"",
])
def test_what_looks_like_a_comment_and_is_text_silences_nothing_and_is_no_problem(text: str) -> None:
    assert found(devices(streamer("{bind: tcp://*:5000}")) + f"description: {text}\n") == []


def test_what_cannot_be_read_cannot_be_silenced() -> None:
    yaml = devices(streamer("{bnid: tcp://*:5000}  # zmqtopo: ignore[unknown-key]"))
    assert found(yaml) == [("unknown-key", "bnid"), ("unused-ignore", "unknown-key")]
    yaml = devices(streamer("{bind: 'tcp://*:${NOT_SET}'}  # zmqtopo: ignore[undefined-variable]"))
    assert found(yaml) == []


def test_a_comment_may_be_needed_where_something_cannot_be_read_or_another_day() -> None:
    damaged = devices(streamer("{bnid: tcp://*:5000}", "{bind: tcp://*:5000}  # zmqtopo: ignore[bind-conflict]"))
    assert found(damaged) == [("unknown-key", "bnid")]
    variable = devices(streamer("{bind: 'tcp://*:${SURELY_NOT_SET:-5000}'}  # zmqtopo: ignore[privileged-port]"))
    assert found(variable) == []


def test_a_topology_made_in_python_is_checked_without_a_file() -> None:
    in_ = Socket("in", "PULL", bind=(Address("tcp://*:5000", parse("tcp://*:5000")),))
    topology = Topology("t", {"d": Device("d", "streamer", in_, Socket("out", "PUSH"))})
    assert [p.rule for p in check_topology(topology)] == ["no-endpoint"]


def test_a_large_topology_is_not_compared_pair_by_pair() -> None:
    """Five thousand sockets on one port: comparing each with each would take a quarter of a minute and not a moment."""
    entries = [
        f"  d{n}:\n    type: streamer\n    in: {{bind: 'tcp://127.{n // 250}.{n % 250}.1:5000'}}\n"
        f"    out: {{connect: 'd{(n + 1) % 2500}.in'}}\n" for n in range(2500)
    ]
    assert [p.rule for p in problems(devices(*entries))] == ["forwarding-loop"]
