"""Everything that the ZeroMQ Device Configuration File can say, row by row, in its three syntaxes.

A row is a tree, as dict, list and text. It is written in JSON, in ZPL and in XML, and each must come to the same.
"""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Device, Peer, Topology
from zmqtopo.convert import Converted, ConvertError, convert

Tree = dict[str, Any]


def as_zpl(tree: Tree, depth: int = 0) -> str:
    lines = []
    for name, value in tree.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                lines.append(" " * 4 * depth + f"{name}\n{as_zpl(each, depth + 1)}")
            else:
                lines.append(" " * 4 * depth + f'{name} = "{plain(each)}"\n')
    return "".join(lines)


def as_xml(tree: Tree, name: str = "zdcf") -> str:
    inside = "".join(
        as_xml(each, key) if isinstance(each, dict) else f"<{key}>{escape(plain(each))}</{key}>"
        for key, value in tree.items() for each in (value if isinstance(value, list) else [value])
    )
    return f"<{name}>{inside}</{name}>"


def plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


SYNTAXES = {"zdcf": json.dumps, "zpl": as_zpl, "xml": as_xml}


@pytest.fixture(params=SYNTAXES)
def syntax(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def converted(tree: Tree, syntax: str) -> Converted:
    return convert(SYNTAXES[syntax](tree), syntax)  # type: ignore[arg-type]


def topology(tree: Tree, syntax: str) -> Topology:
    checked = examine_text(converted(tree, syntax).text, environ={})
    assert checked.problems == []
    assert checked.topology is not None
    return checked.topology


def file(**devices: Tree) -> Tree:
    return {"version": 1.0, "apps": {"app": {"devices": devices}}}


def device(kind: str = "zmq_queue", frontend: Tree | None = None, backend: Tree | None = None) -> Tree:
    ends = {"frontend": {"bind": "tcp://*:5001", **(frontend or {})},
            "backend": {"bind": "tcp://*:5002", **(backend or {})}}
    return {"type": kind, "sockets": ends}


def only(tree: Tree, syntax: str) -> Device:
    (one,) = topology(tree, syntax).devices.values()
    return one


def options_of(one: Device) -> dict[str, Any]:
    """The options of in, less those that are filled in when the file says nothing of them."""
    filled_in = {("linger", 5000), ("router_mandatory", True)}
    return {name: value for name, value in one.in_.options.items() if (name, value) not in filled_in}


# -- the file, applications and contexts ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1.0, 1, 1.2, 1.9999, 0.5])
def test_version_with_the_same_integer_part(version: float, syntax: str) -> None:
    assert topology({"version": version, "apps": {}}, syntax).version == 1


@pytest.mark.parametrize("version", [2, 2.0, 17.5])
def test_version_with_a_newer_integer_part(version: float, syntax: str) -> None:
    with pytest.raises(ConvertError, match=rf"version {version} of the format is newer than 1\.x"):
        converted({"version": version, "apps": {"what": {"is": {"this": 1}}}}, syntax)


@pytest.mark.parametrize("tree", [{}, {"version": 1.0}, {"version": 1.0, "apps": {}},
                                  {"version": 1.0, "apps": {"app": {}}},
                                  {"version": 1.0, "apps": {"app": {"devices": {}}}}])
def test_empty(tree: Tree, syntax: str) -> None:
    assert topology(tree, syntax).devices == {}


def test_application_is_a_process_with_a_thread_for_each_device(syntax: str) -> None:
    tree = {"version": 1.0, "apps": {
        "one": {"devices": {"a": device(), "b": device(frontend={"bind": "tcp://*:5003"},
                                                       backend={"bind": "tcp://*:5004"})}},
        "two": {"devices": {"c": device(frontend={"bind": "tcp://*:5005"}, backend={"bind": "tcp://*:5006"})}}}}
    assert {d.name: d.run.text for d in topology(tree, syntax).devices.values()} == {
        "a": "process/one", "b": "process/one", "c": "process/two"}


def test_inproc_works_between_the_devices_of_an_application(syntax: str) -> None:
    tree = file(a=device("zmq_streamer", backend={"bind": "inproc://ab"}),
                b=device("zmq_streamer", {"bind": [], "connect": "inproc://ab"}))
    assert len(topology(tree, syntax).devices) == 2


def test_device_names_are_unique_in_their_application_only(syntax: str) -> None:
    tree = {"version": 1.0, "apps": {
        "x": {"devices": {"main": device()}},
        "y": {"devices": {"main": device(frontend={"bind": "tcp://*:5003"}, backend={"bind": "tcp://*:5004"})}}}}
    assert list(topology(tree, syntax).devices) == ["x_main", "y-main"]     # a key with x- would be ignored


@pytest.mark.parametrize(("context", "threads"), [({}, 1), ({"iothreads": 1}, 1), ({"iothreads": 4}, 4)])
def test_iothreads(context: Tree, threads: int, syntax: str) -> None:
    tree = {"version": 1.0, "apps": {"app": {"context": context, "devices": {"a": device()}}}}
    assert topology(tree, syntax).context.io_threads == threads


@pytest.mark.parametrize(("verbose", "noted"), [(True, True), (False, False)])
def test_verbose(verbose: bool, noted: bool, syntax: str) -> None:
    tree = {"version": 1.0, "apps": {"app": {"context": {"verbose": verbose}, "devices": {"a": device()}}}}
    assert any("verbose is left out" in note.text for note in converted(tree, syntax).notes) is noted


# -- devices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "types"), [
    ("zmq_queue", ("ROUTER", "DEALER")), ("zmq_forwarder", ("SUB", "PUB")), ("zmq_streamer", ("PULL", "PUSH")),
    ("queue", ("ROUTER", "DEALER")), ("ZMQ_QUEUE", ("ROUTER", "DEALER")),
])
def test_built_in_types_and_the_types_of_their_sockets(kind: str, types: tuple[str, str], syntax: str) -> None:
    one = only(file(a=device(kind)), syntax)
    assert one.type == kind.lower().removeprefix("zmq_")
    assert (one.in_.type, one.out.type) == types


def test_a_forwarder_subscribes_to_everything_so_that_it_forwards(syntax: str) -> None:
    tree = file(a=device("zmq_forwarder"))
    assert 'subscribe: ""' in converted(tree, syntax).text
    assert options_of(only(tree, syntax)) == {"subscribe": ("",)}


def test_types_with_z_are_reserved(syntax: str) -> None:
    with pytest.raises(ConvertError, match="no built-in device 'zmq_proxy'"):
        converted(file(a=device("zmq_proxy")), syntax)


@pytest.mark.parametrize("kind", [{}, {"type": "resizer"}])
def test_a_device_of_the_applications_own_is_peers(kind: Tree, syntax: str) -> None:
    tree = file(own={**kind, "sockets": {
        "jobs": {"type": "pull", "connect": "tcp://h:1"}, "any name": {"type": "PUB", "bind": "tcp://*:5005"}}})
    if syntax != "zdcf":    # ZPL and XML have no blanks in names
        tree["apps"]["app"]["devices"]["own"]["sockets"]["any-name"] = \
            tree["apps"]["app"]["devices"]["own"]["sockets"].pop("any name")
    told = topology(tree, syntax)
    assert told.devices == {}
    assert {name: (peer.type, [a.text for a in (*peer.bind, *peer.connect)]) for name, peer in told.peers.items()} == {
        "own-jobs": ("PULL", ["tcp://h:1"]), "own-any-name": ("PUB", ["tcp://*:5005"])}
    assert all(isinstance(peer, Peer) for peer in told.peers.values())


def test_a_device_without_sockets(syntax: str) -> None:
    tree = file(a=device(), idle={"type": "idle"})
    assert list(topology(tree, syntax).devices) == ["a"]
    assert [note.text for note in converted(tree, syntax).notes if "idle" in note.text] == [
        "the device 'idle' is left out: it has the type 'idle' of its own and no sockets"]


# -- sockets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "front", "back", "types"), [
    ("zmq_queue", "xrep", "xreq", "ROUTER/DEALER"), ("zmq_queue", "ROUTER", "dealer", "ROUTER/DEALER"),
    ("zmq_queue", "rep", "req", "ROUTER/DEALER"), ("zmq_queue", "pair", "PAIR", "PAIR/PAIR"),
    ("zmq_queue", "xreq", "xreq", "DEALER/DEALER"),
    ("zmq_forwarder", "sub", "pub", "SUB/PUB"), ("zmq_forwarder", "XSUB", "XPUB", "XSUB/XPUB"),
    ("zmq_streamer", "pull", "push", "PULL/PUSH"), ("zmq_streamer", "SUB", "PUSH", "SUB/PUSH"),
    ("zmq_streamer", "pull", "pub", "PULL/PUB"),
])
def test_socket_types_in_upper_and_lower_case(kind: str, front: str, back: str, types: str, syntax: str) -> None:
    one = only(file(a=device(kind, {"type": front}, {"type": back})), syntax)
    assert f"{one.in_.type}/{one.out.type}" == types


@pytest.mark.parametrize("kind", ["sub", "pub", "req", "rep", "dealer", "router", "push", "pull", "pair"])
def test_every_socket_type_of_the_format(kind: str, syntax: str) -> None:
    tree = file(own={"sockets": {"s": {"type": kind, "connect": "tcp://h:1"}}})
    assert topology(tree, syntax).peers["own"].type == kind.upper()


@pytest.mark.parametrize(("bind", "connect"), [
    ("tcp://*:5005", []), ([], "tcp://h:1"), (["tcp://*:5005", "inproc://device"], ["tcp://h:1", "tcp://h:2"]),
    ("ipc:///run/x", "epgm://eth0;239.192.1.1:5555"),
])
def test_bind_and_connect(bind: Any, connect: Any, syntax: str) -> None:
    socket = only(file(a=device("zmq_forwarder", {"bind": bind, "connect": connect})), syntax).in_
    assert [address.text for address in socket.bind] == ([bind] if isinstance(bind, str) else bind)
    assert [address.text for address in socket.connect] == ([connect] if isinstance(connect, str) else connect)


# -- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "value", "options", "note"), [
    ("hwm", 1000, {"sndhwm": 1000, "rcvhwm": 1000}, ""),
    ("hwm", 0, {"sndhwm": 0, "rcvhwm": 0}, ""),
    ("swap", 25000000, {}, "swap: 25000000 is left out"),
    ("swap", 0, {}, ""),
    ("affinity", 3, {"affinity": 3}, ""),
    ("identity", "gate", {"routing_id": "gate"}, "identity is called routing_id now"),
    ("identity", "0", {"routing_id": "0"}, "identity is called routing_id now"),
    ("rate", 1000, {"rate": 1000}, ""),
    ("recovery_ivl", 10, {"recovery_ivl": 10000}, "10 became 10s"),
    ("mcast_loop", False, {"multicast_loop": False}, "mcast_loop is called multicast_loop now"),
    ("mcast_loop", True, {}, "mcast_loop: "),
    ("sndbuf", 65536, {"sndbuf": 65536}, ""),
    ("sndbuf", 0, {}, "sndbuf: 0 is left out"),
    ("rcvbuf", 65536, {"rcvbuf": 65536}, ""),
    ("subscribe", "x", {}, "subscribe: x is left out: a ROUTER socket does not subscribe"),
    ("linger", 0, {"linger": 0}, ""), ("linger", -1, {"linger": -1}, ""),
    ("reconnect_ivl", 100, {"reconnect_ivl": 100}, ""),
    ("reconnect_ivl_max", 1000, {"reconnect_ivl_max": 1000}, ""),
    ("backlog", 7, {"backlog": 7}, ""),
])
def test_options(option: str, value: object, options: dict[str, object], note: str, syntax: str) -> None:
    tree = file(a=device(frontend={"option": {option: value}}))
    assert options_of(only(tree, syntax)) == options
    notes = [n.text for n in converted(tree, syntax).notes if not n.text.startswith("where no hwm is set")]
    assert len(notes) == bool(note)
    assert note in "".join(notes)


@pytest.mark.parametrize(("value", "topics"), [
    ("10001", ("10001",)), (["10001", "10002"], ("10001", "10002")),
    ("$5 {a}, [b] # no: 'x'", ("$5 {a}, [b] # no: 'x'",)),
])
def test_subscribe(value: object, topics: tuple[str, ...], syntax: str) -> None:
    tree = file(a=device("zmq_forwarder", {"option": {"subscribe": value}}))
    assert options_of(only(tree, syntax)) == {"subscribe": topics}


@pytest.mark.parametrize("text", [
    "\0", "\x1b[31m", "\x7f\x85\u2028\ufeff", "🦓", "on", "0x1f", "~", '"\\', " a ", "${HOME}",
])
def test_any_text_in_json_is_the_same_text_afterwards(text: str) -> None:
    tree = file(a=device("zmq_forwarder", {"option": {"subscribe": text}}))
    assert options_of(only(tree, "zdcf")) == {"subscribe": (text,)}


def test_identity_of_a_socket_that_cannot_use_it(syntax: str) -> None:
    tree = file(a=device("zmq_streamer", {"option": {"identity": "me"}}))
    assert options_of(only(tree, syntax)) == {}
    notes = [note.text for note in converted(tree, syntax).notes]
    assert any(note.startswith("identity: me is left out: a PULL socket") for note in notes)


def test_no_hwm_is_said_once(syntax: str) -> None:
    def notes(*options: Tree) -> int:
        front, back = ({"option": each} for each in options)
        told = converted(file(a=device("zmq_queue", front, back)), syntax).notes
        return sum(note.text.startswith("where no hwm is set") for note in told)

    assert [notes({}, {}), notes({"hwm": 5}, {}), notes({"hwm": 5}, {"hwm": 6})] == [1, 1, 0]


# -- the first edition, RFC 5 ---------------------------------------------------------------------------------------


def test_the_first_edition_is_one_process_without_a_name(syntax: str) -> None:
    ends = device("zmq_streamer")
    told = topology({"context": {"iothreads": 2}, "a": {"type": ends["type"], **ends["sockets"]}}, syntax)
    assert told.context.io_threads == 2
    assert (told.devices["a"].type, told.devices["a"].run.text) == ("streamer", "thread")
