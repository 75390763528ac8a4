"""Who feeds a device that an operator stops is quiesced until it has stopped, so that nothing is on its way to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zmqtopo.loop._loop import LINE_WORDS
from zmqtopo.supervisor.commands import Command, Verb
from zmqtopo.supervisor.devices.shutdown import CLOSE_TIME, QUIET_TIME
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.supervisor import Supervisor
from zmqtopo.worker.protocol import Connect, Failed, Order, Quiesce, Ready, Stop, Stopped

from .histories import World, chain, run_until


@pytest.fixture
def abc(world: World) -> Supervisor:
    """a feeds b, which feeds c."""
    supervisor = world.supervisor(chain(a="tcp://127.0.0.1:1", b="a.out", c="b.out"))
    supervisor.start()
    world.log.clear()
    world.orders.clear()
    return supervisor


def at(world: World, supervisor: Supervisor, seconds: float, verb: Verb, *devices: str) -> Command:
    command = Command(verb, devices)
    world.after(seconds, lambda: supervisor.ask(command))
    return command


def before_the_end(world: World) -> list[tuple[str, str]]:
    """What was ordered until everything stopped, which is when a stops."""
    return world.log[: world.log.index(("Stop", "a"))]


def orders_of(world: World, kind: type[Order]) -> list[Any]:
    return [order for order in world.orders if isinstance(order, kind)]


def move(supervisor: Supervisor, name: str) -> None:
    """A message passes."""
    supervisor.devices[name].block.memory.cast("q")[LINE_WORDS] += 1


def test_a_restart_holds_who_feeds_it_until_its_connections_have_ended(world: World, abc: Supervisor) -> None:
    command = at(world, abc, 1, "restart", "b")
    assert run_until(world, abc, 2)
    assert before_the_end(world) == [
        ("Quiesce", "a"), ("Resume", "b"), ("Stop", "b"), ("Bind", "b"), ("Connect", "b"), ("Resume", "a"),
    ]
    assert world.times("b", "stopped")[0] == pytest.approx(1001 + QUIET_TIME, abs=0.02)
    assert command.reply.result() == {"b": "running"}
    assert orders_of(world, Stop)[0].timeout == pytest.approx(5 - QUIET_TIME, abs=0.02)
    assert world.times("a", "paused") == []     # it was too short to be told


def test_what_it_feeds_is_not_held_and_who_feeds_nobody_neither(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "restart", "a")
    run_until(world, abc, 2)
    assert world.ordered("Quiesce") == []
    assert world.times("a", "stopped")[0] == 1001


def test_a_part_of_a_chain_is_fed_by_what_comes_before_it(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "stop", "c", "b")
    run_until(world, abc, 2)
    assert before_the_end(world) == [
        ("Quiesce", "a"), ("Resume", "b"), ("Stop", "b"), ("Stop", "c"),
        ("Resume", "a"),
    ]


def test_it_is_not_dry_while_messages_come(world: World, abc: Supervisor) -> None:
    for number in range(100):
        world.after(1 + number * 0.01, lambda: move(abc, "b"))
    at(world, abc, 1, "stop", "b")
    run_until(world, abc, 4)
    assert world.times("b", "stopped")[0] == pytest.approx(1002 + QUIET_TIME, abs=0.03)


@pytest.mark.parametrize(("ivl", "connected"), [(None, 0.25), (500, 1.05)])
def test_it_is_not_dry_before_who_feeds_it_has_connected_again(
    world: World, ivl: int | None, connected: float
) -> None:
    """Twice libzmq's interval after a start: what came in the moment of the next stop would be lost."""
    topology = chain(a="tcp://127.0.0.1:1", b="a.out")
    if ivl:
        a = topology.devices["a"]
        a = replace(a, out=replace(a.out, options={"reconnect_ivl": ivl}))
        topology = replace(topology, devices={**topology.devices, "a": a})
    supervisor = world.supervisor(topology)
    supervisor.start()
    at(world, supervisor, 4, "restart", "b")
    at(world, supervisor, 4.1, "restart", "b")
    run_until(world, supervisor, 6)
    first, second, _ = world.times("b", "stopped")
    assert first == pytest.approx(1004 + QUIET_TIME, abs=0.02)
    assert second == pytest.approx(first + connected, abs=0.02)


@pytest.mark.parametrize("stuck", ["it never gets dry", "who feeds it does not answer"])
def test_it_waits_half_its_time(world: World, abc: Supervisor, stuck: str) -> None:
    if stuck == "it never gets dry":
        for number in range(400):
            world.after(1 + number * 0.01, lambda: move(abc, "b"))
    else:
        world.answers_to(Quiesce, "a", [])
    at(world, abc, 1, "stop", "b")
    run_until(world, abc, 8)
    assert orders_of(world, Stop)[0].timeout == pytest.approx(2.5, abs=0.02)
    assert world.times("b", "stopped")[0] == pytest.approx(1003.5, abs=0.02)
    assert world.ordered("Resume")[-1] == "a"


def test_a_stop_out_of_time_is_made_to_end_as_any(world: World, abc: Supervisor) -> None:
    world.answers_to(Stop, "b", [])
    at(world, abc, 1, "stop", "b")
    run_until(world, abc, 8)
    assert [o.timeout for o in orders_of(world, Stop) if o.name == "b"] == [pytest.approx(5 - QUIET_TIME, abs=0.02), 0]
    assert world.times("b", "stopped")[0] == 1006


def test_who_was_paused_stays_paused(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "pause", "a")
    at(world, abc, 2, "restart", "b")
    run_until(world, abc, 3)
    assert world.ordered("Resume") == ["b"]
    assert world.times("a", "paused") == [1001]
    assert world.times("a", "running") == [1000]


def test_a_pause_of_who_is_held_lasts(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "restart", "b")
    command = at(world, abc, 1.01, "pause", "a")
    run_until(world, abc, 3)
    assert world.ordered("Resume") == ["b"]
    assert command.reply.result() == {"a": "paused"}


def test_a_resume_of_who_is_held_comes_when_it_is_let_go(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "pause", "a")
    at(world, abc, 2, "restart", "b")
    command = at(world, abc, 2.01, "resume", "a")
    run_until(world, abc, 3)
    assert world.ordered("Resume") == ["b", "a"]
    assert world.times("a", "running")[1] == pytest.approx(1002 + QUIET_TIME + CLOSE_TIME, abs=0.03)
    assert command.reply.result() == {"a": "running"}


def test_who_ends_while_it_is_held_comes_back_held(world: World) -> None:
    supervisor = world.supervisor(chain(a="tcp://127.0.0.1:1", b="a.out"))
    supervisor.start()
    world.log.clear()
    world.orders.clear()
    world.answers_to(Stop, "b", [])
    at(world, supervisor, 1, "stop", "b")
    world.after(1.02, Failed("a", "a: broken"))
    world.after(3, Stopped("b"))
    run_until(world, supervisor, 4)
    assert before_the_end(world) == [
        ("Quiesce", "a"), ("Resume", "b"), ("Stop", "b"), ("Bind", "a"), ("Connect", "a"), ("Quiesce", "a"),
        ("Resume", "a"),
    ]
    assert [order.paused for order in orders_of(world, Connect)] == [True]


def test_who_feeds_it_goes_on_when_it_ends_by_itself(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "restart", "b")
    world.after(1.01, Failed("b", "b: broken"))
    run_until(world, abc, 2)
    assert before_the_end(world) == [
        ("Quiesce", "a"), ("Resume", "b"), ("Bind", "b"), ("Connect", "b"), ("Resume", "a"),
    ]


def test_everything_stops_with_the_stream_though_somebody_was_held(world: World, abc: Supervisor) -> None:
    world.answers_to(Stop, "a", [])
    at(world, abc, 1, "stop", "b")
    world.after(1.02, StopRequest())
    world.after(2, Stopped("a"))
    assert abc.run()
    assert world.log[:5] == [("Quiesce", "a"), ("Resume", "b"), ("Stop", "a"), ("Stop", "b"), ("Stop", "c")]
    assert world.times("b", "stopped") == [1002]


def test_who_is_held_may_be_stopped_too(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "stop", "c")
    at(world, abc, 1.01, "stop", "b")
    run_until(world, abc, 2)
    assert before_the_end(world) == [
        ("Quiesce", "b"), ("Resume", "c"), ("Quiesce", "a"), ("Resume", "b"), ("Stop", "b"), ("Stop", "c"),
        ("Resume", "a"),
    ]


def test_who_feeds_two_is_held_for_both(world: World) -> None:
    supervisor = world.supervisor(chain(a="tcp://127.0.0.1:1", b="a.out", c="a.out"))
    supervisor.start()
    world.log.clear()
    at(world, supervisor, 1, "stop", "b")
    at(world, supervisor, 1.04, "stop", "c")
    run_until(world, supervisor, 2)
    assert before_the_end(world) == [
        ("Quiesce", "a"), ("Resume", "b"), ("Resume", "c"), ("Stop", "b"), ("Stop", "c"), ("Resume", "a"),
    ]


def test_to_resume_what_was_connected_paused_makes_it_go_on(world: World, abc: Supervisor) -> None:
    at(world, abc, 1, "pause", "b")
    world.after(2, Failed("b", "b: broken"))
    world.answers_to(Connect, "b", [])
    command = at(world, abc, 4, "resume", "b")
    world.after(5, Ready("b"))
    run_until(world, abc, 6)
    assert [order.paused for order in orders_of(world, Connect)] == [True]
    assert world.ordered("Resume") == ["b"]
    assert command.reply.result() == {"b": "running"}
