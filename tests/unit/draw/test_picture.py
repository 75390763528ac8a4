from __future__ import annotations

import pytest

from zmqtopo.draw.dot import dot
from zmqtopo.draw.mermaid import mermaid
from zmqtopo.draw.node_link import node_link

LANGUAGES = [dot, mermaid, node_link]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_order_of_the_file_does_not_matter(draw, language) -> None:
    entries = [f"  d{n}: {{type: queue, in: {{bind: tcp://*:60{n}}}, out: {{bind: tcp://*:61{n}}}}}\n"
               for n in range(10, 20)]
    peers = [f"  p{n}: {{type: REQ, connect: [d{n}.in, tcp://a:1, tcp://b:1]}}\n" for n in range(10, 20)]
    one = "name: t\ndevices:\n" + "".join(entries) + "peers:\n" + "".join(peers)
    two = ("name: t\npeers:\n" + "".join(peers[::-1]) + "devices:\n" + "".join(entries[::-1])) \
        .replace("tcp://a:1, tcp://b:1", "tcp://b:1, tcp://a:1")
    assert language(draw(one)).splitlines() == language(draw(two)).splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nor_does_it_where_an_address_is_claimed_twice(draw, language) -> None:
    entries = [f"  {name}: {{type: streamer, in: {{bind: tcp://*:5000}}, out: {{bind: tcp://*:{port}}}}}\n"
               for name, port in (("a", 5001), ("b", 5002), ("c", 5003))]
    peers = "peers:\n  p: {type: PUSH, connect: b.in}\n"
    one, two = ("name: t\ndevices:\n" + "".join(order) + peers for order in (entries, entries[::-1]))
    drawn = [language(draw(yaml, with_problems=False)).splitlines() for yaml in (one, two)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("focus", "devices", "peers", "addresses"), [
    ("ingest", ["ingest", "store"], ["feed", "viewer"], ["ipc:///run/feed/in"]),
    ("store", ["ingest", "store"], [], ["tcp://*:5571"]),
    ("requests", ["requests"], ["clients", "workers"], []),
    ("mirror", ["mirror"], ["listener"], ["tcp://far:5581"]),
])
def test_focus_is_a_device_and_its_neighbours(draw, focus, devices, peers, addresses) -> None:
    seen = draw("all", focus=focus)
    assert [device.name for device in seen.devices] == devices
    assert [peer.name for peer in seen.peers] == peers
    assert [node.text for node in seen.addresses] == addresses


def test_focus_keeps_what_neighbours_have_with_each_other(draw) -> None:
    seen = draw("""
        devices:
          a: {type: forwarder, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}
          b: {type: forwarder, in: {connect: a.out}, out: {bind: tcp://*:3}}
          c: {type: forwarder, in: {connect: [a.out, b.out]}, out: {bind: tcp://*:4}}
        """, focus="a", with_problems=False)
    assert [" ".join(arrow.nodes) for arrow in seen.arrows] == [
        "device:a device:b", "device:a device:c", "device:b device:c", "endpoint:tcp://*:1 device:a"]


def test_focus_on_nothing(draw) -> None:
    with pytest.raises(KeyError):
        draw("all", focus="nothing")


def test_faults_are_where_the_problems_are(draw) -> None:
    seen = draw("bad")
    a, b, c = seen.devices
    both = ["socket-pair"]
    assert [seen.faults(of) for of in (a, a.in_, b, b.in_, b.out, c)] == [[], [], [], both, both, []]
    assert [(arrow.nodes, seen.faults(arrow)) for arrow in seen.arrows if seen.faults(arrow)] == [
        (("device:a", "endpoint:tcp://*:5001 of a.out"), ["bind-conflict"]),
        (("endpoint:tcp://*:5001 of a.in", "device:a"), ["bind-conflict"]),
    ]


CLASH = "{type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}"


@pytest.mark.parametrize(("yaml", "expected"), [
    # of one device, which does not feed itself
    (f"devices: {{a: {CLASH}}}",
     ["device:a endpoint:tcp://*:5001 of a.out", "endpoint:tcp://*:5001 of a.in device:a"]),
    # of two, which are not connected
    ("devices:\n  a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}\n"
     "  b: {type: streamer, in: {bind: tcp://*:5002}, out: {bind: tcp://*:5003}}",
     ["device:a endpoint:tcp://*:5002 of a.out", "device:b endpoint:tcp://*:5003", "endpoint:tcp://*:5001 device:a",
      "endpoint:tcp://*:5002 of b.in device:b"]),
    # a connect to a socket goes there, one to the address to the first who claims it
    (f"devices: {{a: {CLASH}}}\n"
     "peers:\n  p: {type: PULL, connect: a.out}\n  q: {type: PUSH, connect: a.in}\n"
     "  r: {type: PUSH, connect: tcp://localhost:5001}",
     ["device:a peer:p", "peer:q device:a", "peer:r device:a"]),
    # one socket has one place for an address, however often it says it
    ("devices: {a: {type: streamer, in: {bind: [tcp://*:5001, tcp://*:5001]}, out: {bind: tcp://*:5002}}}",
     ["device:a endpoint:tcp://*:5002", *["endpoint:tcp://*:5001 of a.in device:a"] * 2]),
])
def test_an_address_that_is_claimed_twice_connects_nobody(draw, yaml: str, expected: list[str]) -> None:
    assert [" ".join(arrow.nodes) for arrow in draw(yaml).arrows] == expected


def test_an_address_that_several_may_bind_is_one_place(draw) -> None:
    seen = draw("devices:\n" + "".join(
        f"  {name}: {{type: forwarder, in: {{bind: 'epgm://eth0;239.1.1.1:5555'}}, out: {{bind: tcp://*:{port}}}}}\n"
        for name, port in (("a", 5001), ("b", 5002))))
    assert [node.text for node in seen.addresses] == [
        "epgm://eth0;239.1.1.1:5555", "tcp://*:5001", "tcp://*:5002"]
