from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from zmqtopo.config.endpoint import Endpoint, EndpointError, parse
from zmqtopo.config.schema.definitions import schema_text


@pytest.mark.parametrize(("text", "endpoint", "canonical"), [
    ("tcp://*:5555", Endpoint("tcp", "*", 5555), None),
    ("tcp://*:*", Endpoint("tcp", "*"), None),
    ("tcp://127.0.0.1:0", Endpoint("tcp", "127.0.0.1"), "tcp://127.0.0.1:*"),
    ("tcp://LOCALHOST:5", Endpoint("tcp", "localhost", 5), "tcp://localhost:5"),
    ("tcp://eth0:65535", Endpoint("tcp", "eth0", 65535), None),
    ("tcp://my_host-1.example.org:05555", Endpoint("tcp", "my_host-1.example.org", 5555),
     "tcp://my_host-1.example.org:5555"),
    ("tcp://[::1]:5555", Endpoint("tcp", "::1", 5555), None),
    ("tcp://[0:0:0::0001]:5555", Endpoint("tcp", "::1", 5555), "tcp://[::1]:5555"),
    ("tcp://::1:5555", Endpoint("tcp", "::1", 5555), "tcp://[::1]:5555"),
    ("tcp://[fe80::1%eth0]:5555", Endpoint("tcp", "fe80::1%eth0", 5555), None),
    ("tcp://[::]:*", Endpoint("tcp", "::"), None),
    ("tcp://192.168.1.17:5555;192.168.1.1:5556", Endpoint("tcp", "192.168.1.1", 5556, "", "192.168.1.17:5555"),
     None),
    ("tcp://eth0:0;host:1", Endpoint("tcp", "host", 1, "", "eth0:*"), "tcp://eth0:*;host:1"),
    ("tcp://;host:5", Endpoint("tcp", "host", 5), "tcp://host:5"),
    ("ipc:///a//b/../c", Endpoint("ipc", path="/a/c"), "ipc:///a/c"),
    ("ipc:////a/./c", Endpoint("ipc", path="/a/c"), "ipc:///a/c"),
    ("ipc://feed.sock", Endpoint("ipc", path="feed.sock"), None),
    ("ipc://@a//b", Endpoint("ipc", path="@a//b"), None),
    ("ipc://*", Endpoint("ipc", path="*"), None),
    ("ipc:///with a blank/ä", Endpoint("ipc", path="/with a blank/ä"), None),
    ("inproc://Feed", Endpoint("inproc", path="Feed"), None),
    ("inproc://*", Endpoint("inproc", path="*"), None),
    ("udp://239.0.0.1:5555", Endpoint("udp", "239.0.0.1", 5555), None),
    ("udp://eth0;239.0.0.1:5555", Endpoint("udp", "239.0.0.1", 5555, "", "eth0"), None),
    ("epgm://192.168.1.1;239.192.1.1:5555", Endpoint("epgm", "239.192.1.1", 5555, "", "192.168.1.1"), None),
    ("pgm://;239.192.1.1:5555", Endpoint("pgm", "239.192.1.1", 5555), "pgm://239.192.1.1:5555"),
    ("norm://2,eth0;224.1.2.3:5556", Endpoint("norm", "224.1.2.3", 5556, "", "2,eth0"), None),
    ("norm://2,224.1.2.3:5556", Endpoint("norm", "224.1.2.3", 5556, "", "2,"), None),
    ("ws://*:80/feed/x", Endpoint("ws", "*", 80, "/feed/x"), None),
    ("wss://Host:443/", Endpoint("wss", "host", 443), "wss://host:443"),
    ("tipc://{5560,0,0}", Endpoint("tipc", path="{5560,0,0}"), None),
    ("vmci://*:*", Endpoint("vmci", "*"), None),
])
def test_parse_and_write(text: str, endpoint: Endpoint, canonical: str | None) -> None:
    assert parse(text) == endpoint
    assert str(endpoint) == (canonical or text)
    assert parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(("text", "message", "hint"), [
    ("", "is empty", "tcp://"),
    ("tcp:/x:5", "no '://'", "tcp://127.0.0.1:5555"),
    ("*:5559", "no '://'", "write tcp://*:5559"),
    ("worker", "no '://'", "DEVICE.in"),
    ("tpc://*:5", "unknown transport 'tpc'", "did you mean tcp://?"),
    ("TCP://*:5", "unknown transport 'TCP'", "did you mean tcp://?"),
    ("gopher://x:70", "unknown transport 'gopher'", "known are tcp, ipc"),
    ("tcp://*", "has no port", "write tcp://*:PORT"),
    ("tcp://[::1]", "has no port", ""),
    ("tcp://host:", "no port behind", ""),
    ("tcp://:5555", "has no host", "tcp://*:PORT"),
    ("tcp://host:http", "'http'", "1 to 65535"),
    ("tcp://host:5555/x", "'5555/x'", ""),
    ("tcp://host:-1", "'-1'", ""),
    ("tcp://host:٣", "is not a valid port", ""),
    ("tcp://host:65536", "over 65535", ""),
    ("tcp://host:" + "9" * 5000, "over 65535", ""),
    ("tcp://a:1:2", "is not a valid IPv6 address", "one host and one port"),
    ("tcp://256.0.0.1:5", "is not a valid IPv4 address", ""),
    ("tcp://a b:5", "is not a valid host name", ""),
    ("tcp://[x]:5", "is not a valid IPv6 address", ""),
    ("tcp://[fe80::1]:5", "is a link-local address without its interface", "[fe80::1%eth0]"),
    ("tcp://a;host:5", "has no port", ""),
    ("ws://host/path", "has no port", "ws://"),
    ("ipc://", "has no path", ""),
    ("ipc://~/x", "not expanded", "${HOME}"),
    ("ipc://@", "no name", ""),
    ("inproc://", "has no name", ""),
    ("tipc://", "has no address", ""),
    (" tcp://*:5", "blanks", ""),
    ("tcp://a\x1b[31m:5", "cannot be printed", ""),
])
def test_no_endpoint(text: str, message: str, hint: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("text", "wildcard", "system", "local", "reachable"), [
    ("tcp://*:5", True, False, True, "tcp://127.0.0.1:5"),
    ("tcp://0.0.0.0:*", True, True, True, "tcp://127.0.0.1:*"),
    ("tcp://[::]:5", True, False, True, "tcp://127.0.0.1:5"),
    ("tcp://[::1]:5", False, False, True, "tcp://[::1]:5"),
    ("tcp://127.0.0.2:5", False, False, True, "tcp://127.0.0.2:5"),
    ("tcp://127.example.org:5", False, False, False, "tcp://127.example.org:5"),
    ("tcp://localhost:5", False, False, True, "tcp://localhost:5"),
    ("tcp://worker:0", False, True, False, "tcp://worker:*"),
    ("ws://*:5/x", True, False, True, "ws://127.0.0.1:5/x"),
    ("ipc://*", False, True, True, "ipc://*"),
    ("ipc:///x", False, False, True, "ipc:///x"),
    ("inproc://*", False, False, True, "inproc://*"),
    ("tipc://{1,0}", False, False, False, "tipc://{1,0}"),
])
def test_properties(text: str, wildcard: bool, system: bool, local: bool, reachable: str) -> None:
    endpoint = parse(text)
    assert endpoint.is_wildcard_host is wildcard
    assert endpoint.is_system_port is system
    assert endpoint.is_local is local
    assert str(endpoint.reachable()) == reachable


def test_equal_by_meaning() -> None:
    assert parse("tcp://LOCALHOST:5") == parse("tcp://localhost:05")
    assert parse("ipc:///a//b/../c") == parse("ipc:///a/c")
    assert parse("inproc://A") != parse("inproc://a")


# -- what an editor underlines ----------------------------------------------------------------------------------------

KNOWN_TO_THE_RULE_ALONE = ("tcp://a:1:2", "tcp://256.0.0.1:5", "tcp://[x]:5", "tcp://[fe80::1]:5", "tcp://a;host:5",
                           "ipc://~/x", "ipc://@", "tcp://a\x1b[31m:5")


def cases(function: Callable[..., None]) -> list[str]:
    """The first argument of each case of a test."""
    (mark,) = function.pytestmark   # type: ignore[attr-defined]
    return [case[0] for case in mark.args[1]]


def is_underlined(text: str) -> bool:
    """Whether an editor says of the address that it is wrong, by the pattern that is in the schema for it."""
    rules = json.loads(schema_text())["definitions"]["addresses"]
    assert rules["pattern"] == rules["items"]["pattern"]
    return len(text) < rules["minLength"] or not re.search(rules["pattern"], text)


@pytest.mark.parametrize("text", [
    *cases(test_parse_and_write), "jobs.out", "größe.mon", "${ADDRESS}", "tcp://*:${PORT}", "tcp://${HOST}:5559",
    "ipc://${XDG_RUNTIME_DIR}/a b.sock", "inproc://two words",
])
def test_an_editor_takes_every_address(text: str) -> None:
    assert not is_underlined(text)


@pytest.mark.parametrize("text", [
    *(text for text in cases(test_no_endpoint) if text not in KNOWN_TO_THE_RULE_ALONE),
    "127.0.0.1:5", "tcp//127.0.0.1:5", "tcp:127.0.0.1:5", "tcp://*:$PORT", "tcp://*: 5", ":5", "jobs", "jobs.input",
    "a.b.out", "tcp://*:99999", "ipc:/tmp/x", "http://x:80",
])
def test_an_editor_underlines_what_is_no_address(text: str) -> None:
    assert is_underlined(text)
