"""What a reload will do, and that doing it, or half of it and then the undo, leads where it should."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Device, Topology
from zmqtopo.supervisor.reload.plan import LIVE_OPTIONS, Plan, Step, kept_addresses, option_files, plan

COLLECT = "collect: {type: streamer, in: {bind: tcp://*:1}, out: {connect: watch.in}}"
WATCH = "watch: {type: streamer, in: {bind: inproc://watched}, out: {connect: deliver.in}}"
DELIVER = "deliver: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: tcp://*:3}}"
PIPELINE = [COLLECT, WATCH, DELIVER]


def topology(devices: list[str], head: str = "") -> Topology:
    body = "".join(f"  {device}\n" for device in devices)
    checked = examine_text(f"{head}devices:{body and chr(10)}{body or ' {}'}", "t.yaml")
    assert not checked.has_errors, checked.problems
    assert checked.topology is not None
    return checked.topology


def streamer(in_: str = "", out: str = "", more: str = "") -> str:
    """A streamer ``s`` with fixed addresses."""
    return f"s: {{type: streamer, in: {{bind: tcp://*:1{in_}}}, out: {{bind: tcp://*:2{out}}}{more}}}"


def options(text: str) -> str:
    return f", options: {{{text}}}"


def monitored(mon: str, type_: str = "PUB") -> str:
    return (f"m: {{type: monitored_queue, in: {{bind: tcp://*:1}}, out: {{bind: tcp://*:2}}, "
            f"mon: {{type: {type_}, bind: tcp://*:3{mon}}}}}")


@pytest.mark.parametrize(("old", "new", "lines"), [
    # what is no change
    (PIPELINE, PIPELINE, ["= unchanged: collect", "= unchanged: watch", "= unchanged: deliver"]),
    ([COLLECT, WATCH, DELIVER], [DELIVER, COLLECT, WATCH],
     ["= unchanged: deliver", "= unchanged: collect", "= unchanged: watch"]),
    ([streamer()], [streamer(options("rcvhwm: 1000, sndbuf: -1"), options("immediate: false"))], ["= unchanged: s"]),
    ([streamer(options("hwm: 5"))], [streamer(options("sndhwm: 5, rcvhwm: 5"))], ["= unchanged: s"]),
    ([], [], []),
    # what comes and goes
    ([], [streamer()], ["+ added: s"]),
    ([streamer()], [], ["- removed: s"]),
    ([streamer(), "x: {type: streamer, in: {bind: tcp://*:8}, out: {bind: tcp://*:9}}"],
     [streamer().replace("s:", "a:", 1), "x: {type: streamer, in: {bind: tcp://*:8}, out: {bind: tcp://*:9}}"],
     ["+ added: a", "= unchanged: x", "- removed: s"]),
    # what changes in place
    ([streamer(out=options("linger: 2s"))], [streamer(out=options("linger: 1500ms"))],
     ["~ changed: s.out.options.linger 2s -> 1500ms"]),
    ([streamer(more=", description: old")], [streamer(more=", description: \"costs 5$$\\n\"")],
     ["~ changed: s.description old -> costs 5$\\n"]),
    ([streamer()], [streamer(more=", restart: {policy: always, max_retries: 3}, graph: {color: red}")],
     ["~ changed: s.restart.policy on-failure -> always", "~ changed: s.restart.max_retries not set -> 3",
      "~ changed: s.graph.color not set -> red"]),
    ([monitored(", prefix: {in: a}")], [monitored(", prefix: {in: !!binary /w==}")],
     ["~ changed: m.mon.prefix.in a -> \\xff"]),
    ([monitored("")], [monitored(", prefix: null")],
     ["~ changed: m.mon.prefix.in in -> not set", "~ changed: m.mon.prefix.out out -> not set"]),
    ([monitored(", overflow: block", "PUSH")], [monitored(", overflow: drop", "PUSH")],
     ["~ changed: m.mon.overflow block -> drop"]),
    (["f: {type: forwarder, in: {type: SUB, bind: tcp://*:1, options: {subscribe: [a, b]}}, "
      "out: {type: PUB, bind: tcp://*:2}}"],
     ["f: {type: forwarder, in: {type: SUB, bind: tcp://*:1, options: {subscribe: [b, c]}}, "
      "out: {type: PUB, bind: tcp://*:2}}"], ["~ changed: f.in.options.subscribe a, b -> b, c"]),
    # what needs new sockets
    (["f: {type: forwarder, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}"],
     ["f: {type: forwarder, in: {bind: tcp://*:1, options: {sndhwm: 1000}}, out: {bind: tcp://*:2}}"],
     ["~ changed: f.in.options.sndhwm 1000000 -> 1000 (new sockets)"]),
    ([streamer(options("rcvhwm: 1000"))], [streamer(options("rcvhwm: 5000"))],
     ["~ changed: s.in.options.rcvhwm 1000 -> 5000 (new sockets)"]),
    ([streamer()], [streamer(options("rcvhwm: 5000"))], ["~ changed: s.in.options.rcvhwm 1000 -> 5000 (new sockets)"]),
    ([streamer(options("rcvhwm: 5000"))], [streamer()], ["~ changed: s.in.options.rcvhwm 5000 -> 1000 (new sockets)"]),
    ([streamer()], [streamer(", connect: tcp://a:1")], ["~ changed: s.in.connect not set -> tcp://a:1 (new sockets)"]),
    ([streamer()], [streamer().replace("*:2", "*:5")], ["~ changed: s.out.bind tcp://*:2 -> tcp://*:5 (new sockets)"]),
    ([streamer()], [streamer(options("sndbuf: 1MiB"), more=", description: it")],
     ["~ changed: s.description not set -> it", "~ changed: s.in.options.sndbuf -1 -> 1048576 (new sockets)"]),
    ([streamer()], [streamer(more=", run: process/g")], ["~ changed: s.run thread -> process/g (new sockets)"]),
    ([streamer()], [streamer(", type: SUB", ", type: PUSH")],
     ["~ changed: s.in.type PULL -> SUB (new sockets)", "~ changed: s.in.options.subscribe not set -> ''"]),
    ([streamer(options("plain_username: u, plain_password: one"))],
     [streamer(options("plain_username: u, plain_password: two"))],
     ["~ changed: s.in.options.plain_password: it is another secret (new sockets)"]),
    ([streamer(options("plain_username: u, plain_password: {file: /p}"))],
     [streamer(options("plain_username: u, plain_password: two"))],
     ["~ changed: s.in.options.plain_password the file /p -> a secret (new sockets)"]),
    # what follows for others: inproc does not reconnect, and an address of the system's choice stays
    (PIPELINE, [COLLECT, WATCH.replace("inproc://watched", "inproc://seen"), DELIVER],
     ["~ changed: collect.out.connect inproc://watched -> inproc://seen (new sockets)",
      "~ changed: watch.in.bind inproc://watched -> inproc://seen (new sockets)", "= unchanged: deliver"]),
    (PIPELINE, [COLLECT, WATCH.replace("deliver.in}", "deliver.in, options: {sndbuf: 5}}"), DELIVER],
     ["~ changed: collect.out.connect: watch, which binds inproc://watched, is replaced",
      "~ changed: watch.out.options.sndbuf -1 -> 5 (new sockets)", "= unchanged: deliver"]),
    (PIPELINE, [COLLECT, WATCH, DELIVER.replace("*:3", "*:4")],
     ["= unchanged: collect", "= unchanged: watch",
      "~ changed: deliver.out.bind tcp://*:3 -> tcp://*:4 (new sockets)"]),
    (PIPELINE, [COLLECT, WATCH, DELIVER.replace("127.0.0.1", "127.0.0.2")],
     ["~ changed: collect.out.connect: watch, which binds inproc://watched, is replaced",
      "~ changed: watch.out.connect: deliver.in is bound elsewhere (new sockets)",
      "~ changed: deliver.in.bind tcp://127.0.0.1:* -> tcp://127.0.0.2:* (new sockets)"]),
    (PIPELINE, [COLLECT.replace("watch.in", "inproc://watched"), WATCH, DELIVER],
     ["= unchanged: collect", "= unchanged: watch", "= unchanged: deliver"]),
    ([COLLECT.replace("watch.in", "inproc://watched"), WATCH, DELIVER],
     [COLLECT.replace("watch.in", "inproc://watched"), WATCH.replace("watch:", "look:"), DELIVER],
     ["~ changed: collect.out.connect: watch, which binds inproc://watched, is removed",
      "+ added: look", "= unchanged: deliver", "- removed: watch"]),
])
def test_what_it_says(old: list[str], new: list[str], lines: list[str]) -> None:
    made = plan(topology(old), topology(new))
    assert list(made.lines()) == lines
    assert bool(made) == any(not line.startswith("=") for line in lines)


@pytest.mark.parametrize(("old", "new", "first", "action"), [
    ("", "description: new\n", "~ changed: description not set -> new", "unchanged"),
    ("name: one\n", "name: other\n", "~ changed: name one -> other (not before the next up)", "unchanged"),
    ("", "context: {io_threads: 3}\n", "~ changed: context.io_threads 1 -> 3", "replaced"),
    ("context: {max_sockets: 9}\n", "", "~ changed: context.max_sockets 9 -> not set", "replaced"),
])
def test_changes_of_the_topology_itself(old: str, new: str, first: str, action: str) -> None:
    made = plan(topology([streamer()], old), topology([streamer()], new))
    assert next(made.lines()) == first
    assert made.devices["s"].action == action
    assert made


def test_json() -> None:
    new = [streamer(options("rcvhwm: 5000")), "x: {type: queue, in: {bind: tcp://*:8}, out: {bind: tcp://*:9}}"]
    assert json.loads(json.dumps(plan(topology([streamer()]), topology(new)).plain())) == {
        "topology": "t",
        "changes": [],
        "devices": [
            {"name": "s", "action": "replaced", "changes": [{"path": "in.options.rcvhwm", "old": 1000, "new": 5000}]},
            {"name": "x", "action": "added", "changes": []},
        ],
    }


def test_no_secret_is_told() -> None:
    old = topology([streamer(options("plain_username: u, plain_password: hunter2"))])
    for new in (topology([]), topology([streamer()]), topology([streamer(options("plain_password: swordfish"))])):
        made = plan(old, new)
        for text in (str(made), json.dumps(made.plain()), str(made.reversed())):
            assert "hunter2" not in text
            assert "swordfish" not in text


def test_a_file_with_another_secret() -> None:
    secret = options("plain_username: u, plain_password: {file: /run/password}")
    same = topology([streamer(secret), "x: {type: queue, in: {bind: tcp://*:8}, out: {bind: tcp://*:9}}"])
    assert option_files(same) == ("/run/password",)
    assert not plan(same, same, ["/etc/other"])
    assert list(plan(same, same, ["/run/password"]).lines()) == [
        "~ changed: s.in.options.plain_password: the file /run/password has changed (new sockets)", "= unchanged: x"]


# -- carrying it out -------------------------------------------------------------------------------------------------

BEFORE = [COLLECT, WATCH, DELIVER, "gone: {type: queue, run: process/g, in: {bind: tcp://*:5}, out: {bind: tcp://*:6}}",
          "same: {type: queue, run: process, in: {bind: tcp://*:7}, out: {bind: tcp://*:8}}"]
AFTER = ["fresh: {type: queue, run: process/h, in: {bind: tcp://*:5}, out: {bind: tcp://*:6}}",
         WATCH.replace("deliver.in}", "deliver.in, options: {sndbuf: 5}}"), COLLECT,
         DELIVER.replace("*:3}", "*:3, options: {linger: 5}}"),
         "same: {type: queue, run: process, in: {bind: tcp://*:7}, out: {bind: tcp://*:8}}"]


class Machine:
    """What runs, without sockets: devices by name, and the processes that they are in."""

    def __init__(self, running: Topology) -> None:
        self.devices: dict[str, Device] = dict(running.devices)
        self.processes = {device.process for device in running.devices.values()}

    def do(self, step: Step, made: Plan, *, only: int | None = None) -> None:
        """Carry out a step, or only for its first devices."""
        for name in step.devices[:only]:
            device = made.devices[name].new
            if step.do == "stop":
                self.devices.pop(name, None)
            else:
                assert device is not None
                assert step.do == "start" or name in self.devices
                assert step.do == "change" or self.devices.get(name) in (None, device)
                self.devices[name] = device
                self.processes.add(device.process)
        if step.do == "stop":
            assert not {device.process for device in self.devices.values()} & set(step.processes)
            self.processes -= set(step.processes)


@pytest.mark.parametrize(("old", "new"), [
    (BEFORE, AFTER), (AFTER, BEFORE), ([], AFTER), (AFTER, []), (BEFORE, BEFORE), (BEFORE, PIPELINE),
])
def test_steps_and_their_undo(old: list[str], new: list[str]) -> None:
    before, after = topology(old), topology(new)
    made = plan(before, after)
    machine = Machine(before)
    for step in made.steps:
        machine.do(step, made)
    assert machine.devices == dict(after.devices)
    assert machine.processes | {""} == {device.process for device in after.devices.values()} | {""}

    back = made.reversed()
    for fails, step in enumerate(made.steps):
        for done in range(len(step.devices) + 1):
            machine = Machine(before)
            for earlier in made.steps[:fails]:
                machine.do(earlier, made)
            machine.do(Step(step.do, step.devices), made, only=done)
            for undo in made.undo(step):
                machine.do(undo, back)
            assert machine.devices == dict(before.devices)


def test_the_steps_of_an_example() -> None:
    made = plan(topology(BEFORE), topology(AFTER))
    assert made.steps == (
        Step("stop", ("watch", "gone"), ("group g",)),      # others stay in the process of watch
        Step("change", ("collect", "deliver")),
        Step("start", ("fresh", "watch")),
    )
    assert made.devices["collect"].needs == {"connections"}


def test_a_new_context_ends_every_process() -> None:
    made = plan(topology(BEFORE), topology(BEFORE, "context: {io_threads: 2}\n"))
    assert [step.do for step in made.steps] == ["stop", "start"]
    assert set(made.steps[0].processes) == {"", "group g", "device same"}


# -- addresses that the system has chosen ----------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "bound", "new", "expected"), [
    ("[tcp://127.0.0.1:*]", ["tcp://127.0.0.1:7777"], "[tcp://127.0.0.1:*]", ["tcp://127.0.0.1:7777"]),
    ("[tcp://*:*]", ["tcp://0.0.0.0:7777"], "[tcp://*:*]", ["tcp://0.0.0.0:7777"]),
    ("[tcp://127.0.0.1:*]", ["tcp://127.0.0.1:7777"], "[tcp://127.0.0.2:*]", ["tcp://127.0.0.2:*"]),
    ("[tcp://127.0.0.1:*, tcp://127.0.0.1:*]", ["tcp://127.0.0.1:7", "tcp://127.0.0.1:8"],
     "[tcp://127.0.0.1:*, tcp://127.0.0.1:*, tcp://127.0.0.1:*]",
     ["tcp://127.0.0.1:7", "tcp://127.0.0.1:8", "tcp://127.0.0.1:*"]),
    ("[tcp://*:5, 'ipc://*']", ["tcp://0.0.0.0:5", "ipc:///tmp/x"], "['ipc://*', tcp://*:5]",
     ["ipc:///tmp/x", "tcp://*:5"]),
    ("[tcp://127.0.0.1:*]", [], "[tcp://127.0.0.1:*]", ["tcp://127.0.0.1:*"]),
])
def test_a_port_of_the_systems_choice_stays(old: str, bound: list[str], new: str, expected: list[str]) -> None:
    before, after = (topology([f"s: {{type: streamer, in: {{bind: {bind}}}, out: {{bind: tcp://*:99}}}}"])
                     .devices["s"].in_ for bind in (old, new))
    assert kept_addresses(after, before, tuple(bound)) == tuple(expected)


# -- options that libzmq applies to a socket that is bound -----------------------------------------------------------


def forwarder(more: str, out: str = "") -> str:
    return (f"f: {{type: forwarder, in: {{type: SUB, bind: tcp://*:1{more}}}, "
            f"out: {{type: PUB, bind: tcp://*:2{out}}}}}")


@pytest.mark.parametrize(("old", "new", "settings"), [
    (forwarder(""), forwarder(options("subscribe: [a, b]")),
     [("in", "subscribe", "a"), ("in", "subscribe", "b"), ("in", "unsubscribe", "")]),
    (forwarder(options("subscribe: [a, a, b]")), forwarder(options("subscribe: [a, b], unsubscribe: b")),
     [("in", "unsubscribe", "a"), ("in", "unsubscribe", "b")]),
    (forwarder("", options("linger: 1s")), forwarder(""),
     [("out", "linger", 5000)]),
    (forwarder(""), forwarder("") + "\n", []),
    (monitored(", prefix: {in: a}"), monitored(options("linger: 0")), [("mon", "linger", 0)]),
])
def test_settings(old: str, new: str, settings: list[Any]) -> None:
    name = old[0]
    made = plan(topology([old]), topology([new])).devices[name]
    assert made.action == ("changed" if settings else "unchanged")
    assert list(made.settings()) == settings


def test_a_bound_socket_takes_them(net: Any) -> None:
    """Each option that is called live has its effect although the socket is bound."""
    router, address = net.end(zmq.ROUTER, "inproc")
    dealer = net.socket(zmq.DEALER, connect=address)
    router.send_multipart([b"nobody", b""])
    router.router_mandatory = 1
    with pytest.raises(zmq.ZMQError, match="Host unreachable"):
        router.send_multipart([b"nobody", b""], zmq.DONTWAIT)

    router.router_handover = 1
    for peer in (net.socket(zmq.DEALER), net.socket(zmq.DEALER)):
        peer.routing_id = b"same"
        peer.connect(address)
        peer.send(b"hello")
        assert net.receive(router) == [b"same", b"hello"]
    router.send_multipart([b"same", b"to the second"])
    assert net.receive(peer) == [b"to the second"]

    router.probe_router = 1
    dealer = net.socket(zmq.DEALER, connect=address)
    router.poll(0)      # an inproc socket takes connections when it is used
    assert net.receive(dealer) == [b""]

    pub, address = net.end(zmq.XPUB, "inproc")
    sub = net.socket(zmq.SUB, connect=address)
    sub.subscribe(b"a")
    assert net.receive(pub) == [b"\1a"]
    sub.subscribe(b"b")
    sub.unsubscribe(b"a")
    assert net.receive_all(pub, 2) == [[b"\1b"], [b"\0a"]]

    # LINGER is only looked at when the socket closes.
    assert {"linger", "probe_router", "router_handover", "router_mandatory", "subscribe", "unsubscribe"} == LIVE_OPTIONS
