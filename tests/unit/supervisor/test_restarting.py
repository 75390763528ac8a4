"""What the supervisor decides when devices end by themselves."""

from __future__ import annotations

import itertools

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.workers.inbox import WorkerEnded
from zmqtopo.worker.protocol import Bind, Event, Failed, Noted, Ready, Stop, Stopped

from .histories import World, gaps, run_until, topology


def fail_always(world: World, name: str) -> None:
    """From now on the device fails as soon as it runs."""
    failed: list[Event] = [Ready(name), Failed(name, f"{name}.in: broken")]
    world.answers["Connect", name] = itertools.repeat(failed)


def test_the_wait_doubles_up_to_its_cap(world: World) -> None:
    fail_always(world, "a")
    supervisor = world.supervisor(topology("a", "b", restart="{backoff: [100ms, 1s]}"))
    world.answers["Connect", "a"] = itertools.chain([[Ready("a")]], world.answers["Connect", "a"])
    supervisor.start()
    world.after(0, Failed("a", "a.in: broken"))
    run_until(world, supervisor, 10)
    assert gaps(world.times("a", "backoff"))[:6] == [0.1, 0.2, 0.4, 0.8, 1, 1]
    assert supervisor.devices["a"].restarts == len(world.times("a", "starting"))
    assert world.times("b", "backoff") == []


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.05), (0.5, 0.075), (1.0, 0.1)])
def test_the_wait_is_spread_over_its_upper_half(world: World, jitter: float, wait: float) -> None:
    world.jitter = jitter
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    world.after(1, Failed("a", "a.in: broken"))
    run_until(world, supervisor, 5)
    assert gaps([*world.times("a", "backoff"), world.times("a", "running")[-1]]) == [pytest.approx(wait)]


def test_a_device_that_ran_for_long_begins_anew(world: World) -> None:
    supervisor = world.supervisor(topology("a", restart="{stable_after: 10s}"))
    supervisor.start()
    world.after(1, Failed("a", "a.in: broken"))         # waits 0.1
    world.after(2, Failed("a", "a.in: broken"))         # waits 0.2
    world.after(20, Failed("a", "a.in: broken"))        # waits 0.1 again
    run_until(world, supervisor, 30)
    waits = [round(b - a, 6) for a, b in zip(
        world.times("a", "backoff"), world.times("a", "running")[1:], strict=True
    )]
    assert waits == [0.1, 0.2, 0.1]


def test_a_device_that_cannot_start_again_has_not_been_stable(world: World) -> None:
    # Its failures to start come more than stable_after behind the last time that it ran.
    supervisor = world.supervisor(topology("a", restart="{backoff: [1s, 4s], stable_after: 2s}"))
    supervisor.start()
    world.answers["Bind", "a"] = itertools.repeat([Failed("a", "a.in: cannot bind x: Address already in use")])
    world.after(1, Failed("a", "a.in: broken"))
    run_until(world, supervisor, 60)
    assert gaps(world.times("a", "backoff"))[:6] == [1, 2, 4, 4, 4, 4]


def test_max_retries_counts_failures_to_start_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", restart="{max_retries: 3, backoff: [1s, 1s], stable_after: 1s}"))
    supervisor.start()
    world.answers["Bind", "a"] = itertools.repeat([Failed("a", "a.in: taken")])
    world.after(0.5, Failed("a", "a.in: broken"))
    assert not supervisor.run()
    assert len(world.times("a", "backoff")) == 3
    assert supervisor.devices["a"].state == "failed"
    assert supervisor.devices["a"].error == "a.in: taken"


@pytest.mark.parametrize(("policy", "error", "state", "restarts"), [
    ("never", "a: broken", "failed", 0),
    ("never", "", "stopped", 0),
    ("on-failure", "a: broken", "running", 1),
    ("on-failure", "", "stopped", 0),
    ("always", "a: broken", "running", 1),
    ("always", "", "running", 1),
])
def test_the_policy_decides(world: World, policy: str, error: str, state: str, restarts: int) -> None:
    supervisor = world.supervisor(topology("a", "b", restart=policy))
    supervisor.start()
    world.after(1, Failed("a", error) if error else Stopped("a"))
    seen: list[str] = []
    world.after(2, lambda: seen.append(supervisor.devices["a"].state))
    assert run_until(world, supervisor, 3) == (state != "failed")
    assert seen == [state]
    assert supervisor.devices["a"].restarts == restarts


def test_it_ends_by_itself_when_nothing_will_run_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", restart="never"))
    supervisor.start()
    world.after(1, Failed("a", "a: broken"))
    world.after(5, Failed("b", "b: broken"))
    assert not supervisor.run()
    assert world.now == 1005
    assert world.ordered("Stop") == []


def test_abort_on_failure_stops_the_others_as_a_signal_does(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", restart="never"), abort_on_failure=True)
    supervisor.start()
    world.after(1, Failed("a", "a: broken"))
    assert not supervisor.run()
    assert world.now == 1001
    assert [order for order in world.orders if isinstance(order, Stop)] == [Stop("b", 5.0)]
    assert supervisor.devices["b"].state == "stopped"


def test_the_end_of_a_process_ends_all_its_devices_and_it_is_made_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process/g"))
    supervisor.start()
    world.after(1, WorkerEnded("group g", "process 7 ended by SIGKILL"))
    assert run_until(world, supervisor, 3)
    for name in "ab":
        assert supervisor.devices[name].error == f"{name}: process 7 ended by SIGKILL"
        assert supervisor.devices[name].restarts == 1
    assert world.ordered("Bind") == ["a", "b", "a", "b"]
    assert world.ordered("End") == ["group g"]


def test_a_port_that_the_system_chose_stays_the_same(world: World) -> None:
    checked = examine_text("""
devices:
  a: {type: streamer, in: {bind: ["tcp://127.0.0.1:*", "tcp://127.0.0.1:5001"]}, out: {bind: "ipc://*"}}
""")
    assert checked.topology is not None
    supervisor = world.supervisor(checked.topology)
    supervisor.start()
    world.after(1, Failed("a", "a: broken"))
    run_until(world, supervisor, 3)
    first, second = (order.binds for order in world.orders if isinstance(order, Bind))
    assert first == {"in": ("tcp://127.0.0.1:*", "tcp://127.0.0.1:5001"), "out": ("ipc://*",)}
    assert second == {"in": ("tcp://127.0.0.1:1234", "tcp://127.0.0.1:5001"), "out": ("ipc://1234",)}


def test_a_process_that_cannot_be_made_again_is_tried_later(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process"))
    supervisor.start()
    world.refused["device a"] = OSError(11, "Resource temporarily unavailable")
    world.after(1, WorkerEnded("device a", "process 7 ended by SIGKILL"))
    seen: list[str] = []
    world.after(2, lambda: seen.append(supervisor.devices["a"].state))
    assert run_until(world, supervisor, 3)
    assert seen == ["running"]
    assert len(world.times("a", "backoff")) == 2


def test_what_is_noted_of_a_device_is_told_and_changes_nothing(world: World) -> None:
    told: list[tuple[str, str]] = []
    supervisor = world.supervisor(topology("a"), abort_on_failure=True)
    supervisor._tell = lambda change: told.append((change.event, change.text))
    supervisor.start()
    told.clear()
    world.after(1, Noted("a", "refused", "in: somebody was refused"))
    world.after(1, Noted("gone", "refused", "in: it was removed by a reload"))
    run_until(world, supervisor, 5)
    assert told[0] == ("refused", "in: somebody was refused")
    assert [event for event, _ in told[1:]] == [""] * (len(told) - 1)
    assert supervisor.devices["a"].restarts == 0
