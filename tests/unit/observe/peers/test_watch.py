"""What happens between two looks, and who is meant by a word."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from zmqtopo.observe.peers import Peers, find, name, unknown
from zmqtopo.observe.peers.programs import programs
from zmqtopo.observe.peers.watch import KEPT, Changes, text


def row(number: int, state: str = "connected", device: str = "d", **more: Any) -> dict[str, Any]:
    told = {"id": f"7.{number}", "device": device, "socket": "in", "side": "bind", "endpoint": "tcp://0.0.0.0:1",
            "peer": f"tcp://10.0.0.7:{number}", "pid": None, "program": None, "uid": None, "user": None, "since": 5.0,
            "state": state}
    if state in ("closed", "failed"):
        told |= {"until": 9.0, "reason": "disconnected", "text": "disconnected"}
    return told | more


def look(*rows: dict[str, Any], noted: str = "yes", state: str = "running", **counts: int) -> Peers:
    return Peers(rows, [{"name": "d", "state": state, "noted": noted, "connections": 0, "failures": 0, **counts}])


def events(changes: Changes, now: Peers) -> list[tuple[str, Any]]:
    return [(event["event"], event.get("id")) for event in changes.since(now)]


def test_who_comes_and_goes() -> None:
    changes = Changes(look(row(1)))
    assert events(changes, look(row(1), row(2))) == [("peer-connected", "7.2")]
    assert events(changes, look(row(2), row(1, "closed"))) == [("peer-disconnected", "7.1")]
    assert events(changes, look(row(2), row(1, "closed"))) == []


def test_who_was_there_only_between_two_looks() -> None:
    assert events(Changes(look()), look(row(1, "closed"))) == [("peer-connected", "7.1"), ("peer-disconnected", "7.1")]


def test_who_went_with_its_device_and_who_is_only_not_told() -> None:
    changes = Changes(look(row(1)))
    assert events(changes, look(noted="no answer")) == [("no-answer", None)]
    assert events(changes, look(row(1))) == []
    gone = list(changes.since(look(state="backoff")))
    assert [event["event"] for event in gone] == ["device", "peer-disconnected"]
    assert [text(event) for event in gone] == ["d: backoff", "d.in: tcp://10.0.0.7:1 went with its device"]


def test_who_is_forgotten_is_counted() -> None:
    changes = Changes(look())
    told = list(changes.since(look(*(row(n, "failed", until=float(n)) for n in range(KEPT)), failures=KEPT + 30)))
    assert [event["event"] for event in told[:-1]] == ["handshake-failed"] * KEPT
    assert text(told[-1]) == "d: 30 more that could not get in, which are not told one by one"


@pytest.mark.parametrize(("word", "ids"), [
    ("7.1", ["7.1"]), ("10.0.0.7:2", ["7.2"]), ("tcp://10.0.0.7:2", ["7.2"]), ("10.0.0.7", ["7.1", "7.2"]),
    ("812", ["7.3"]), ("feed", ["7.3"]), ("feed 812", ["7.3"]), ("10.0.0", []), ("", [])])
def test_who_is_meant(word: str, ids: list[str]) -> None:
    rows = [row(1), row(2), row(3, peer=None, pid=812, program="feed"), row(4, "connecting", id=None, peer=None)]
    assert [found["id"] for found in find(rows, word)] == ids


def test_who_is_near() -> None:
    assert unknown("10.0.0.7:22", [row(222), row(2)]).endswith("at d.in?")
    assert unknown("x", []) == "there is no peer 'x'"
    assert name(row(3, peer=None, pid=812, program="feed")) == "feed 812"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_programs_of_this_machine(family: int, host: str) -> None:
    import os

    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"no {host} here")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        port = client.getsockname()[1]
        address = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
        found = programs([address, "tcp://192.0.2.1:9", "(1, 2)"])
        assert list(found) == [address]
        assert found[address][0] == os.getpid()
