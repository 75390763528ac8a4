"""The devices of a topology, set apart."""

from __future__ import annotations

from pathlib import Path

import pytest

import zmqtopo
from zmqtopo.bench.cases import CONTESTANTS, Case, Requests, Selection, Stream
from zmqtopo.bench.topology import cases_of

TOPOLOGIES = sorted((Path(__file__).parents[3] / "topologies").glob("*.yaml"))


def cases(tmp_path: Path, text: str, selection: Selection | None = None) -> list[Case]:
    path = tmp_path / "it.yaml"
    path.write_text(text)
    return cases_of(zmqtopo.load(path), selection or Selection(), CONTESTANTS)


def case(tmp_path: Path, device: str) -> Case:
    (found,) = cases(tmp_path, f"devices:\n  it: {device}\n")
    return found


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_each_device_of_the_examples_on_addresses_of_its_own(path: Path) -> None:
    topology = zmqtopo.load(path)
    found = cases_of(topology, Selection(), CONTESTANTS)
    assert [case.device.name for case in found] == list(topology.devices)
    for case in found:
        original = topology.devices[case.device.name]
        assert [(s.role, s.type) for s in case.device.sockets] == [(s.role, s.type) for s in original.sockets]
        for socket in case.device.sockets:
            (address,) = socket.bind
            assert socket.connect == ()
            assert address.text in ("tcp://127.0.0.1:*", "ipc://*", f"inproc://{socket.role}")


@pytest.mark.parametrize(
    ("device", "load"),
    [
        ("{type: streamer, in: {bind: inproc://a}, out: {bind: inproc://b}}", Stream()),
        ("{type: forwarder, in: {bind: inproc://a}, out: {bind: inproc://b}}", Stream(10, 1000)),
        ("{type: streamer, in: {bind: inproc://a}, out: {type: XPUB, bind: inproc://b}}", Stream()),
        ("{type: streamer, in: {type: SUB, bind: inproc://a}, out: {bind: inproc://b}}", Stream()),
        ("{type: queue, in: {bind: inproc://a}, out: {bind: inproc://b}}", Requests(32, 16, 8)),
        ("{type: queue, in: {type: DEALER, bind: inproc://a}, out: {bind: inproc://b}}", Requests(1, 16, 1)),
        ("{type: queue, in: {type: PAIR, bind: inproc://a}, out: {type: PAIR, bind: inproc://b}}", Requests(1, 16, 1)),
        ("{type: monitored_queue, in: {bind: inproc://a}, out: {bind: inproc://b}, mon: {bind: inproc://c}}",
         Requests(32, 16, 8, 1)),
        ("{type: monitored_queue, in: {type: PULL, bind: inproc://a}, out: {type: PUSH, bind: inproc://b}, "
         "mon: {bind: inproc://c}}", Stream(readers=1)),
    ],
)
def test_the_load_follows_from_the_types(tmp_path: Path, device: str, load: Stream | Requests) -> None:
    assert case(tmp_path, device).load == load


def test_sizes_and_subscribers(tmp_path: Path) -> None:
    text = """
devices:
  a: {type: forwarder, in: {bind: inproc://a}, out: {bind: inproc://b}}
  b: {type: queue, in: {bind: inproc://c}, out: {bind: inproc://d}}
"""
    found = cases(tmp_path, text, Selection(sizes=(16, 1024), subscribers=(1, 10)))
    assert [case.title for case in found] == [
        "a (forwarder), 16 B, inproc, 1 subscriber, 1,000 topics",
        "a (forwarder), 16 B, inproc, 10 subscribers, 1,000 topics",
        "a (forwarder), 1 KiB, inproc, 1 subscriber, 1,000 topics",
        "a (forwarder), 1 KiB, inproc, 10 subscribers, 1,000 topics",
        "b (queue), 16 B, inproc, 32 clients with 16 requests each, 8 workers",
        "b (queue), 1 KiB, inproc, 32 clients with 16 requests each, 8 workers",
    ]


def test_large_requests_are_few(tmp_path: Path) -> None:
    text = """
devices:
  a: {type: queue, in: {bind: inproc://a}, out: {bind: inproc://b}}
  b: {type: queue, in: {type: PAIR, bind: inproc://c}, out: {type: PAIR, bind: inproc://d}}
"""
    first, second = cases(tmp_path, text, Selection(sizes=(4 << 20,)))
    assert (first.load, second.load) == (Requests(32, 1, 8), Requests(1, 8, 1))


def test_references_have_the_transport_that_they_lead_to(tmp_path: Path) -> None:
    first, second, third = cases(tmp_path, """
devices:
  a: {type: streamer, in: {bind: tcp://127.0.0.1:5599}, out: {bind: [inproc://a, "tcp://127.0.0.1:*"]}}
  b: {type: streamer, in: {connect: a.out}, out: {bind: ipc:///tmp/b}}
  c: {type: streamer, run: process, in: {connect: a.out}, out: {connect: tcp://127.0.0.1:5598}}
""")
    assert (first.transport, second.transport, third.transport) == ("tcp to inproc", "inproc to ipc", "tcp")
    assert [c for c in third.contestants if c.startswith("zmqtopo")] == ["zmqtopo.process"]


def test_a_name_is_only_a_name(tmp_path: Path) -> None:
    text = "devices: {monitored_queue: {type: streamer, in: {bind: inproc://a}, out: {bind: inproc://b}}}"
    assert [case.title for case in cases(tmp_path, text)] == ["monitored_queue (streamer), 16 B, inproc"]


def test_inproc_is_measured_in_a_thread(tmp_path: Path) -> None:
    found = case(tmp_path, "{type: streamer, run: process, in: {bind: inproc://a}, out: {bind: tcp://127.0.0.1:5599}}")
    assert [c for c in found.contestants if c.startswith("zmqtopo")] == ["zmqtopo.thread"]


def test_options_that_make_it_fast_or_slow_stay(tmp_path: Path) -> None:
    found = case(tmp_path, """
    type: streamer
    in:
      bind: tcp://127.0.0.1:5599
      type: SUB
      options: {subscribe: [eu.], rcvhwm: 7, sndbuf: 1MiB, zap_domain: x}  # zmqtopo: ignore[no-authenticator]
    out:
      bind: tcp://127.0.0.1:5598
      options: {hwm: 5, linger: 1s, plain_server: true}  # zmqtopo: ignore[no-authenticator]
""")
    assert found.device.in_.options == {
        "hwm": 1000, "sndhwm": 1_000_000, "rcvhwm": 7, "sndbuf": 1 << 20, "subscribe": (b"",),
    }
    assert found.device.out.options == {"hwm": 1000, "sndhwm": 5, "rcvhwm": 5}     # which have the last word


def test_options_that_let_others_or_less_through_go(tmp_path: Path) -> None:
    found = case(tmp_path, """
    type: monitored_queue
    in:
      bind: inproc://a
      options: {maxmsgsize: 400, router_notify: 3, router_handover: true, hello_msg: hi}
    out: {bind: inproc://b, options: {hiccup_msg: oh, disconnect_msg: bye}}
    mon:
      type: XPUB
      bind: inproc://c
      options: {xpub_manual: true, xpub_welcome_msg: hi, invert_matching: true}  # zmqtopo: ignore[unusable-option]
""")
    assert [s.options for s in found.device.sockets] == [
        {"hwm": 1000, "router_handover": True, "router_mandatory": True}, *[{"hwm": 1000}] * 2,
    ]


def test_a_client_asks_no_more_than_the_device_has_room_for(tmp_path: Path) -> None:
    found = case(tmp_path, "{type: queue, in: {bind: inproc://a, options: {hwm: 20}}, out: {bind: inproc://b, "
                           "options: {rcvhwm: 0}}}")
    assert found.load == Requests(32, 5, 8)


@pytest.mark.parametrize(
    ("device", "missing"),
    [
        ("{type: streamer, in: {bind: inproc://a}, out: {bind: inproc://b}}", {"zmqtopo.plain"}),
        ("{type: streamer, in: {bind: inproc://a}, out: {type: XPUB, bind: inproc://b}}",
         {"zmqtopo.plain", "zmq.monitored_queue"}),
        ("{type: monitored_queue, in: {bind: inproc://a}, out: {type: ROUTER, bind: inproc://b}, "
         "mon: {bind: inproc://c}}", {"zmq.proxy"}),
    ],
)
def test_who_cannot_do_the_work(tmp_path: Path, device: str, missing: set[str]) -> None:
    assert set(CONTESTANTS) - set(case(tmp_path, device).contestants) == missing | {"zmqtopo.process"}
