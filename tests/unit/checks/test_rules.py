"""Where each rule speaks, where it points, and where it keeps silent."""

from __future__ import annotations

from textwrap import dedent

import pytest

from zmqtopo.checks import check_topology, examine_text
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import Address, Device, Socket, Topology
from zmqtopo.config.problem import Problem

Found = list[tuple[str, str]]


def problems(yaml: str) -> list[Problem]:
    return examine_text(dedent(yaml), "t.yaml", environ={}).problems


def found(yaml: str) -> Found:
    """The rules that speak, each with the text that it points at."""
    checked = examine_text(dedent(yaml), "t.yaml", environ={})
    return [
        (p.rule, checked.lines[p.place.line - 1][p.place.column - 1 : p.place.end_column - 1])
        for p in checked.problems
    ]


def streamer(in_: str, out: str = "{bind: tcp://*:7000}", name: str = "a", **more: str) -> str:
    lines = [f"  {name}:", "    type: streamer", f"    in: {in_}", f"    out: {out}"]
    return "\n".join(lines + [f"    {key}: {value}" for key, value in more.items()]) + "\n"


def devices(*entries: str, peers: str = "") -> str:
    return "devices:\n" + "".join(entries) + (f"peers:\n{peers}\n" if peers else "")


def pair(type_: str, in_: str, out: str, mon: str = "") -> str:
    return devices(
        f"  d:\n    type: {type_}\n    in: {{type: {in_}, bind: tcp://*:5001}}\n"
        f"    out: {{type: {out}, bind: tcp://*:5002}}\n" + (f"    mon: {mon}\n" if mon else "")
    )


# -- bind-conflict ------------------------------------------------------------------------------------------------

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
    ("epgm://eth0;239.192.1.1:5555", "epgm://eth0;239.192.1.1:5555"),
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


# -- socket types -------------------------------------------------------------------------------------------------

TYPES = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB")
GOOD = {
    "queue": {"ROUTER/DEALER", "DEALER/DEALER", "PAIR/PAIR", "DEALER/ROUTER"},
    "forwarder": {"XSUB/XPUB", "SUB/PUB", "XPUB/XSUB"},
    "streamer": {"PULL/PUSH", "PULL/PUB", "PULL/XPUB", "SUB/PUSH"},
}
GOOD["monitored_queue"] = GOOD["queue"] | GOOD["forwarder"] | GOOD["streamer"] | {"ROUTER/ROUTER"}


@pytest.mark.parametrize("device", GOOD)
def test_every_pair_of_types(device: str) -> None:
    mon = "{bind: tcp://*:5003}" if device == "monitored_queue" else ""
    for in_ in TYPES:
        for out in TYPES:
            rules = [p.rule for p in problems(pair(device, in_, out, mon))]
            if f"{in_}/{out}" in GOOD[device]:
                assert rules == [], (in_, out)
            elif device == "queue" and in_ == out == "ROUTER":
                assert rules == ["router-router"]
            else:
                assert rules == ["socket-pair"], (in_, out)


@pytest.mark.parametrize(("device", "in_", "out", "points_at", "words"), [
    ("forwarder", "SUB", "XPUB", "SUB", "cannot go up"),
    ("forwarder", "XSUB", "PUB", "PUB", "never asks"),
    ("queue", "REP", "REQ", "REP", "use ROUTER as in and DEALER as out"),
    ("queue", "ROUTER", "REQ", "REQ", "use ROUTER as in and DEALER as out"),
    ("streamer", "PUSH", "PULL", "PUSH", "use PULL as in and PUSH as out"),
    ("streamer", "PULL", "PULL", "PULL", "with PULL as in, use PUB, PUSH or XPUB as out"),
    ("queue", "PULL", "PUSH", "PULL", "use type: streamer"),
])
def test_a_wrong_pair_says_why_and_what_to_use(device: str, in_: str, out: str, points_at: str, words: str) -> None:
    yaml = pair(device, in_, out)
    (problem,) = problems(yaml)
    assert found(yaml) == [("socket-pair", points_at)]
    assert words in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize(("type_", "more", "expected"), [
    ("PUB", "", []), ("XPUB", "", []),
    ("PUSH", "", ["mon-blocks"]), ("PAIR", "", ["mon-blocks"]), ("DEALER", "", ["mon-blocks"]),
    ("PUSH", ", overflow: drop", []), ("PUSH", ", overflow: block", ["mon-blocks"]),
    ("ROUTER", "", ["mon-type"]), ("SUB", "", ["mon-type"]), ("XSUB", "", ["mon-type"]), ("PULL", "", ["mon-type"]),
    ("REQ", "", ["mon-type"]), ("REP", "", ["mon-type"]),
])
def test_the_type_of_a_monitor(type_: str, more: str, expected: list[str]) -> None:
    yaml = pair("monitored_queue", "ROUTER", "DEALER", f"{{type: {type_}, bind: tcp://*:5003{more}}}")
    assert [p.rule for p in problems(yaml)] == expected


@pytest.mark.parametrize("device", ["queue", "forwarder", "streamer"])
def test_only_a_monitored_queue_has_a_monitor(device: str) -> None:
    in_, out = sorted(GOOD[device])[0].split("/")
    yaml = pair(device, in_, out, "{type: SUB, bind: tcp://*:5003}")
    assert found(yaml) == [("mon-not-allowed", "mon")]


def test_an_unreadable_type_gives_no_second_finding() -> None:
    assert [p.rule for p in problems(pair("forwarder", "SBU", "PUB"))] == ["bad-value"]
    assert [p.rule for p in problems(pair("fowarder", "SUB", "PUB", "{bind: tcp://*:5003}"))] == ["bad-value"]
    yaml = devices("  d:\n    type: forwarder\n    in: {tpye: SUB, bind: tcp://*:1025}\n"
                   "    out: {type: PUB, bind: tcp://*:1026}\n")
    assert [p.rule for p in problems(yaml)] == ["unknown-key"]


# -- the ends of connections --------------------------------------------------------------------------------------

TALK = {
    "PAIR": {"PAIR"}, "PUB": {"SUB", "XSUB"}, "XPUB": {"SUB", "XSUB"}, "SUB": {"PUB", "XPUB"}, "XSUB": {"PUB", "XPUB"},
    "REQ": {"REP", "ROUTER"}, "REP": {"REQ", "DEALER"}, "DEALER": {"REP", "DEALER", "ROUTER"},
    "ROUTER": {"REQ", "DEALER", "ROUTER"}, "PUSH": {"PULL"}, "PULL": {"PUSH"},
}


def test_who_talks_to_whom() -> None:
    for one in TYPES:
        for two in TYPES:
            yaml = (f"devices: {{}}\npeers:\n  a: {{type: {one}, bind: tcp://*:5000}}\n"
                    f"  b: {{type: {two}, connect: tcp://127.0.0.1:5000}}\n")
            expected = [] if two in TALK[one] else ["incompatible-peers"]
            assert [p.rule for p in problems(yaml)] == expected, (one, two)


def test_a_wrong_pair_explains_its_connections_too() -> None:
    yaml = devices(streamer("{type: PUSH, bind: tcp://*:5000}"), peers="  p: {type: PUSH, connect: a.in}")
    assert found(yaml) == [("socket-pair", "PUSH")]


@pytest.mark.parametrize(("peers", "expected"), [
    ("  p: {type: PAIR, connect: d.in}\n  q: {type: PAIR, connect: d.out}", []),
    ("  p: {type: PAIR, connect: [d.in, d.out]}", [("pair-fan-in", "d.out")]),
    ("  p: {type: PAIR, connect: d.in}\n  q: {type: PAIR, connect: tcp://localhost:5001}",
     [("pair-fan-in", "tcp://localhost:5001")]),
])
def test_pair_has_one_peer(peers: str, expected: Found) -> None:
    assert found(pair("queue", "PAIR", "PAIR") + f"peers:\n{peers}\n") == expected


# -- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("socket", "expected"), [
    ("{bind: tcp://*:5000, options: {hwm: 0}}", [("unlimited-hwm", "hwm")]),
    ("{bind: tcp://*:5000, options: {rcvhwm: 0, sndhwm: 0}}",
     [("unlimited-hwm", "rcvhwm"), ("unlimited-hwm", "sndhwm")]),
    ("{bind: tcp://*:5000, options: {rcvhwm: 10}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {subscribe: a}}", []),
    ("{bind: tcp://*:5000, options: {subscribe: a}}", [("option-scope", "subscribe")]),
    ("{bind: tcp://*:5000, options: {conflate: true}}", []),
    ("{bind: tcp://*:5000, options: {xpub_verbose: true}}", [("option-scope", "xpub_verbose")]),
])
def test_options(socket: str, expected: Found) -> None:
    assert found(devices(streamer(socket))) == expected


# -- loops --------------------------------------------------------------------------------------------------------


def chain(*links: tuple[str, str], type_: str = "streamer") -> str:
    """Devices whose ins bind, and whose outs connect as ``links`` say."""
    names = sorted({name for link in links for name in link})
    entries = []
    for number, name in enumerate(names):
        outs = [f"{to}.in" for source, to in links if source == name]
        out = f"{{connect: [{', '.join(outs)}]}}" if outs else f"{{bind: tcp://*:{8000 + number}}}"
        entries.append(f"  {name}:\n    type: {type_}\n    in: {{bind: tcp://*:{7000 + number}}}\n    out: {out}\n")
    return devices(*entries)


@pytest.mark.parametrize("type_", ["streamer", "queue", "forwarder"])
@pytest.mark.parametrize(("links", "loops"), [
    ([("a", "a")], 1),
    ([("a", "b"), ("b", "a")], 1),
    ([("a", "b"), ("b", "c"), ("c", "a")], 1),
    ([("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")], 2),
    ([("a", "b"), ("b", "c")], 0),
    ([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], 0),
])
def test_loops_and_what_only_looks_like_one(type_: str, links: list[tuple[str, str]], loops: int) -> None:
    assert [p.rule for p in problems(chain(*links, type_=type_))] == ["forwarding-loop"] * loops


def test_a_ring_of_dealers_is_one_finding_though_it_turns_both_ways() -> None:
    yaml = chain(("a", "b"), ("b", "a"), type_="queue").replace("in: {", "in: {type: DEALER, ")
    assert [p.rule for p in problems(yaml)] == ["forwarding-loop"]


def test_a_monitor_that_feeds_its_own_device() -> None:
    yaml = devices("  d:\n    type: monitored_queue\n    in: {type: XSUB, bind: tcp://*:5000, connect: d.mon}\n"
                   "    out: {type: XPUB, bind: tcp://*:5001}\n    mon: {bind: tcp://*:5002}\n")
    assert found(yaml) == [("forwarding-loop", "d.mon")]


def test_request_and_reply_through_two_queues_is_no_loop() -> None:
    yaml = chain(("a", "b"), type_="queue") + (
        "peers:\n  c: {type: REQ, connect: a.in}\n  s: {type: REP, connect: b.out}\n")
    assert found(yaml) == []


# -- all together -------------------------------------------------------------------------------------------------


def test_a_broken_device_hides_nothing_in_another() -> None:
    yaml = devices(streamer("{bnid: tcp://*:5000}"), streamer("{bind: tcp://*}", "{}", "b"))
    assert found(yaml) == [("unknown-key", "bnid"), ("bad-endpoint", "tcp://*"), ("no-endpoint", "out")]


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
    """Ten thousand sockets on one port: comparing each with each would take a minute and not a moment."""
    entries = [
        f"  d{n}:\n    type: streamer\n    in: {{bind: 'tcp://127.{n // 250}.{n % 250}.1:5000'}}\n"
        f"    out: {{connect: 'd{(n + 1) % 5000}.in'}}\n" for n in range(5000)
    ]
    assert [p.rule for p in problems(devices(*entries))] == ["forwarding-loop"]
