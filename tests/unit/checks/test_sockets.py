"""The types and options of sockets: pairs, monitors, the two ends of a connection."""

from __future__ import annotations

import pytest

from .conftest import Found, devices, found, pair, problems, streamer

# -- socket types -------------------------------------------------------------------------------------------------

TYPES = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB")
GOOD = {
    "queue": {"ROUTER/DEALER", "DEALER/DEALER", "PAIR/PAIR", "DEALER/ROUTER"},
    "forwarder": {"XSUB/XPUB", "SUB/PUB", "SUB/XPUB", "XPUB/XSUB"},
    "streamer": {"PULL/PUSH", "PULL/PUB", "PULL/XPUB", "SUB/PUSH"},
}
GOOD["proxy"] = {f"{pair}/{other}" for one, others in {
    "PAIR": "PAIR PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB", "SUB": "PUB REQ DEALER ROUTER PUSH XPUB",
    "DEALER": "PUB REQ REP DEALER ROUTER PULL PUSH XPUB", "ROUTER": "PUB REQ REP ROUTER PULL PUSH XPUB",
    "PULL": "PUB REQ PUSH XPUB", "XSUB": "XPUB", "REP": "REQ",
}.items() for two in others.split() for pair, other in ((one, two), (two, one))}
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
    ("forwarder", "SUB", "DEALER", "DEALER", "or type: proxy"),
    ("queue", "STREAM", "DEALER", "STREAM", "router_raw: true"), ("proxy", "DEALER", "STREAM", "STREAM", "router_raw"),
    ("proxy", "XSUB", "DEALER", "XSUB", "use SUB"), ("proxy", "DEALER", "XSUB", "XSUB", "use SUB"),
    ("proxy", "REP", "PUSH", "PUSH", "none comes from PUSH"), ("proxy", "PUB", "REP", "REP", "none comes from PUB"),
    ("proxy", "REP", "REP", "REP", "none comes from REP"), ("proxy", "REQ", "PUSH", "PUSH", "comes in on PUSH"),
    ("proxy", "REQ", "REQ", "REQ", "comes in on REQ"), ("proxy", "PUB", "XPUB", "XPUB", "neither of them receives"),
    ("proxy", "SUB", "PULL", "PULL", "neither of them sends"),
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


# Type of the device and peers at its in and its out, and what is meant.
MISTAKEN = [
    ("queue", "PUSH", "PULL", "PULL and PUSH", "use type: streamer"),
    ("queue", "PUB", "SUB", "XSUB and XPUB", "use type: forwarder"),
    ("forwarder", "REQ", "REP", "ROUTER and DEALER", "use type: queue"),
    ("forwarder", "PUSH", "PULL", "PULL and PUSH", "use type: streamer"),
    ("streamer", "DEALER", "ROUTER", "ROUTER and DEALER", "use type: queue"),
    ("streamer", "XPUB", "XSUB", "XSUB and XPUB", "use type: forwarder"),
    ("monitored_queue", "PUSH", "PULL", "PULL and PUSH", "use in: {type: PULL} and out: {type: PUSH}"),
    ("monitored_queue", "PUB", "SUB", "XSUB and XPUB", "use in: {type: XSUB} and out: {type: XPUB}"),
]


def used(
    device: str, *peers: str, in_: str = "bind: tcp://*:5000", out: str = "bind: tcp://*:5001", more: str = ""
) -> str:
    """A device d with these sockets, and peers p0, p1, ..."""
    mon = ", mon: {bind: tcp://*:5002}" if device == "monitored_queue" else ""
    entry = f"  d: {{type: {device}, in: {{{in_}}}, out: {{{out}}}{mon}{more}}}\n"
    return devices(entry, peers="\n".join(f"  p{n}: {{{peer}}}" for n, peer in enumerate(peers)))


@pytest.mark.parametrize(("device", "at_in", "at_out", "needs", "hint"), MISTAKEN)
def test_a_device_of_the_wrong_type_is_one_problem(device: str, at_in: str, at_out: str, needs: str, hint: str) -> None:
    yaml = used(device, f"type: {at_in}, connect: d.in", f"type: {at_out}, connect: d.out")
    assert found(yaml) == [("incompatible-peers", device)]
    (problem,) = problems(yaml)
    assert f"but peer p0 ({at_in}) at its in and peer p1 ({at_out}) at its out need {needs}" in problem.message
    assert problem.hint == hint
    assert problem.other is not None
    assert yaml.splitlines()[problem.other.line - 1].startswith("  p0:")


@pytest.mark.parametrize(("device", "at_in", "at_out", "needs", "hint"), MISTAKEN)
def test_the_remedy_for_a_device_of_the_wrong_type_is_one(
    device: str, at_in: str, at_out: str, needs: str, hint: str
) -> None:
    peers = f"type: {at_in}, connect: d.in", f"type: {at_out}, connect: d.out"
    in_, out = needs.split(" and ")
    remedied = used(device, *peers, in_=f"type: {in_}, bind: tcp://*:5000", out=f"type: {out}, bind: tcp://*:5001") \
        if device == "monitored_queue" else used(hint.removeprefix("use type: "), *peers)
    assert problems(remedied) == []


def test_a_device_of_the_wrong_type_with_many_peers_and_other_devices() -> None:
    yaml = devices(
        "  d: {type: queue, in: {bind: tcp://*:5000, connect: 'tcp://127.0.0.1:5005'}, out: {bind: tcp://*:5001}}\n",
        streamer("{connect: d.out}"), peers="  p: {type: PUSH, connect: d.in}\n  q: {type: PUSH, connect: d.in}\n"
        "  r: {type: PUSH, bind: tcp://127.0.0.1:5005}\n  s: {type: PULL, connect: d.out}")
    assert found(yaml) == [("incompatible-peers", "queue")]
    (problem,) = problems(yaml)
    assert "peer p (PUSH) and 2 more at its in and a.in (PULL) and 1 more at its out" in problem.message


BOTH = "type: PUSH, connect: d.in", "type: PULL, connect: d.out"
TWO_PROBLEMS = [("incompatible-peers", "d.in"), ("incompatible-peers", "d.out")]


@pytest.mark.parametrize(("yaml", "expected"), [
    # a type is written, were it the default
    (used("queue", *BOTH, in_="type: ROUTER, bind: tcp://*:5000"), TWO_PROBLEMS),
    (used("queue", *BOTH, out="type: DEALER, bind: tcp://*:5001"), TWO_PROBLEMS),
    # one side fits, or has nobody
    (used("queue", "type: REQ, connect: d.in", "type: PULL, connect: d.out"), TWO_PROBLEMS[1:]),
    (used("queue", "type: PUSH, connect: d.in", "type: REP, connect: d.out"), TWO_PROBLEMS[:1]),
    (used("queue", "type: PUSH, connect: d.in"), TWO_PROBLEMS[:1]),
    # one of many fits
    (used("queue", *BOTH, "type: REQ, connect: d.in"), TWO_PROBLEMS),
    # no type of device fits, or the wrong way round
    (used("queue", "type: PUSH, connect: d.in", "type: SUB, connect: d.out"), TWO_PROBLEMS),
    (used("queue", "type: PULL, connect: d.in", "type: PUSH, connect: d.out"), TWO_PROBLEMS),
    (used("queue", "type: PAIR, connect: d.in", "type: PAIR, connect: d.out"), TWO_PROBLEMS),
    # another rule speaks about its type
    (used("streamer", "type: REQ, connect: d.in", "type: REP, connect: d.out", more=", mon: {bind: tcp://*:5002}"),
     [("mon-not-allowed", "mon"), *TWO_PROBLEMS]),
    # an address that two claim belongs to nobody
    (used("queue", *BOTH, out="bind: tcp://*:5000"), [("bind-conflict", "tcp://*:5000")]),
])
def test_the_type_of_a_device_is_blamed_for_nothing_else(yaml: str, expected: Found) -> None:
    assert found(yaml) == expected


def test_two_devices_that_explain_each_other_away_are_not_blamed() -> None:
    yaml = devices("  d: {type: queue, in: {bind: tcp://*:5000}, out: {bind: tcp://*:5001}}\n",
                   streamer("{connect: d.out}"),
                   peers="  p: {type: PUSH, connect: d.in}\n  q: {type: REP, connect: a.out}")
    assert found(yaml) == [("incompatible-peers", text) for text in ("d.out", "d.in", "a.out")]


@pytest.mark.parametrize("entry", ["*x", "{<<: *x, type: queue}"])
def test_what_an_alias_brings_may_have_its_types_written(entry: str) -> None:
    """All that comes through an alias has its place, so nobody can tell, and nothing is hidden."""
    yaml = ("x-d: &x {type: queue, in: {type: ROUTER, bind: tcp://*:5000}, out: {type: DEALER, bind: tcp://*:5001}}\n"
            f"devices:\n  d: {entry}\npeers:\n  p: {{{BOTH[0]}}}\n  q: {{{BOTH[1]}}}\n")
    assert found(yaml) == TWO_PROBLEMS


@pytest.mark.parametrize("written", ["", "type: ROUTER, "])
def test_a_socket_from_an_alias(written: str) -> None:
    yaml = (f"x-in: &x {{{written}bind: tcp://*:5000}}\n"
            + used("queue", *BOTH).replace("{bind: tcp://*:5000}", "*x"))
    assert found(yaml) == (TWO_PROBLEMS if written else [("incompatible-peers", "queue")])


def test_a_wrong_device_is_silenced_at_its_type() -> None:
    yaml = devices(
        "  d:\n    type: queue  # zmqtopo: ignore[incompatible-peers]\n"
        "    in: {bind: tcp://*:5000}\n    out: {bind: tcp://*:5001}\n",
        peers=f"  p: {{{BOTH[0]}}}\n  q: {{{BOTH[1]}}}")
    assert found(yaml) == []


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
    ("{bind: tcp://*:5000, options: {sndhwm: 10}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 10}}", [("few-subscriptions", "sndhwm")]),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 100000}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 0}}", [("unlimited-hwm", "sndhwm")]),
    ("{type: SUB, bind: tcp://*:5000, options: {hwm: 10}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {subscribe: a}}", []),
    ("{bind: tcp://*:5000, options: {subscribe: a}}", [("option-scope", "subscribe")]),
    ("{bind: tcp://*:5000, options: {conflate: true}}", [("unusable-option", "conflate")]),
    ("{bind: tcp://*:5000, options: {xpub_verbose: true}}", [("option-scope", "xpub_verbose")]),
])
def test_options(socket: str, expected: Found) -> None:
    assert found(devices(streamer(socket))) == expected
