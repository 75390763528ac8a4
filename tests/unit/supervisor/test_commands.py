"""What an operator's commands do to the devices, and when they are answered."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.commands import Command, CommandError, Look, UnknownDeviceError, Verb
from zmqtopo.supervisor.device_state import ANSWER_TIMEOUT
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.supervisor import Supervisor
from zmqtopo.supervisor.timers import Timer
from zmqtopo.supervisor.workers.inbox import WorkerEnded
from zmqtopo.supervisor.workers.pool import KILL_AFTER
from zmqtopo.worker.protocol import (
    Bind,
    Connect,
    End,
    Failed,
    Pause,
    Paused,
    Ready,
    Reconnect,
    Resume,
    Stop,
    Stopped,
)

from .histories import World, topology


class Operator:
    """Gives commands at given times; ``done`` says when each was answered."""

    def __init__(self, world: World, supervisor: Supervisor) -> None:
        self.world = world
        self.supervisor = supervisor
        self.answered: dict[int, float] = {}

    def at(self, seconds: float, verb: Verb, *devices: str) -> Command:
        command = Command(verb, devices)
        number = id(command)
        command.reply.add_done_callback(lambda _: self.answered.__setitem__(number, self.world.now - 1000))
        self.world.after(seconds, lambda: self.supervisor.ask(command))
        return command

    def when(self, command: Command) -> float:
        return self.answered[id(command)]

    def until(self, seconds: float) -> bool:
        self.world.after(seconds, StopRequest())
        return self.supervisor.run()


def started(world: World, *names: str, **settings: Any) -> Operator:
    supervisor = world.supervisor(topology(*names, **settings))
    supervisor.start()
    world.log.clear()
    return Operator(world, supervisor)


STATES = {"stop": "stopped", "start": "running", "restart": "running", "pause": "paused", "resume": "running"}


@pytest.mark.parametrize(("verb", "state"), STATES.items())
@pytest.mark.parametrize("devices", [(), ("b",), ("c", "a", "c")])
def test_each_brings_the_named_devices_or_all_to_a_state(
    world: World, verb: Verb, state: str, devices: Sequence[str]
) -> None:
    operator = started(world, "a", "b", "c")
    first = operator.at(1, verb, *devices)
    again = operator.at(2, verb, *devices)      # and does nothing to those that have it
    assert operator.until(3)
    expected = dict.fromkeys("abc" if not devices else sorted(set(devices)), state)
    assert first.reply.result() == again.reply.result() == expected
    assert list(first.reply.result()) == sorted(expected)       # the order of the file
    assert (operator.when(first), operator.when(again)) == (1, 2)


def test_the_order_of_a_life(world: World) -> None:
    operator = started(world, "a")
    verbs: tuple[Verb, ...] = ("pause", "resume", "stop", "start", "pause", "restart", "stop")
    commands = [operator.at(1 + number, verb) for number, verb in enumerate(verbs)]
    assert operator.until(20)
    assert [command.reply.result()["a"] for command in commands] == [STATES[verb] for verb in verbs]
    assert [what for what, _ in world.log] == [
        "Pause", "Resume", "Stop", "Bind", "Connect", "Pause", "Stop", "Bind", "Connect", "Stop", "End",
    ]
    assert operator.supervisor.devices["a"].restarts == 0


def test_all_may_be_stopped_and_it_goes_on(world: World) -> None:
    operator = started(world, "a", "b")
    operator.at(1, "stop")
    operator.at(50, "start", "b")
    assert operator.until(100)
    assert world.times("b", "running") == [1000, 1050]
    assert world.times("b", "stopped") == [1001, 1100]


def test_a_stop_is_answered_when_the_last_has_stopped(world: World) -> None:
    operator = started(world, "a", "b")
    world.answers_to(Stop, "b", [])
    command = operator.at(1, "stop")
    world.after(3, Stopped("b"))
    operator.until(10)
    assert operator.when(command) == 3


def test_a_stop_of_one_does_not_wait_for_who_feeds_it(world: World) -> None:
    text = "devices:\n" + "".join(
        f"  {name}: {{type: streamer, in: {{connect: {source}}}, out: {{bind: 'tcp://127.0.0.1:{port}'}}}}\n"
        for name, source, port in (("a", "tcp://127.0.0.1:1", 5001), ("b", "a.out", 5002), ("c", "b.out", 5003))
    )
    chain = examine_text(text).topology
    assert chain is not None
    supervisor = world.supervisor(chain)
    supervisor.start()
    operator = Operator(world, supervisor)
    world.answers_to(Stop, "b", [])
    world.after(4, Stopped("b"))
    command = operator.at(1, "stop", "b", "c")
    operator.until(10)
    assert [o.name for o in world.orders if isinstance(o, Stop)] == ["b", "c", "a"]
    assert operator.when(command) == 4


def test_a_restart_starts_none_before_all_have_stopped(world: World) -> None:
    operator = started(world, "a", "b")
    world.answers_to(Stop, "b", [])
    world.after(3, Stopped("b"))
    command = operator.at(1, "restart")
    operator.until(10)
    assert world.log[:6] == [
        ("Stop", "a"), ("Stop", "b"), ("Bind", "a"), ("Bind", "b"), ("Connect", "a"), ("Connect", "b"),
    ]
    assert operator.when(command) == 3
    assert command.reply.result() == {"a": "running", "b": "running"}


def test_a_stop_out_of_time_is_made_to_end_and_answered(world: World) -> None:
    operator = started(world, "a", run="process")
    world.answers["Stop", "a"] = itertools.repeat([])
    command = operator.at(1, "restart", "a")
    world.after(8, lambda: world.answers.pop(("Stop", "a")))
    operator.until(20)
    assert world.ordered("kill") == ["device a"]
    assert command.reply.result() == {"a": "running"}
    assert operator.when(command) == 7


# -- what waits to start again, has failed or is on its way ----------------------------------------------------------


def test_start_does_not_wait_for_the_backoff(world: World) -> None:
    operator = started(world, "a", restart="{backoff: [10s, 10s]}")
    world.after(1, Failed("a", "a: broken"))
    command = operator.at(2, "start", "a")
    operator.until(5)
    assert operator.when(command) == 2
    assert operator.supervisor.devices["a"].error == ""


def test_stop_ends_the_backoff(world: World) -> None:
    operator = started(world, "a", restart="{backoff: [10s, 10s]}")
    world.after(1, Failed("a", "a: broken"))
    command = operator.at(2, "stop", "a")
    operator.until(30)
    assert command.reply.result() == {"a": "stopped"}
    assert world.times("a", "starting") == []


def test_what_is_paused_while_it_waits_to_start_again_comes_back_paused(world: World) -> None:
    operator = started(world, "a", "b", restart="{backoff: [10s, 10s]}")
    operator.at(1, "pause", "b")
    for name in "ab":
        world.after(2, Failed(name, f"{name}: broken"))
    command = operator.at(3, "pause", "a")
    seen: list[str] = []
    world.after(20, lambda: seen.extend(m.state for m in operator.supervisor.devices.values()))
    operator.until(30)
    assert command.reply.result() == {"a": "backoff"}
    assert seen == ["paused", "paused"]
    assert [order.paused for order in world.orders if isinstance(order, Connect)] == [False, False, True, True]


def test_start_takes_what_has_failed_for_good(world: World) -> None:
    operator = started(world, "a", "b", restart="never")
    world.after(1, Failed("a", "a: broken"))
    command = operator.at(2, "start")
    assert operator.until(5)
    assert command.reply.result() == {"a": "running", "b": "running"}


def test_start_leaves_paused_what_is(world: World) -> None:
    operator = started(world, "a", "b")
    operator.at(1, "pause", "a")
    operator.at(2, "stop", "b")
    command = operator.at(3, "start")
    operator.until(5)
    assert command.reply.result() == {"a": "paused", "b": "running"}


def test_a_start_that_fails_is_answered_with_the_reason_and_tried_again(world: World) -> None:
    operator = started(world, "a", "b")
    operator.at(1, "stop")
    world.answers_to(Bind, "a", [Failed("a", "a.in: cannot bind x: Address already in use")])
    command = operator.at(2, "start")
    operator.until(5)
    error = command.reply.exception()
    assert isinstance(error, CommandError)
    assert error.failures == ["a.in: cannot bind x: Address already in use"]
    assert error.states == {"a": "backoff", "b": "running"}
    assert world.times("a", "running")[-1] == 1002.1


def test_a_start_while_it_stops_begins_when_it_has_stopped(world: World) -> None:
    operator = started(world, "a")
    world.answers_to(Stop, "a", [])
    stop = operator.at(1, "stop")
    start = operator.at(2, "start")
    world.after(4, Stopped("a"))
    operator.until(10)
    assert (operator.when(stop), operator.when(start)) == (4, 4)
    assert world.times("a", "running") == [1000, 1004]


def test_a_stop_while_it_starts_wins(world: World) -> None:
    operator = started(world, "a")
    operator.at(1, "stop")
    world.answers_to(Bind, "a", [])
    start = operator.at(2, "start")
    stop = operator.at(3, "stop")
    operator.until(10)
    with pytest.raises(CommandError, match=r"^a was told to stop meanwhile$"):
        start.reply.result()
    assert stop.reply.result() == {"a": "stopped"}


# -- commands that meet ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "first", "slow", "second", "late", "state"), [
    (None, "restart", Stop, "stop", Stopped("a"), "stopped"),
    (None, "restart", Bind, "restart", Stopped("a"), "running"),
    (None, "restart", Bind, "stop", Stopped("a"), "stopped"),
    ("stop", "start", Bind, "stop", Stopped("a"), "stopped"),
    ("stop", "start", Bind, "restart", Stopped("a"), "running"),
    (None, "pause", Pause, "stop", None, "stopped"),
    (None, "pause", Pause, "restart", None, "running"),
    (None, "pause", Pause, "resume", None, "running"),
    ("pause", "resume", Resume, "pause", None, "paused"),
])
def test_the_last_word_counts_and_the_first_is_told_what_has_overtaken_it(
    world: World, before: Verb | None, first: Verb, slow: type, second: Verb, late: Stopped | None, state: str
) -> None:
    operator = started(world, "a")
    if before is not None:
        operator.at(1, before)
    world.after(1.5, lambda: world.answers_to(slow, "a", []))
    overtaken, last = operator.at(2, first), operator.at(3, second)
    if late is not None:
        world.after(4, late)
    operator.until(5)
    with pytest.raises(CommandError, match=rf"^a was told to {second} meanwhile$"):
        overtaken.reply.result()
    assert operator.when(overtaken) == 3
    assert last.reply.result() == {"a": state}


@pytest.mark.parametrize("second", ["start", "restart"])
def test_a_stop_has_come_to_its_end_though_the_next_has_begun(world: World, second: Verb) -> None:
    operator = started(world, "a")
    world.answers_to(Stop, "a", [])
    commands = [operator.at(1, "stop"), operator.at(2, second)]
    world.after(4, Stopped("a"))
    operator.until(10)
    assert [command.reply.result() for command in commands] == [{"a": "stopped"}, {"a": "running"}]


def test_two_restarts_are_one(world: World) -> None:
    operator = started(world, "a")
    world.answers_to(Stop, "a", [])
    commands = [operator.at(1, "restart"), operator.at(2, "restart")]
    world.after(4, Stopped("a"))
    operator.until(10)
    assert [command.reply.result() for command in commands] == [{"a": "running"}] * 2
    assert world.ordered("Bind") == ["a"]


def test_a_restart_goes_on_with_those_that_nobody_has_stopped_meanwhile(world: World) -> None:
    operator = started(world, "a", "b", "c")
    world.answers_to(Stop, "c", [])
    restart = operator.at(1, "restart")     # a and b have stopped, and wait for c
    stop = operator.at(2, "stop", "a")
    world.after(3, Stopped("c"))
    operator.until(10)
    error = restart.reply.exception()
    assert isinstance(error, CommandError)
    assert error.failures == ["a was told to stop meanwhile"]
    assert error.states == {"a": "stopped", "b": "running", "c": "running"}
    assert stop.reply.result() == {"a": "stopped"}
    assert world.ordered("Bind") == ["b", "c"]


def test_the_answer_has_the_state_that_was_reached_whatever_came_in_the_same_moment(world: World) -> None:
    supervisor = world.supervisor(topology("a", restart="{backoff: [5s, 5s]}"), at_once=True)
    supervisor.start()
    operator = Operator(world, supervisor)
    world.answers_to(Connect, "a", [Ready("a"), Failed("a", "a: broken")])
    restart = operator.at(1, "restart")
    operator.until(3)
    assert restart.reply.result() == {"a": "running"}
    assert world.times("a", "backoff") == [1001]


# -- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_start_that_fails_for_good_is_not_the_end(world: World, verb: Verb) -> None:
    operator = started(world, "a", restart="never")
    if verb == "start":
        operator.at(1, "stop", "a")
    world.answers_to(Bind, "a", [Failed("a", "a: no")])
    command = operator.at(2, verb, "a")
    again = operator.at(4, "start", "a")
    assert operator.until(5)
    assert world.now == 1005
    assert isinstance(command.reply.exception(0), CommandError)
    assert again.reply.result(0) == {"a": "running"}


def test_a_process_without_devices_ends_and_the_next_start_has_a_new_one(world: World) -> None:
    operator = started(world, "a", "b", run="process/g")
    operator.at(1, "stop", "a")
    operator.at(2, "stop", "b")
    operator.at(3, "start", "b")
    operator.until(10)
    assert [item for item in world.log if item[0] in ("Stop", "End", "Bind")] == [
        ("Stop", "a"), ("Stop", "b"), ("End", "group g"), ("Bind", "b"), ("Stop", "b"), ("End", "group g"),
    ]


def test_a_restart_waits_until_the_old_process_has_gone(world: World) -> None:
    operator = started(world, "a", run="process")
    world.answers_to(End, "device a", [])
    command = operator.at(1, "restart")
    world.after(4, WorkerEnded("device a", "process 7 ended with exit code 0"))
    operator.until(10)
    assert operator.when(command) == 4
    assert world.times("a", "starting") == [1001]
    assert operator.supervisor.devices["a"].error == ""


def test_an_old_process_that_does_not_go_is_killed(world: World) -> None:
    operator = started(world, "a", run="process")
    world.answers_to(End, "device a", [])
    command = operator.at(1, "restart")
    operator.until(20)
    assert world.ordered("kill") == ["device a"]
    assert operator.when(command) == 7


def test_a_stop_while_it_waits_for_the_old_process(world: World) -> None:
    operator = started(world, "a", run="process")
    world.answers_to(End, "device a", [])
    operator.at(1, "restart")
    stop = operator.at(2, "stop")
    world.after(4, WorkerEnded("device a", "process 7 ended with exit code 0"))
    operator.until(10)
    assert operator.when(stop) == 2
    assert world.ordered("Bind") == []


# -- inproc ---------------------------------------------------------------------------------------------------------


def test_inproc_peers_of_a_restarted_device_are_connected_again(world: World) -> None:
    checked = examine_text("""
devices:
  a: {type: streamer, in: {bind: tcp://127.0.0.1:5001}, out: {bind: inproc://x}}
  b: {type: streamer, in: {connect: a.out}, out: {bind: tcp://127.0.0.1:5002}}
  c: {type: streamer, in: {connect: inproc://x}, out: {bind: tcp://127.0.0.1:5003}}
  d: {type: streamer, in: {connect: tcp://127.0.0.1:5001}, out: {bind: tcp://127.0.0.1:5004}}
""")
    assert checked.topology is not None
    supervisor = world.supervisor(checked.topology)
    supervisor.start()
    operator = Operator(world, supervisor)
    operator.at(1, "restart", "a")
    operator.at(2, "stop", "a", "b")
    operator.at(3, "start", "b")    # is connected before there is anything to connect to
    operator.at(4, "start", "a")
    operator.at(5, "restart", "a", "b")
    operator.until(10)
    again = [order for order in world.orders if isinstance(order, Reconnect)]
    assert {tuple(order.connects.items()) for order in again} == {(("in", ("inproc://x",)),)}
    assert [order.name for order in again] == ["b", "c", "c", "c"]


# -- refusals -------------------------------------------------------------------------------------------------------


def test_an_unknown_name_changes_nothing(world: World) -> None:
    operator = started(world, "ingest", "work")
    command = operator.at(1, "stop", "work", "igest")
    operator.until(5)
    with pytest.raises(UnknownDeviceError, match=r"^there is no device .igest.; did you mean ingest\?$"):
        command.reply.result()
    assert world.times("work", "stopped") == [1005]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_has_stopped_cannot_be_paused(world: World, verb: Verb) -> None:
    operator = started(world, "a", "b")
    operator.at(1, "stop", "a")
    named = operator.at(2, verb, "a", "b")
    all_ = operator.at(3, verb)
    operator.until(5)
    with pytest.raises(CommandError, match=r"^a is stopped; start it first$"):
        named.reply.result()
    assert all_.reply.result() == {"b": STATES[verb]}


def test_a_pause_of_a_device_that_fails_meanwhile_keeps_it_paused(world: World) -> None:
    operator = started(world, "a")
    world.answers_to(Pause, "a", [Failed("a", "a: broken")])
    command = operator.at(1, "pause")
    seen: list[str] = []
    world.after(4, lambda: seen.append(operator.supervisor.devices["a"].state))
    operator.until(5)
    assert command.reply.result() == {"a": "backoff"}
    assert seen == ["paused"]


@pytest.mark.parametrize(("order", "verb"), [(Pause, "pause"), (Resume, "resume")])
def test_one_that_does_not_answer_is_ended_and_starts_again(world: World, order: type, verb: Verb) -> None:
    operator = started(world, "a", run="process")
    if verb == "resume":
        operator.at(0.5, "pause")
    world.answers_to(order, "a", [])
    world.answers_to(Stop, "a", [])
    command = operator.at(1, verb)
    states: dict[str, str] = {}
    world.after(39, lambda: states.update({n: m.state for n, m in operator.supervisor.devices.items()}))
    operator.until(40)
    assert command.reply.result() == {"a": "backoff"}
    assert operator.when(command) == 1 + ANSWER_TIMEOUT + KILL_AFTER
    member = operator.supervisor.devices["a"]
    assert member.error == "a: did not answer within 10 s"
    assert member.restarts == 1
    assert states == {"a": STATES[verb]}


def test_a_thread_that_does_not_answer_is_given_up_and_everything_else_goes_on(world: World) -> None:
    operator = started(world, "a", "b")
    world.answers_to(Pause, "a", [])
    world.answers_to(Stop, "a", [])
    pause, restart = operator.at(1, "pause", "a"), operator.at(2, "restart", "b")
    states: dict[str, str] = {}
    world.after(30, lambda: states.update({n: m.state for n, m in operator.supervisor.devices.items()}))
    late = Stopped("a")
    world.after(35, late)
    operator.until(40)
    error = "a: did not answer within 10 s; a thread cannot be killed and may go on until the program ends"
    with pytest.raises(CommandError, match=f"^{error}$"):
        pause.reply.result(0)
    assert restart.reply.result(0) == {"b": "running"}
    assert states == {"a": "failed", "b": "running"}
    assert operator.supervisor.devices["a"].error == error


def test_one_that_answers_late_is_left_alone(world: World) -> None:
    operator = started(world, "a", run="process")
    world.answers_to(Pause, "a", [])
    command = operator.at(1, "pause")
    world.after(ANSWER_TIMEOUT, Paused("a"))
    operator.until(40)
    assert command.reply.result() == {"a": "paused"}
    assert [order.timeout > 0 for order in world.orders if isinstance(order, Stop)] == [True]


@pytest.mark.parametrize("verb", ["start", "restart", "pause", "resume"])
def test_the_end_of_all_refuses_what_is_under_way_and_what_comes(world: World, verb: Verb) -> None:
    operator = started(world, "a", run="process")
    for order in ("Stop", "Pause", "Resume"):
        world.answers[order, "a"] = itertools.repeat([])
    # What runs is started and resumed as soon as it is asked for.
    commands = [operator.at(seconds, verb) for seconds in (0.25, 2)][verb in ("start", "resume"):]
    stop = operator.at(0.5, "stop")
    operator.until(1)
    assert stop.reply.result() == {"a": "stopped"}
    for command in commands:
        assert isinstance(command.reply.exception(), CommandError)
    after = Command(verb)
    operator.supervisor.ask(after)
    with pytest.raises(CommandError, match=r"has ended$"):
        after.reply.result(0)


def test_nothing_is_started_while_the_last_sockets_linger(world: World) -> None:
    operator = started(world, "a", restart="never")
    world.answers_to(End, "", [])
    world.after(1, Failed("a", "a: broken"))
    world.after(5, WorkerEnded("", "end"))
    command = operator.at(3, "start", "a")
    assert not operator.supervisor.run()
    with pytest.raises(CommandError, match=r"is stopping$"):
        command.reply.result(0)
    assert world.now == 1005


def test_an_error_of_ours_leaves_nobody_waiting(world: World) -> None:
    def fail() -> None:
        raise LookupError("a bug")

    supervisor = world.supervisor(topology("a", "b"), timers=[Timer(lambda: 1003.0, fail)])
    supervisor.start()
    operator = Operator(world, supervisor)
    for order in (Pause, Stop):
        world.answers_to(order, "a", [])
    commands = [operator.at(1, "pause", "b"), operator.at(1, "pause", "a"), operator.at(2, "stop", "a")]
    with pytest.raises(LookupError, match="a bug"):
        supervisor.run()
    assert commands[0].reply.result(0) == {"b": "paused"}
    for left in commands[1:]:
        with pytest.raises(CommandError, match=r"stop meanwhile$|has ended by an internal error: LookupError: a bug$"):
            left.reply.result(0)
    look = Look()
    supervisor.ask(look)
    assert [status.state for status in look.reply.result(0)] == ["failed", "failed"]
    assert look.reply.result(0)[0].error == "a: ended by an internal error: LookupError: a bug"
    assert world.ordered("abandon") == [""]
    later = Command("start")
    supervisor.ask(later)
    with pytest.raises(CommandError, match="has ended by an internal error"):
        later.reply.result(0)


def test_nothing_is_taken_while_it_starts(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b"))
    command = Command("pause")
    supervisor.ask(command)
    look = Look()
    supervisor.ask(look)
    supervisor.start()
    with pytest.raises(CommandError, match=r"is still starting$"):
        command.reply.result(0)
    assert [status.state for status in look.reply.result(0)] == ["starting", "starting"]
    supervisor.request_stop()
    supervisor.run()


# -- the status -----------------------------------------------------------------------------------------------------


def test_the_status_at_each_moment(world: World) -> None:
    operator = started(world, "a", "b", restart="{backoff: [2s, 2s]}")
    seen: list[list[tuple[str, int | None, float | None, int, bool, int | None]]] = []

    def look() -> None:
        asked = Look()
        asked.reply.add_done_callback(lambda done: seen.append(
            [(s.state, s.pid, s.uptime, s.restarts, bool(s.endpoints), s.thread) for s in done.result()]
        ))
        operator.supervisor.ask(asked)

    for seconds in (1, 3, 6):
        world.after(seconds, look)
    world.after(2, Failed("a", "a: broken"))
    operator.at(5, "stop", "b")
    operator.until(7)
    assert seen == [
        [("running", 77, 1, 0, True, 78), ("running", 77, 1, 0, True, 78)],
        [("backoff", None, None, 0, True, None), ("running", 77, 3, 0, True, 78)],
        [("running", 77, 2, 1, True, 78), ("stopped", None, None, 0, True, None)],
    ]
    after = Look()
    operator.supervisor.ask(after)
    assert [status.state for status in after.reply.result(0)] == ["stopped", "stopped"]
    shown = after.reply.result(0)[0].as_dict()
    assert list(shown) == [
        "name", "type", "run", "state", "pid", "uptime", "restarts", "sockets", "security", "endpoints", "counters",
        "error", "warning", "stops_within", "thread", "started", "peers", "connections", "handshake_failures",
    ]
    assert shown["error"] == "a: broken"
    assert shown["endpoints"]["in"]     # those that it had
    assert set(shown["counters"]) == {"in_to_out", "out_to_in", "mon"}
