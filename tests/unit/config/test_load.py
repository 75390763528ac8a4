from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from zmqtopo.config.endpoint import parse
from zmqtopo.config.load import Loaded, read, read_text
from zmqtopo.config.model import Address, MonSocket, Reference, Restart, Run, Topology
from zmqtopo.config.problem import Place

SMALL = """
version: 1
devices:
  requests: {type: queue, in: {bind: tcp://*:5559}, out: {bind: tcp://*:5560}}
"""
FULL = """
version: 1.2
name: pipeline
description: market data
x-lan: &lan {hwm: 50000, tcp_keepalive: true}
context: {io_threads: 2, max_sockets: 4096}
defaults: {run: process, restart: always, stop_timeout: 5s}
devices:
  ingest:
    type: monitored_queue
    description: what it is for
    run: process/feeds
    in:
      type: xsub
      bind: [tcp://*:${PORT:-5561}, ipc:///run/feed/in]
      connect: tcp://upstream:6000
      options: {<<: *lan, linger: 0, rcvhwm: 100000}
    out: {type: XPUB, bind: tcp://127.0.0.1:*}
    mon:
      bind: ipc:///run/feed/mon
      prefix: {in: !!binary /w==, out: aus}
      overflow: drop
    restart: {policy: on-failure, backoff: [1s, 2m], max_retries: 3, stable_after: 500ms}
    stop_timeout: 250ms
    graph: {color: steelblue, group: market}
  sink:
    type: streamer
    in: {type: SUB, connect: ingest.out, options: {subscribe: [eu., us.]}}
    out: {bind: tcp://*:5570}
peers:
  feed: {type: PUB, bind: tcp://upstream:6000, description: the feed, graph: {color: grey}}
  traders: {type: PULL, connect: [sink.out, tcp://127.0.0.1:5570]}
"""


def good(text: str, file: str = "f.yaml", environ: dict[str, str] | None = None) -> Topology:
    loaded = read_text(text, file, environ=environ or {})
    assert loaded.problems == []
    assert loaded.topology is not None
    return loaded.topology


def address(text: str) -> Address:
    return Address(text, None)  # addresses compare by their text


def rules(loaded: Loaded) -> list[str]:
    return [problem.rule for problem in loaded.problems]


def test_defaults() -> None:
    topology = good(SMALL, "etc/my brokers.yaml")
    device = topology.devices["requests"]
    assert (topology.name, topology.version, topology.file) == ("my-brokers", 1, "etc/my brokers.yaml")
    assert (topology.context.io_threads, topology.context.max_sockets) == (1, None)
    assert (device.run, device.restart, device.stop_timeout) == (Run(), Restart(), 5.0)
    assert (device.in_.type, device.out.type, device.mon) == ("ROUTER", "DEALER", None)
    assert device.in_.options == {"linger": 5000, "router_mandatory": True}
    assert device.out.options == {"linger": 5000}
    assert device.in_.bind == (address("tcp://*:5559"),)
    assert device.in_.bind[0].endpoint == parse("tcp://*:5559")
    assert not device.unread
    assert not device.in_.unread


def test_everything() -> None:
    topology = good(FULL)
    ingest, sink = topology.devices.values()
    assert (topology.name, topology.version, topology.description) == ("pipeline", 1.2, "market data")
    assert (topology.context.io_threads, topology.context.max_sockets) == (2, 4096)
    assert (ingest.run, ingest.process) == (Run("process", "feeds"), "group feeds")
    assert ingest.restart == Restart("on-failure", (1.0, 120.0), 3, 0.5)
    assert (ingest.stop_timeout, ingest.graph) == (0.25, {"color": "steelblue", "group": "market"})
    assert ingest.in_.type == "XSUB"
    assert [a.text for a in ingest.in_.bind] == ["tcp://*:5561", "ipc:///run/feed/in"]
    assert ingest.in_.options == {"rcvhwm": 100000, "tcp_keepalive": 1, "linger": 0}
    assert isinstance(ingest.mon, MonSocket)
    assert (ingest.mon.type, ingest.mon.overflow) == ("PUB", "drop")
    assert (ingest.mon.prefix_in, ingest.mon.prefix_out) == (b"\xff", b"aus")
    assert ingest.mon.options == {"linger": 250}
    assert (sink.run, sink.restart.policy) == (Run("process"), "always")
    assert (sink.in_.type, sink.out.type) == ("SUB", "PUSH")
    assert sink.in_.connect == (Reference("ingest", "out"),)
    assert sink.in_.options == {"subscribe": ("eu.", "us."), "linger": 5000}
    assert topology.peers["feed"].graph == {"color": "grey"}
    assert topology.peers["traders"].connect == (Reference("sink", "out"), address("tcp://127.0.0.1:5570"))


@pytest.mark.parametrize(("find", "place"), [
    (lambda t: t.devices["ingest"].place, Place(9, 3, 9)),
    (lambda t: t.devices["ingest"].type_place, Place(10, 11, 26)),
    (lambda t: t.devices["ingest"].in_.place, Place(13, 5, 7)),
    (lambda t: t.devices["ingest"].in_.type_place, Place(14, 13, 17)),
    (lambda t: t.devices["ingest"].in_.bind[0].place, Place(15, 14, 35)),
    (lambda t: t.devices["ingest"].in_.connect[0].place, Place(16, 16, 35)),
    (lambda t: t.devices["ingest"].in_.option_places["linger"], Place(17, 27, 33)),
    (lambda t: t.devices["ingest"].in_.option_places["tcp_keepalive"], Place(17, 21, 25)),
    (lambda t: t.devices["ingest"].mon.type_place, Place(19, 5, 8)),
    (lambda t: t.devices["ingest"].mon.overflow_place, Place(22, 17, 21)),
    (lambda t: t.peers["traders"].connect[0].place, Place(32, 35, 43)),
])
def test_places(find, place) -> None:
    assert find(good(FULL)) == place


@pytest.mark.parametrize(("inside", "socket"), [
    ("type: queue, in: {}, out: {}", ("ROUTER", "DEALER")),
    ("type: forwarder, in: {}, out: {}", ("XSUB", "XPUB")),
    ("type: streamer, in: {}, out: {}", ("PULL", "PUSH")),
    ("type: monitored_queue, in: {}, out: {}, mon: {}", ("ROUTER", "DEALER")),
    ("type: queue, in: {type: xrep}, out: {type: XREQ}", ("ROUTER", "DEALER")),
    ("type: queue, in: {type: pair}, out: {type: PAIR}", ("PAIR", "PAIR")),
])
def test_socket_types(inside: str, socket: tuple[str, str]) -> None:
    device = good(f"devices: {{d: {{{inside}}}}}").devices["d"]
    assert (device.in_.type, device.out.type) == socket


def test_a_sub_socket_subscribes_to_everything_unless_told() -> None:
    device = good("devices: {d: {type: forwarder, in: {type: SUB}, out: {type: SUB, options: {subscribe: []}}}}"
                  ).devices["d"]
    assert device.in_.options["subscribe"] == ("",)
    assert device.out.options["subscribe"] == ()


@pytest.mark.parametrize(("said", "environ", "option", "value"), [
    ("hwm: ${H:-1000}", {}, "sndhwm", 1000),
    ("hwm: ${H:-1000}", {"H": "7"}, "sndhwm", 7),
    ("ipv6: '${V:-true}'", {}, "ipv6", True),
    ("linger: ${L:-5}", {}, "linger", 5),
    ("linger: ${L:-5s}", {}, "linger", 5000),
    ("routing_id: ${R:-7}", {}, "routing_id", "7"),
    ("subscribe: ['${S:-7}', '${S:-true}']", {}, "subscribe", ("7", "true")),
    ("<<: {hwm: '${H:-9}'}", {}, "rcvhwm", 9),
])
def test_a_substituted_value_takes_the_type_that_is_wanted(
        said: str, environ: dict[str, str], option: str, value: object) -> None:
    topology = good(f"devices: {{d: {{type: queue, in: {{options: {{{said}}}}}, out: {{}}}}}}", environ=environ)
    found = topology.devices["d"].in_.options[option]
    assert found == value
    assert type(found) is type(value)


def test_substitution_elsewhere() -> None:
    topology = good("""
version: ${VERSION:-1}
context: {io_threads: "${THREADS:-3}"}
defaults: {stop_timeout: "${STOP:-2}"}
devices: {d: {type: "${TYPE:-queue}", in: {}, out: {}}}
""")
    assert (topology.version, topology.context.io_threads) == (1, 3)
    assert topology.devices["d"].stop_timeout == 2.0


def test_a_substituted_value_of_the_wrong_type_is_told_once() -> None:
    loaded = read_text("devices: {d: {type: queue, in: {options: {hwm: '${H:-many}'}}, out: {}}}", environ={})
    assert [p.message for p in loaded.problems] == ["expected a number of messages for hwm, got 'many'"]


def test_a_quoted_number_is_no_substituted_one() -> None:
    assert rules(read_text("devices: {d: {type: queue, in: {options: {hwm: '5'}}, out: {}}}")) == ["wrong-type"]


def test_unset_variables() -> None:
    text = "devices: {d: {type: '${T}', in: {bind: '${A}', options: {hwm: '${H}'}}, out: {}}}"
    loaded = read_text(text, environ={})
    assert [(p.rule, p.severity) for p in loaded.problems] == [("undefined-variable", "warning")] * 3
    assert loaded.topology is not None
    device = loaded.topology.devices["d"]
    assert (device.type, device.unread, device.in_.unread, device.out.unread) == ("", {"type"}, {"bind"}, set())
    assert device.in_.bind == ()
    strict = read_text(text, environ={}, strict_variables=True)
    assert {p.severity for p in strict.problems} == {"error"}


def test_damage_stays_where_it_is() -> None:
    loaded = read_text("""
devices:
  a: {type: quue, in: {bind: tcp://*:5001, options: {hwm: x}}, out: {bnd: tcp://*:5002}}
  b: 5
  c: {type: queue, in: {bind: tcp://*:5003}, out: {bind: [tcp://*:5004, 5]}}
  d: {type: queue, in: {bind: tcp://*:5005}}
peers:
  p: {type: PUBB}
  q:
""")
    assert rules(loaded) == ["bad-value", "wrong-type", "unknown-key", "wrong-type", "wrong-type", "missing-key",
                             "bad-value", "wrong-type"]
    assert loaded.topology is not None
    a, b, c, d = loaded.topology.devices.values()
    assert (a.type, a.unread, a.in_.type, a.in_.unread, a.out.unread) == ("", {"type"}, "", set(), {"bind"})
    assert [x.text for x in a.in_.bind] == ["tcp://*:5001"]
    assert (b.type, b.mon) == ("", None)
    assert b.unread > {"type", "in", "out", "mon", "run"}
    assert b.in_.unread == b.out.unread == {"type", "bind", "connect", "group", "mode", "options", "security"}
    assert (c.unread, c.in_.unread, c.out.unread) == (set(), set(), {"bind"})
    assert [x.text for x in c.out.bind] == ["tcp://*:5004"]
    assert (d.unread, d.in_.unread, d.out.unread) == ({"out"}, set(), b.out.unread)
    p, q = loaded.topology.peers.values()
    assert (p.type, p.unread, q.type) == ("", {"type"}, "")
    assert q.unread > {"type", "bind", "connect"}


@pytest.mark.parametrize(("device", "unread"), [
    ("mno: {bind: tcp://*:5003}", {"mon"}),
    ("rnu: thread", {"run"}),
    ("colour: red", {"description", "run", "mon", "restart", "stop_timeout", "limits", "peers", "graph", "security"}),
    ("x-colour: red", set()),
    ("restart: {polcy: always}", set()),
])
def test_an_unknown_key_may_be_a_known_one_that_is_not_there(device: str, unread: set[str]) -> None:
    text = f"devices:\n  a:\n    type: queue\n    in: {{}}\n    out: {{}}\n    {device}\n"
    topology = read_text(text).topology
    assert topology is not None
    assert topology.devices["a"].unread - {"colour"} == unread


@pytest.mark.parametrize(("defaults", "own", "unread"), [
    ("{run: proces}", "", True), ("{run: proces}", ", run: process", False), ("{rnu: process}", "", True),
    ("5", "", True), ("{stop_timeout: 1s}", "", False),
])
def test_what_the_defaults_say_may_be_unread(defaults: str, own: str, unread: bool) -> None:
    text = f"defaults: {defaults}\ndevices: {{a: {{type: queue, in: {{}}, out: {{}}{own}}}}}\n"
    topology = read_text(text).topology
    assert topology is not None
    assert ("run" in topology.devices["a"].unread) is unread


def test_mon_is_kept_and_missed_without_a_finding_here() -> None:
    topology = good("devices: {a: {type: queue, in: {}, out: {}, mon: {bind: tcp://*:5}}, "
                    "b: {type: monitored_queue, in: {}, out: {}}}")
    assert topology.devices["a"].mon is not None
    assert topology.devices["b"].mon is None


@pytest.mark.parametrize(("text", "connect"), [
    ("a.in", Reference("a", "in")), ("ü-1.mon", Reference("ü-1", "mon")),
    ("a.input", address("a.input")), ("a.b.in", address("a.b.in")), ("a", address("a")),
    ("tcp://a.in", address("tcp://a.in")),
])
def test_references(text: str, connect: object) -> None:
    assert good(f"devices: {{}}\npeers: {{p: {{type: SUB, connect: '{text}'}}}}").peers["p"].connect == (connect,)


@pytest.mark.parametrize("name", ["a", "Größe", "नमस्ते", "价格", "1", "true", "a_b-c"])
def test_names(name: str) -> None:
    assert list(good(f"devices: {{{name}: {{type: queue, in: {{}}, out: {{}}}}}}").devices) == [name]


@pytest.mark.parametrize("name", ["a b", "a.b", "a/b", "a:b", "''", "a\\x7f", "a!", "\\u2028"])
def test_no_names(name: str) -> None:
    assert rules(read_text(f"devices: {{\"{name}\": {{type: queue, in: {{}}, out: {{}}}}}}")) == ["bad-value"]


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127])
def test_the_longest_names_of_a_topology(name: str) -> None:
    assert good(f"name: {name}\ndevices: {{}}").name == name


@pytest.mark.parametrize(("name", "size"), [("a" * 256, 256), ("é" * 128, 256), ("${LONG}", 300)])
def test_a_name_that_is_too_long_for_a_state_folder(name: str, size: int) -> None:
    problem, = read_text(f"devices: {{}}\nname: {name}", environ={"LONG": "x" * 300}).problems
    assert (problem.rule, problem.severity, problem.place.line, problem.place.column) == ("bad-value", "error", 2, 7)
    assert problem.message == f"the name of the topology has {size} bytes, and that of its state folder at most 255"
    assert problem.hint == "give it a shorter one"


@pytest.mark.parametrize("version", ["1", "1.0", "1.2", "1.99"])
def test_versions(version: str) -> None:
    assert good(f"version: {version}\ndevices: {{}}").devices == {}


@pytest.mark.parametrize(("version", "rule"), [
    ("2", "unsupported-version"), ("2.5", "unsupported-version"), ("0", "bad-value"), ("'1'", "wrong-type"),
    ("one", "wrong-type"), ("true", "wrong-type"), (".nan", "wrong-type"),
])
def test_no_versions(version: str, rule: str) -> None:
    assert rules(read_text(f"version: {version}\ndevices: {{}}")) == [rule]


@pytest.mark.parametrize("text", ["", "# nothing\n", "a", "[]", "a: [", "version: 3\ndevices: {}", "~"])
def test_nothing_to_build_on(text: str) -> None:
    loaded = read_text(text)
    assert loaded.topology is None
    assert len(loaded.problems) == 1


def test_a_syntax_error_is_one_finding() -> None:
    assert rules(read_text("devices: {a: {type: que}}\nb: '")) == ["yaml-syntax"]


def test_two_topologies_compare_by_what_they_do() -> None:
    assert good(SMALL, "a.yaml") != good(SMALL, "b.yaml")  # the name is the file's
    assert good("name: n" + SMALL, "a.yaml") == good("# moved\n\nname: n" + SMALL, "b.yaml")


def test_files_of_options_are_beside_the_topology(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("devices: {d: {type: queue, in: {options: {plain_password: {file: p}}}, out: {}}}")
    loaded = read(path)
    assert loaded.topology is not None
    assert str(loaded.topology.devices["d"].in_.options["plain_password"].path) == str(tmp_path / "p")
    assert loaded.source.lines[0].startswith("devices")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"devices: {}")))
    loaded = read("-")
    assert loaded.topology is not None
    assert (loaded.topology.name, loaded.topology.file) == ("stdin", "<stdin>")


def test_no_file(tmp_path: Path) -> None:
    loaded = read(tmp_path / "none.yaml")
    assert (loaded.topology, rules(loaded)) == (None, ["unreadable-file"])


def test_problems_are_safe_for_a_terminal() -> None:
    evil = r'"\e[2Jx\nerror\u202e"'
    loaded = read_text(f"{evil}: 1\ndevices: {{{evil}: {{type: {evil}, {evil}: 1, in: {{bind: {evil}}}}}}}\n"
                       f"description: '${{{'A' * 500}!}}'\n")
    assert len(loaded.problems) == 6
    for problem in loaded.problems:
        assert problem.message.isprintable()
        assert problem.hint.isprintable()
        assert len(problem.message) < 250
