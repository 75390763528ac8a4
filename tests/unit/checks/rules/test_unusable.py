"""Options and transports with which nothing passes, and those that are right all the same."""

from __future__ import annotations

import pytest

from ..conftest import Found, devices, found, pair, streamer

SERVER = "curve_server: true, curve_secretkey: {file: a}"
CLIENT = "curve_publickey: {file: a}, curve_secretkey: {file: b}, curve_serverkey: {file: c}"


@pytest.mark.parametrize(("in_", "out", "options", "expected"), [
    ("PULL", "PUSH", "conflate: true", "conflate"), ("PULL", "PUSH", "conflate: false", ""),
    ("SUB", "PUSH", "conflate: true", "conflate"), ("DEALER", "DEALER", "conflate: true", "conflate"),
    ("XPUB", "XSUB", "xpub_manual: true", "xpub_manual"), ("XPUB", "XSUB", "xpub_manual: false", ""),
    ("XPUB", "XSUB", "xpub_manual_last_value: true", "xpub_manual_last_value"),
    ("SUB", "PUB", "invert_matching: true", "invert_matching"),
    ("SUB", "PUB", "invert_matching: true, subscribe: [a, '']", "invert_matching"),
    ("SUB", "PUB", "invert_matching: true, subscribe: a", ""),
    ("PULL", "PUSH", "socks_proxy: 127.0.0.1:1080", "socks_proxy"),
    ("PULL", "PUSH", "affinity: 2", "affinity"), ("PULL", "PUSH", "affinity: 3", ""),
    ("PULL", "PUSH", "affinity: 0", ""),
    ("PULL", "PUSH", "maxmsgsize: 0", "maxmsgsize"), ("PULL", "PUSH", "maxmsgsize: 25", "maxmsgsize"),
    ("PULL", "PUSH", "maxmsgsize: 26", ""), ("PULL", "PUSH", "maxmsgsize: -1", ""),
    ("ROUTER", "DEALER", "maxmsgsize: 40", "maxmsgsize"), ("ROUTER", "DEALER", "maxmsgsize: 41", ""),
    ("SUB", "PUB", "subscribe: []", "subscribe"), ("SUB", "PUB", "subscribe: ''", ""),
    ("SUB", "PUB", "subscribe: [a, a], unsubscribe: a", ""),
    ("SUB", "PUB", "subscribe: [a], unsubscribe: [a]", "unsubscribe"),
    ("SUB", "PUB", "unsubscribe: [a], subscribe: [a]", ""), ("SUB", "PUB", "unsubscribe: ['']", ""),
    ("SUB", "PUB", "invert_matching: true, subscribe: []", ""),
    ("PULL", "PUSH", f"{SERVER}, maxmsgsize: 276", "maxmsgsize"), ("PULL", "PUSH", f"{SERVER}, maxmsgsize: 277", ""),
    ("ROUTER", "DEALER", f"{SERVER}, maxmsgsize: 291", "maxmsgsize"),
    ("ROUTER", "DEALER", f"{SERVER}, maxmsgsize: 292", ""),
    ("PULL", "PUSH", f"{CLIENT}, maxmsgsize: 167", "maxmsgsize"), ("PULL", "PUSH", f"{CLIENT}, maxmsgsize: 168", ""),
    ("ROUTER", "DEALER", "router_raw: true", ""),
    ("PULL", "PUSH", "tcp_accept_filter: 10.0.0.0/8", ""),      # which it binds for other machines too
    ("ROUTER", "DEALER", "router_handover: true, probe_router: true, immediate: true", ""),
])
def test_a_socket_by_itself(in_: str, out: str, options: str, expected: str) -> None:
    kind = {"PULL": "streamer", "ROUTER": "queue", "DEALER": "queue"}.get(in_, "forwarder")
    if (in_, out) == ("SUB", "PUSH"):
        kind = "streamer"
    yaml = pair(kind, in_, out).replace("bind: tcp://*:5001", f"bind: tcp://*:5001, options: {{{options}}}")
    assert found(yaml) == ([("unusable-option", expected)] if expected else [])


@pytest.mark.parametrize(("in_", "out", "limits", "option", "expected"), [
    ("PULL", "PUSH", "message_size: 0", "", "0"), ("PULL", "PUSH", "message_size: 25B", "", "25B"),
    ("PULL", "PUSH", "message_size: 26", "", ""), ("PULL", "PUSH", "message_size: -1", "", ""),
    ("ROUTER", "DEALER", "message_size: 40", "", "40"), ("ROUTER", "DEALER", "message_size: 41", "", ""),
    ("PULL", "PUSH", "message_size: 276", SERVER, "276"), ("PULL", "PUSH", "message_size: 277", SERVER, ""),
    ("PULL", "PUSH", "message_size: 9", "maxmsgsize: -1", "9"),
    ("PULL", "PUSH", "message_size: 30", "maxmsgsize: -1", ""),
    ("ROUTER", "DEALER", "frames: 1", "", "1"), ("ROUTER", "DEALER", "frames: 2", "", ""),
    ("PULL", "PUSH", "frames: 1", "", ""),
    ("SUB", "PUB", "frames: 1, topics: 1, topic_length: 0, handshake: 0", "", ""),
])
def test_limits_that_let_nothing_through(in_: str, out: str, limits: str, option: str, expected: str) -> None:
    kind = {"PULL": "streamer", "ROUTER": "queue"}.get(in_, "forwarder")
    yaml = pair(kind, in_, out).replace("bind: tcp://*:5001", f"bind: tcp://*:5001, options: {{{option}}}")
    rules = [("unusable-option", expected)] if expected else []
    assert found(yaml + f"    limits: {{{limits}}}\n") == rules
    assert found(f"defaults: {{limits: {{{limits}}}}}\n{yaml}") == rules


def test_affinity_to_a_thread_that_is_there() -> None:
    socket = "{bind: tcp://*:5000, options: {affinity: 2}}"
    assert found("context: {io_threads: 2}\n" + devices(streamer(socket))) == []
    assert found("context: {io_threads: 1}\n" + devices(streamer(socket))) == [("unusable-option", "affinity")]


@pytest.mark.parametrize(("prefix", "expected"), [
    ("", [("unusable-option", "conflate")]), (", prefix: {in: a}", [("unusable-option", "conflate")]),
    (", prefix: null", []),
])
def test_copies_with_a_prefix_have_two_frames(prefix: str, expected: Found) -> None:
    mon = f"{{bind: tcp://*:5003, options: {{conflate: true}}{prefix}}}"
    assert found(pair("monitored_queue", "PULL", "PUSH", mon)) == expected


@pytest.mark.parametrize(("in_", "expected"), [
    ("{bind: 'tcp://[::1]:5000', options: {ipv6: false}}", [("unusable-option", "ipv6")]),
    ("{bind: 'tcp://[::1]:5000', options: {ipv4only: true}}", [("unusable-option", "ipv4only")]),
    ("{bind: 'tcp://[::1]:5000', options: {ipv6: true}}", []),
    ("{bind: 'tcp://[::1]:5000'}", []),
    ("{connect: 'tcp://[fd00::1]:5000', options: {ipv6: 0}}", [("unusable-option", "ipv6")]),
    ("{connect: 'tcp://[fd00::1]:0;10.0.0.1:5000', options: {ipv6: 0}}", [("unusable-option", "ipv6")]),
    ("{bind: 'tcp://[::ffff:10.0.0.1]:5000', options: {ipv6: false}}", []),
    ("{bind: 'tcp://*:5000', options: {ipv6: false}}", []),
    ("{connect: b.in, options: {ipv6: false}}", [("unusable-option", "ipv6")]),
    ("{connect: c.in, options: {ipv6: false}}", []),
])
def test_ipv6_switched_off(in_: str, expected: Found) -> None:
    one = streamer(in_.replace("{", "{type: DEALER, ", 1), "{type: DEALER, bind: tcp://*:7000}")
    both = [
        streamer(f"{{type: DEALER, bind: 'tcp://{host}:5001'}}", f"{{type: DEALER, bind: tcp://*:{port}}}", name)
        for name, host, port in (("b", "[::1]", 7001), ("c", "[::]", 7002))
    ]
    yaml = devices(one, both[0], both[1].replace(":5001", ":5002")).replace("streamer", "queue")
    assert found(yaml) == expected


@pytest.mark.parametrize(("one", "other", "expected"), [
    ("", "", 0), ("invert_matching: true", "subscribe: a", 1), ("", "invert_matching: true, subscribe: a", 1),
    ("invert_matching: true", "invert_matching: true, subscribe: a", 0),
    ("invert_matching: true", "invert_matching: true", 1),
])
def test_matching_is_inverted_on_both_sides_or_on_none(one: str, other: str, expected: int) -> None:
    yaml = f"""
        devices:
          a: {{type: forwarder, in: {{bind: tcp://*:1024}}, out: {{bind: tcp://*:5001, options: {{{one}}}}}}}
          b: {{type: forwarder, in: {{type: SUB, connect: a.out, options: {{{other}}}}}, out: {{type: PUB, bind: tcp://*:1025}}}}
        """
    assert found(yaml) == [("unusable-option", "invert_matching")] * expected


@pytest.mark.parametrize(("type_", "expected"), [("STREAM", []), ("DEALER", [("unusable-option", "router_raw")])])
def test_plain_tcp_is_for_peers_that_do_not_speak_zmtp(type_: str, expected: Found) -> None:
    yaml = f"""
        devices:
          a:
            type: queue
            in: {{bind: tcp://*:5000, options: {{router_raw: true}}}}
            out: {{bind: tcp://*:5001}}
        peers:
          p: {{type: {type_}, connect: a.in}}
        """
    assert found(yaml) == expected


@pytest.mark.parametrize(("in_", "out", "address", "expected"), [
    ("PULL", "PUSH", "udp://127.0.0.1:5000", True), ("SUB", "PUB", "udp://239.0.0.1:5000", True),
    ("PULL", "PUSH", "pgm://eth0;239.192.1.1:5555", True), ("PULL", "PUSH", "epgm://eth0;239.192.1.1:5555", True),
    ("PULL", "PUSH", "norm://eth0;239.192.1.1:5555", True), ("SUB", "PUB", "pgm://eth0;239.192.1.1:5555", False),
    ("XSUB", "XPUB", "epgm://eth0;239.192.1.1:5555", False), ("PULL", "PUSH", "ws://127.0.0.1:5000", False),
    ("PULL", "PUSH", "tipc://{5560,0,0}", False), ("PULL", "PUSH", "vmci://*:5555", False),
])
def test_transports(in_: str, out: str, address: str, expected: bool) -> None:
    kind = "streamer" if in_ == "PULL" else "forwarder"
    for side in ("in", "out"):
        port = "5001" if side == "in" else "5002"
        yaml = pair(kind, in_, out).replace(f"bind: tcp://*:{port}", f"bind: '{address}'")
        assert found(yaml) == ([("transport-scope", f"'{address}'")] if expected else [])


def test_a_transport_is_told_of_peers_too() -> None:
    assert found(devices(streamer("{bind: tcp://*:5000}"), peers="  p: {type: PUSH, bind: 'udp://10.0.0.1:5'}")
                 ) == [("transport-scope", "'udp://10.0.0.1:5'")]


@pytest.mark.parametrize(("address", "options", "expected"), [
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: 10.0.0.0/8", "tcp_accept_filter"),
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: '::1'", "tcp_accept_filter"),
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: ['::1', 127.0.0.1]", ""),
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: '::/0', ipv6: true", ""),
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: 0.0.0.0/0", ""),
    ("tcp://[::1]:5001", "tcp_accept_filter: 127.0.0.0/8", "tcp_accept_filter"),
    ("tcp://[::1]:5001", "tcp_accept_filter: '::1'", ""),
    ("ipc:///tmp/a", "tcp_accept_filter: 10.0.0.0/8", ""),
    ("tcp://127.0.0.1:5001", "tcp_accept_filter: []", ""),
])
def test_an_accept_filter_without_this_machine(address: str, options: str, expected: str) -> None:
    yaml = devices(streamer(f"{{bind: '{address}', options: {{{options}}}}}"))
    assert found(yaml) == ([("unusable-option", expected)] if expected else [])
