"""How a running topology becomes another one, and what is left when that fails."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Topology
from zmqtopo.supervisor.commands import Command, CommandError, Verb
from zmqtopo.supervisor.device_state import ANSWER_TIMEOUT, START_TIMEOUT, DeviceState
from zmqtopo.supervisor.reload import Reload, ReloadError
from zmqtopo.supervisor.reload.plan import Plan
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.supervisor import Supervisor
from zmqtopo.supervisor.workers.inbox import WorkerEnded
from zmqtopo.supervisor.workers.pool import KILL_AFTER
from zmqtopo.worker.protocol import (
    Adapt,
    Adapted,
    Bind,
    Connect,
    End,
    Failed,
    Reconnect,
    Stop,
    Stopped,
    Unsent,
)

from .histories import World

A, B, C = (f"{name}: {{type: streamer, in: {{bind: tcp://*:{port}}}, out: {{bind: tcp://*:{port + 1}}}}}"
           for name, port in (("a", 5000), ("b", 5002), ("c", 5004)))
B2 = B.replace("5003}", "5003, options: {sndhwm: 7}}")


def file(*devices: str, head: str = "") -> Topology:
    body = "".join(f"  {device}\n" for device in devices)
    checked = examine_text(f"{head}devices:{chr(10) + body if body else ' {}'}", "it.yaml")
    assert not checked.has_errors, checked.problems
    assert checked.topology is not None
    return checked.topology


class Operator:
    """Has a started topology reloaded at given times."""

    def __init__(self, world: World, running: Topology) -> None:
        self.world = world
        self.supervisor: Supervisor = world.supervisor(running)
        self.supervisor.start()
        world.log.clear()
        world.orders.clear()
        world.told.clear()
        self.plans: list[Plan] = []
        self.answered: dict[int, float] = {}
        self.orders: list[tuple[str, str]] = []

    def at(self, seconds: float, topology: Topology, *, dry_run: bool = False) -> Reload:
        reload = Reload(topology, dry_run, self.plans.append)
        self._ask(seconds, reload)
        return reload

    def command(self, seconds: float, verb: Verb, *devices: str) -> Command:
        command = Command(verb, devices)
        self._ask(seconds, command)
        return command

    def _ask(self, seconds: float, question: Reload | Command) -> None:
        number = id(question)
        question.reply.add_done_callback(lambda _: self.answered.__setitem__(number, self.world.now - 1000))
        self.world.after(seconds, lambda: self.supervisor.ask(question))

    def when(self, question: Reload | Command) -> float:
        return self.answered[id(question)]

    def look(self, seconds: float) -> dict[str, str]:
        """The states at that time, once it has come."""
        seen: dict[str, str] = {}
        self.world.after(seconds, lambda: seen.update({n: m.state for n, m in self.supervisor.devices.items()}))
        return seen

    def until(self, seconds: float) -> bool:
        """Run until everything ends, which is not among the ``orders``."""
        self.world.after(seconds, lambda: self.orders.extend(self.world.log))
        self.world.after(seconds, StopRequest())
        return self.supervisor.run()


Started = Callable[..., Operator]


@pytest.fixture
def started(world: World) -> Started:
    return lambda *devices, head="": Operator(world, file(*devices, head=head))


# -- what is done ---------------------------------------------------------------------------------------------------


def test_only_what_has_changed_is_touched(world: World, started: Started) -> None:
    operator = started(A, B, C)
    reload = operator.at(1, file("d" + C[1:], A, B2))
    states = operator.look(2)
    operator.until(3)
    assert operator.orders == [
        ("Stop", "b"), ("Stop", "c"), ("Bind", "d"), ("Bind", "b"), ("Connect", "d"), ("Connect", "b"),
    ]
    assert states == dict.fromkeys(("d", "a", "b"), "running")
    assert list(states) == ["d", "a", "b"]      # the order of the file
    assert reload.reply.result(0) is operator.plans[0]
    assert list(operator.plans[0].lines()) == [
        "+ added: d", "= unchanged: a", "~ changed: b.out.options.sndhwm 1000 -> 7 (new sockets)", "- removed: c"]
    assert operator.supervisor.topology == file("d" + C[1:], A, B2)


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_same_topology_changes_nothing(world: World, started: Started, dry_run: bool) -> None:
    operator = started(A, B)
    reload = operator.at(1, file(B, A), dry_run=dry_run)
    operator.until(2)
    assert not reload.reply.result(0)
    assert operator.orders == []
    assert list(operator.supervisor.devices) == (["a", "b"] if dry_run else ["b", "a"])


def test_a_dry_run_only_says_what_it_would_do(world: World, started: Started) -> None:
    operator = started(A, B)
    reload = operator.at(1, file(A, B2, C), dry_run=True)
    operator.until(2)
    assert operator.orders == []
    assert [device.action for device in reload.reply.result(0).devices.values()] == ["unchanged", "replaced", "added"]
    assert operator.supervisor.topology == file(A, B)


def test_peers_and_words_become_those_of_the_new_file(started: Started) -> None:
    operator = started(A)
    new = file(A, head="description: new\npeers: {p: {type: PUSH, connect: a.in}}\n")
    operator.at(1, new)
    operator.until(2)
    assert operator.supervisor.topology == new


def test_a_running_topology_keeps_its_name(started: Started) -> None:
    operator = started(A)
    for seconds in (1, 2):
        operator.at(seconds, file(A, head="name: other\n"))
    operator.until(3)
    assert operator.supervisor.topology.name == "it"
    assert [str(made).splitlines()[0] for made in operator.plans] == 2 * [
        "~ changed: name it -> other (not before the next up)"
    ]


def test_all_are_bound_before_the_first_connects(world: World, started: Started) -> None:
    operator = started(A)
    d = "d: {type: streamer, in: {connect: e.out}, out: {bind: tcp://*:7001}}"
    e = "e: {type: streamer, in: {bind: tcp://*:7002}, out: {bind: 'tcp://127.0.0.1:*'}}"
    reload = operator.at(1, file(A, d, e))
    operator.until(2)
    assert reload.reply.result(0)
    connects = {order.name: order.connects for order in world.orders if isinstance(order, Connect)}
    assert connects["d"] == {"in": ("tcp://127.0.0.1:1234",), "out": ()}
    assert operator.orders == [("Bind", "d"), ("Bind", "e"), ("Connect", "d"), ("Connect", "e")]


def test_a_port_of_the_systems_choice_and_the_counters_stay(world: World, started: Started) -> None:
    system = "s: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: tcp://*:8000}}"
    operator = started(A, system)
    operator.supervisor.devices["s"].block.add_dropped(in_to_out=3, out_to_in=0)
    operator.at(1, file(A, system.replace("8000", "8001").replace("streamer,", "streamer, run: process,")))
    operator.until(2)
    assert [o.binds["in"] for o in world.orders if isinstance(o, Bind)] == [("tcp://127.0.0.1:1234",)]
    assert operator.supervisor.devices["s"].block.read().in_to_out.dropped == 3


def test_what_needs_no_new_sockets_changes_in_place(world: World, started: Started) -> None:
    mon = ("m: {{type: monitored_queue, in: {{type: SUB, bind: tcp://*:8000, options: {{subscribe: {}}}}}, "
           "out: {{type: PUB, bind: tcp://*:8001}}, mon: {{bind: tcp://*:8002, prefix: {{in: {}}}}}, "
           "stop_timeout: {}}}")
    operator = started(A, mon.format("x", "before", "5s"))
    reload = operator.at(1, file(A, mon.format("y", "after", "2s")))
    operator.until(2)
    assert reload.reply.result(0).devices["m"].action == "changed"
    (adapt,) = [order for order in world.orders if isinstance(order, Adapt)]
    assert adapt.settings[:2] == (("in", "subscribe", "y"), ("in", "unsubscribe", "x"))
    assert adapt.settings[2:] == (("in", "linger", 2000), ("out", "linger", 2000), ("mon", "linger", 2000))
    assert adapt.device.mon is not None
    assert adapt.device.mon.prefix_in == b"after"
    assert [order.timeout for order in world.orders if isinstance(order, Stop) and order.name == "m"] == [2]
    assert world.ordered("Bind") == []


def test_what_concerns_nobody_but_the_supervisor_is_not_told_to_workers(world: World, started: Started) -> None:
    operator = started(A)
    operator.at(1, file(A.replace("streamer,", "streamer, restart: never, description: new,")))
    operator.until(2)
    assert operator.orders == []
    assert operator.supervisor.devices["a"].spec.restart.policy == "never"


def test_inproc_peers_of_what_is_replaced_or_gone_are_connected_again(world: World, started: Started) -> None:
    give = "give: {type: streamer, in: {bind: tcp://*:8000}, out: {bind: inproc://x}}"
    take = "take: {type: streamer, in: {connect: inproc://x}, out: {bind: tcp://*:8001}}"
    operator = started(A, give, take)
    operator.at(1, file(A, give.replace("8000", "8002"), take))
    operator.at(2, file(A, give.replace("8000", "8002").replace("give", "new"), take))
    operator.until(3)
    assert [(o.name, o.connects) for o in world.orders if isinstance(o, Reconnect)] == 2 * [
        ("take", {"in": ("inproc://x",)}),
    ]


def test_an_address_that_the_system_has_yet_to_choose_is_connected_to_once_it_has(
    world: World, started: Started
) -> None:
    """Its device was stopped when it was last given one to bind."""
    give = "give: {type: streamer, in: {bind: tcp://*:8000}, out: {bind: ipc:///give}}"
    take = "take: {type: streamer, in: {connect: [give.out, tcp://h:1]}, out: {bind: tcp://*:8001}}"
    operator = started(give, take)
    operator.command(1, "stop", "give")
    reload = operator.at(2, file(give.replace("ipc:///give", "tcp://127.0.0.1:*"), take))
    operator.command(3, "start", "give")
    operator.command(4, "restart", "give")
    operator.until(5)
    assert reload.reply.result(0)
    assert [o.connects["in"] for o in world.orders if isinstance(o, Connect) and o.name == "take"] == [("tcp://h:1",)]
    assert [(o.name, o.connects) for o in world.orders if isinstance(o, Reconnect)] == [
        ("take", {"in": ("tcp://127.0.0.1:1234",), "out": ()}),
    ]


def test_a_process_that_goes_is_waited_for_before_others_take_its_ports(world: World, started: Started) -> None:
    operator = started(A, B.replace("streamer,", "streamer, run: process,"))
    world.answers_to(End, "device b", [])
    world.after(4, WorkerEnded("device b", "end"))
    reload = operator.at(1, file(A, B.replace("b:", "d:")))
    operator.until(5)
    assert operator.when(reload) == 4
    assert operator.orders == [("Stop", "b"), ("End", "device b"), ("Bind", "d"), ("Connect", "d")]


def test_another_context_ends_the_one_of_the_threads(world: World, started: Started) -> None:
    operator = started(A)
    reload = operator.at(1, file(A, head="context: {io_threads: 2}\n"))
    operator.until(2)
    assert reload.reply.result(0)
    assert world.log[:4] == [("Stop", "a"), ("End", ""), ("Bind", "a"), ("Connect", "a")]


def test_what_an_operator_has_stopped_or_paused_stays_so(started: Started) -> None:
    operator = started(A, B, C)
    operator.command(1, "stop", "b")
    operator.command(1, "pause", "c")
    operator.at(2, file(A, B2, C.replace("5005", "5006")))
    states = operator.look(3)
    operator.command(4, "start", "b")
    later = operator.look(5)
    operator.until(6)
    assert states == {"a": "running", "b": "stopped", "c": "paused"}
    assert later == {"a": "running", "b": "running", "c": "paused"}


def test_what_has_failed_for_good_starts_again_when_it_has_changed(world: World, started: Started) -> None:
    never = "streamer, restart: never,"
    operator = started(A, B.replace("streamer,", never), C.replace("streamer,", never))
    world.after(1, Failed("b", "b: broken"))
    world.after(1, Failed("c", "c: broken"))
    operator.at(2, file(A, B2.replace("streamer,", never), C.replace("streamer,", never)))
    states = operator.look(3)
    operator.until(4)
    assert states == {"a": "running", "b": "running", "c": "failed"}


def test_an_empty_topology_waits_for_the_next(world: World, started: Started) -> None:
    operator = started(A)
    emptied, filled = operator.at(1, file()), operator.at(3, file(A))
    assert operator.until(5)
    assert world.now == 1005
    assert emptied.reply.result(0)
    assert filled.reply.result(0)
    assert world.times("a", "running") == [1003]


def test_what_is_left_has_ended_before(world: World, started: Started) -> None:
    """A reload takes away the only device that runs."""
    operator = started(A.replace("5001}", "5001}, restart: never"), B)
    world.after(1, Failed("a", "a: no"))
    reload = operator.at(2, file(A.replace("5001}", "5001}, restart: never")))
    states = operator.look(4)
    assert not operator.until(5)
    assert world.now == 1005
    assert reload.reply.result(0)
    assert states == {"a": "failed"}


def test_what_runs_after_an_empty_one_may_end_everything(world: World, started: Started) -> None:
    operator = started(A)
    operator.at(1, file())
    operator.at(2, file(A.replace("5001}", "5001}, restart: never")))
    world.after(3, Failed("a", "a: no"))
    assert not operator.supervisor.run()
    assert world.now == 1003


def test_late_words_of_what_was_removed_are_nobodys(world: World, started: Started) -> None:
    operator = started(A, B)
    operator.at(1, file(A))
    world.after(2, Unsent("b"))
    assert operator.until(3)


def test_nothing_of_what_was_removed_is_kept(world: World, started: Started) -> None:
    """Its counters have descriptors."""
    operator = started(A, B)
    removed = weakref.ref(operator.supervisor.devices["b"])
    operator.at(1, file(A))
    kept: list[DeviceState | None] = []
    world.after(2, lambda: kept.append(removed()))
    assert operator.until(3)
    assert kept == [None]


# -- the way back ---------------------------------------------------------------------------------------------------


TAKEN = "d.in: cannot bind tcp://*:6000: Address already in use"


def test_a_port_that_is_taken_undoes_all(world: World, started: Started) -> None:
    system = "s: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: tcp://*:8000}}"
    before = file(A, B, system)
    operator = started(A, B, system)
    world.answers_to(Bind, "d", [Failed("d", TAKEN)])
    reload = operator.at(1, file(A, B.replace("type", "description: new, type"), system.replace("8000", "8001"),
                                 "d: {type: streamer, in: {bind: tcp://*:6000}, out: {bind: tcp://*:6001}}"))
    states = operator.look(2)
    operator.until(3)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == [TAKEN]
    assert error.plan is operator.plans[0]
    assert states == {"a": "running", "b": "running", "s": "running"}
    assert operator.supervisor.topology == before
    assert [m.spec for m in operator.supervisor.devices.values()] == list(before.devices.values())
    assert operator.orders == [
        ("Stop", "s"), ("Bind", "s"), ("Bind", "d"),        # bound, and connected to nobody
        ("Stop", "s"), ("Bind", "s"), ("Connect", "s"),
    ]
    assert [o.binds["in"] for o in world.orders if isinstance(o, Bind) and o.device.name == "s"] == 2 * [
        ("tcp://127.0.0.1:1234",)]
    assert operator.supervisor.devices["s"].restarts == 0


def test_one_that_cannot_connect_undoes_all(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Connect, "c", [Failed("c", "c.in: cannot connect x: Invalid argument")])
    reload = operator.at(1, file(A, C))
    states = operator.look(2)
    operator.until(3)
    assert isinstance(reload.reply.exception(0), ReloadError)
    assert states == {"a": "running", "b": "running"}


def test_a_process_that_cannot_be_made_undoes_all(world: World, started: Started) -> None:
    operator = started(A, B)
    world.refused["device d"] = OSError(11, "Resource temporarily unavailable")
    reload = operator.at(1, file(A, B2, "d: {type: queue, run: process, in: {bind: tcp://*:1}, out: {bind: tcp://*:2}}"))
    states = operator.look(2)
    operator.until(3)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == ["d: cannot start: Resource temporarily unavailable"]
    assert states == {"a": "running", "b": "running"}


def test_one_that_ends_while_it_is_changed_undoes_all(world: World, started: Started) -> None:
    sub = "{}: {{type: streamer, in: {{type: SUB, bind: tcp://*:{}, options: {{subscribe: {}}}}}, out: {{bind: tcp://*:{}}}}}"
    old, new = ([A, sub.format("s", 8000, topic, 8001), sub.format("t", 8002, topic, 8003)] for topic in "xy")
    operator = started(*old)
    world.answers_to(Adapt, "t", [Failed("t", "t.in: broken")])
    reload = operator.at(1, file(*new))
    operator.until(3)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == ["t ended while it was changed: t.in: broken"]
    assert operator.supervisor.topology == file(*old)
    assert [(o.name, o.settings[0]) for o in world.orders if isinstance(o, Adapt)] == [
        ("s", ("in", "subscribe", "y")), ("t", ("in", "subscribe", "y")), ("s", ("in", "subscribe", "x")),
    ]
    (again,) = [o for o in world.orders if isinstance(o, Bind)]
    assert again.device == file(*old).devices["t"]


def test_one_that_does_not_answer_does_not_hold_up_a_reload_for_ever(world: World, started: Started) -> None:
    sub = ("s: {{type: streamer, run: process, in: {{type: SUB, bind: tcp://*:8000, options: {{subscribe: {}}}}}, "
           "out: {{bind: tcp://*:8001}}}}")
    operator = started(A, sub.format("x"))
    for order in (Adapt, Stop):
        world.answers_to(order, "s", [])
    reload = operator.at(1, file(A, sub.format("y")))
    restart = operator.command(2, "restart", "a")
    states = operator.look(30)
    operator.until(31)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == ["s ended while it was changed: did not answer within 10 s"]
    assert operator.when(reload) == operator.when(restart) == 1 + ANSWER_TIMEOUT + KILL_AFTER
    assert states == {"a": "running", "s": "running"}


def test_one_that_does_not_start_does_not_hold_up_a_reload_for_ever(world: World, started: Started) -> None:
    operator = started(A)
    before = operator.supervisor.devices["a"]
    new = "s: {type: streamer, run: process, in: {bind: tcp://*:8000}, out: {bind: tcp://*:8001}}"
    world.answers_to(Bind, "s", [])
    reload = operator.at(1, file(A, new))
    states = operator.look(30)
    operator.until(31)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == ["s: did not start within 15 s"]
    assert operator.when(reload) == 1 + START_TIMEOUT
    assert states == {"a": "running"}
    assert operator.supervisor.devices["a"] is before
    assert before.restarts == 0


def test_a_topology_that_cannot_be_planned_is_refused_and_everything_goes_on(
    world: World, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise LookupError("a bug")

    operator = started(A)
    monkeypatch.setattr("zmqtopo.supervisor.reload.plan", fail)
    reload = operator.at(1, file(A))
    states = operator.look(2)
    operator.until(3)
    with pytest.raises(CommandError, match=r"^internal error: LookupError: a bug$"):
        reload.reply.result(0)
    assert states == {"a": "running"}


def test_one_that_answers_late_is_left_alone(world: World, started: Started) -> None:
    sub = ("s: {{type: streamer, in: {{type: SUB, bind: tcp://*:8000, options: {{subscribe: {}}}}}, "
           "out: {{bind: tcp://*:8001}}}}")
    operator = started(sub.format("x"))
    new = file(sub.format("y"))
    world.answers_to(Adapt, "s", [])
    reload = operator.at(1, new)
    world.after(ANSWER_TIMEOUT, Adapted("s", new.devices["s"]))
    operator.until(30)
    assert reload.reply.done()
    assert operator.when(reload) == ANSWER_TIMEOUT
    assert ("Stop", "s") not in operator.orders


def test_what_does_not_come_back_is_told_and_tried_again(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Bind, "d", [Failed("d", TAKEN)])
    world.answers_to(Bind, "b", [Failed("b", "b.in: taken")])
    reload = operator.at(1, file(A, C.replace("c:", "d:")))
    states = operator.look(2)
    operator.until(3)
    error = reload.reply.exception(0)
    assert isinstance(error, ReloadError)
    assert error.failures == [TAKEN, "b.in: taken; b did not come back at once"]
    assert states == {"a": "running", "b": "running"}
    assert operator.supervisor.devices["b"].restarts == 1


def test_what_did_not_run_before_does_not_run_after_it_is_undone(world: World, started: Started) -> None:
    operator = started(A, B, C.replace("streamer,", "streamer, restart: never,"))
    operator.command(1, "stop", "b")
    world.after(1, Failed("c", "c: broken"))
    world.answers_to(Bind, "d", [Failed("d", TAKEN)])
    operator.at(2, file(A, B.replace("b:", "d:"), C.replace("5005", "5006")))
    states = operator.look(3)
    operator.until(4)
    assert states == {"a": "running", "b": "stopped", "c": "failed"}


def test_the_first_that_is_undone_does_not_spoil_the_second(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Bind, "d", [Failed("d", TAKEN)])
    d = C.replace("c:", "d:")
    first, second = operator.at(1, file(A, d)), operator.at(2, file(A, d))
    states = operator.look(3)
    operator.until(4)
    assert first.reply.exception(0) is not None
    assert second.reply.exception(0) is None
    assert states == {"a": "running", "d": "running"}


# -- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_with_another_content_is_a_change(world: World, started: Started, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("one")
    secret = A.replace("5001}", f"5001, options: {{plain_username: u, plain_password: {{file: {path}}}}}}}")
    operator = started(secret)
    same = operator.at(1, file(secret))
    world.after(2, lambda: path.write_text("two"))
    other = operator.at(3, file(secret))
    again = operator.at(4, file(secret))
    world.after(5, path.unlink)
    gone = operator.at(6, file(secret))
    states = operator.look(7)
    operator.until(8)
    assert [bool(reload.reply.result(0)) for reload in (same, other, again)] == [False, True, False]
    with pytest.raises(CommandError, match=r"^cannot read .*password: No such file or directory$"):
        gone.reply.result(0)
    assert states == {"a": "running"}


# -- beside other things --------------------------------------------------------------------------------------------


def test_two_at_once_come_one_after_the_other(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Stop, "b", [])
    world.after(4, Stopped("b"))
    first, second = operator.at(1, file(A, C)), operator.at(2, file(A, B))
    pause = operator.command(3, "pause", "b")
    states = operator.look(5)
    operator.until(6)
    assert (operator.when(first), operator.when(second), operator.when(pause)) == (4, 4, 4)
    assert [made.devices["b"].action for made in operator.plans] == ["removed", "added"]
    assert states == {"a": "running", "b": "paused"}


def test_one_waits_for_the_commands_before_it(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Stop, "b", [])
    world.after(4, Stopped("b"))
    restart = operator.command(1, "restart", "b")
    reload = operator.at(2, file(A, B2))
    operator.until(5)
    assert restart.reply.result(0) == {"b": "running"}
    assert operator.when(reload) == 4
    assert world.ordered("Bind") == ["b", "b"]


@pytest.mark.parametrize("order", [Stop, Bind, Connect])
def test_the_end_of_all_ends_a_reload_and_refuses_the_next(world: World, started: Started, order: type) -> None:
    operator = started(A, B)
    world.answers_to(order, "b", [])
    first, second = operator.at(1, file(A, B2)), operator.at(1.5, file(A))
    operator.until(2)
    after = Reload(file(A))
    operator.supervisor.ask(after)
    for reload, words in ((first, "is stopping"), (second, "is stopping"), (after, "has ended")):
        with pytest.raises(CommandError, match=rf"^it {words}$"):
            reload.reply.result(0)
    assert world.times("a", "stopped") == [1002]


def test_a_device_that_dies_meanwhile_is_restarted_as_ever(world: World, started: Started) -> None:
    operator = started(A, B)
    world.answers_to(Stop, "b", [])
    world.after(2, Failed("a", "a: broken"))
    world.after(4, Stopped("b"))
    reload = operator.at(1, file(A, B2))
    states = operator.look(3)
    operator.until(5)
    assert reload.reply.result(0)
    assert states == {"a": "running", "b": "stopping"}
