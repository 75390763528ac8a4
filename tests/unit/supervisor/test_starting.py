"""What the supervisor decides when a topology starts."""

from __future__ import annotations

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.supervisor import StartError
from zmqtopo.supervisor.workers.inbox import WorkerEnded
from zmqtopo.worker.protocol import Bind, Bound, Connect, Failed, Stop, Stopped

from .histories import World, topology


def test_all_bind_before_any_connects(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", "c"))
    supervisor.start()
    assert world.log == [(what, name) for what in ("Bind", "Connect") for name in "abc"]
    assert {m.state for m in supervisor.devices.values()} == {"running"}
    supervisor.request_stop()
    assert supervisor.run()
    assert world.log[6:] == [("Stop", "a"), ("Stop", "b"), ("Stop", "c"), ("End", "")]


def test_a_reference_is_what_has_really_been_bound(world: World) -> None:
    checked = examine_text("""
devices:
  a: {type: streamer, in: {connect: b.out}, out: {bind: tcp://127.0.0.1:5001}}
  b: {type: streamer, run: process, in: {bind: tcp://127.0.0.1:5002}, out: {bind: "tcp://*:*"}}
""")
    assert checked.topology is not None
    world.answers_to(Bind, "b", [Bound("b", {"in": ("tcp://127.0.0.1:5002",), "out": ("tcp://0.0.0.0:43210",)})])
    supervisor = world.supervisor(checked.topology)
    supervisor.start()
    connects = next(order.connects for order in world.orders if isinstance(order, Connect) and order.name == "a")
    assert connects == {"in": ("tcp://127.0.0.1:43210",), "out": ()}
    supervisor.request_stop()
    supervisor.run()


@pytest.mark.parametrize("step", [Bind, Connect])
@pytest.mark.parametrize("culprit", "abc")
def test_the_first_failure_takes_everything_back(world: World, step: type, culprit: str) -> None:
    world.answers_to(step, culprit, [Failed(culprit, f"{culprit}.in: cannot bind x: Address already in use")])
    supervisor = world.supervisor(topology("a", "b", "c"))
    with pytest.raises(StartError, match=rf"^{culprit}.in: cannot bind x: Address already in use$"):
        supervisor.start()
    assert set(world.ordered("Stop")) == {"a", "b", "c"} - {culprit}
    assert all(order.timeout == 0 for order in world.orders if isinstance(order, Stop))
    assert world.log[-1] == ("End", "")
    assert supervisor.devices[culprit].state == "failed"
    assert world.now == 1000.0


def test_every_failure_of_a_start_that_is_known_is_named(world: World) -> None:
    for name in "ab":
        world.answers_to(Bind, name, [Failed(name, f"{name}: no")])
    supervisor = world.supervisor(topology("a", "b"), at_once=True)
    with pytest.raises(StartError) as failure:
        supervisor.start()
    assert failure.value.failures == ["a: no", "b: no"]


def test_a_worker_that_dies_while_it_starts_is_a_failure(world: World) -> None:
    world.answers_to(Bind, "b", [WorkerEnded("device b", "process 7 ended by SIGKILL")])
    supervisor = world.supervisor(topology("a", "b", "c", run="process"))
    with pytest.raises(StartError, match=r"^b: process 7 ended by SIGKILL$"):
        supervisor.start()
    assert set(world.ordered("End")) == {"device a", "device c"}


def test_a_worker_for_which_the_system_has_no_room_is_a_failure(world: World) -> None:
    world.refused["device b"] = OSError(24, "Too many open files")
    supervisor = world.supervisor(topology("a", "b", "c", run="process"))
    with pytest.raises(StartError, match=r"^b: cannot start: Too many open files$"):
        supervisor.start()
    assert set(world.ordered("End")) == {"device a", "device c"}


def test_a_stop_while_it_starts_is_no_failure(world: World) -> None:
    world.answers_to(Bind, "b", [StopRequest()])
    world.answers_to(Stop, "b", [Bound("b", {"in": (), "out": ()}), Stopped("b")])
    supervisor = world.supervisor(topology("a", "b"))
    supervisor.start()
    assert world.ordered("Connect") == []
    assert supervisor.run()
    assert {m.state for m in supervisor.devices.values()} == {"stopped"}
