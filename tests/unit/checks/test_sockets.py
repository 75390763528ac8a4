"""The types and options of sockets: pairs, monitors, the two ends of a connection."""

from __future__ import annotations

import pytest

from zmqtopo.checks.options import USUAL_SUBSCRIPTIONS
from zmqtopo.devices.sockets import MOST_SUBSCRIPTIONS

from .conftest import Found, devices, found, pair, problems, streamer

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
    ("{bind: tcp://*:5000, options: {sndhwm: 10}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 10}}", [("few-subscriptions", "sndhwm")]),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 1000000}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {sndhwm: 0}}", [("unlimited-hwm", "sndhwm")]),
    ("{type: SUB, bind: tcp://*:5000, options: {hwm: 10}}", []),
    ("{type: SUB, bind: tcp://*:5000, options: {subscribe: a}}", []),
    ("{bind: tcp://*:5000, options: {subscribe: a}}", [("option-scope", "subscribe")]),
    ("{bind: tcp://*:5000, options: {conflate: true}}", []),
    ("{bind: tcp://*:5000, options: {xpub_verbose: true}}", [("option-scope", "xpub_verbose")]),
])
def test_options(socket: str, expected: Found) -> None:
    assert found(devices(streamer(socket))) == expected


def test_the_usual_number_of_subscriptions_is_that_of_devices() -> None:
    assert USUAL_SUBSCRIPTIONS == MOST_SUBSCRIPTIONS
