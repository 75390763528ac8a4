"""The table of what leads a device from one phase to the next."""

from __future__ import annotations

from typing import get_args

import pytest

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.supervisor.commands import Command
from zmqtopo.supervisor.device_state import ENDED, STARTING, STATES, STOPPING, TRANSITIONS, WORKING, DeviceState, Phase
from zmqtopo.supervisor.device_state import Event as DeviceEvent
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.worker.protocol import Bind, Bound, Connect, Ready, Stop

from .histories import World, topology

PHASES = get_args(Phase)


def device(phase: Phase) -> DeviceState:
    return DeviceState(topology("a").devices["a"], CounterBlock(), phase)


def test_every_phase_is_reached_and_every_event_leads_somewhere() -> None:
    assert {found.phase for found in TRANSITIONS.values()} == {*PHASES}
    assert {event for _, event in TRANSITIONS} == {*get_args(DeviceEvent)}
    assert STATES.keys() == {*PHASES}


@pytest.mark.parametrize("phase", [*STARTING, *WORKING, *STOPPING, "backoff"])
def test_whatever_it_does_it_may_end(phase: Phase) -> None:
    for event in ("stopped", "failed", "restart"):
        assert (phase, event) in TRANSITIONS


@pytest.mark.parametrize("phase", [*STARTING, *WORKING, "backoff"])
def test_whatever_it_does_it_can_be_stopped_and_forced(phase: Phase) -> None:
    for event in ("stop", "abort"):
        assert STATES[TRANSITIONS[phase, event].phase] in ("stopping", "stopped")


@pytest.mark.parametrize("phase", ENDED)
def test_one_that_has_ended_can_be_started_and_nothing_else(phase: Phase) -> None:
    assert {event for one, event in TRANSITIONS if one == phase} == {"start"}


@pytest.mark.parametrize("key", [key for key, found in TRANSITIONS.items() if found.deadline not in ("none", "kept")])
def test_what_has_a_deadline_has_a_row_for_it(key: tuple[Phase, DeviceEvent]) -> None:
    assert (TRANSITIONS[key].phase, "deadline") in TRANSITIONS


def test_an_event_that_comes_too_late_changes_nothing() -> None:
    state = device("stopped")
    assert state.on("ready", 1.0) is None
    assert (state.phase, state.deadline, state.running_since) == ("stopped", None, None)


def test_a_second_answer_to_a_start_asks_for_no_second_pause(world: World) -> None:
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    world.after(1, lambda: supervisor.ask(Command("pause", ("a",))))
    world.after(2, Ready("a"))
    world.after(3, StopRequest())
    supervisor.run()
    assert world.ordered("Pause") == ["a"]


def test_a_stop_while_sockets_bind_keeps_its_time(world: World) -> None:
    supervisor = world.supervisor(topology("a", run="process"))
    world.answers_to(Bind, "a", [])
    world.answers_to(Stop, "a", [], [])
    world.after(1, StopRequest())
    world.after(2, Bound("a", {}))
    supervisor.start()
    supervisor.run()
    assert [order for order in world.orders if isinstance(order, Connect)] == []
    assert world.ordered("kill") == ["device a"]
    assert supervisor.devices["a"].state == "stopped"
