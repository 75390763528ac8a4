"""What the supervisor decides, told by histories: workers that only record, and a clock that only these tests move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Topology
from zmqtopo.runtime.orders import (
    Bind,
    Bound,
    Connect,
    End,
    Event,
    Failed,
    Order,
    Ready,
    Stop,
    Stopped,
    StopRequest,
    WorkerEnded,
)
from zmqtopo.runtime.supervisor import KILL_AFTER, StartError, Supervisor
from zmqtopo.runtime.workers import Inbox


class Recorder:
    """A worker that does as it is told at once, unless the world says otherwise."""

    connection = None

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world

    def order(self, order: Order) -> None:
        name = order.device.name if isinstance(order, Bind) else getattr(order, "name", self.name)
        self.world.log.append((type(order).__name__, name))
        # The counters' memory goes with the supervisor.
        self.world.orders.append(replace(order, block=-1) if isinstance(order, Bind) else order)
        for event in self.world.answer(self, order):
            self.world.events.append(event)

    def receive(self) -> Event:
        raise NotImplementedError

    def kill(self) -> None:
        self.world.log.append(("kill", self.name))
        if self.name:
            self.world.events.append(WorkerEnded(self.name, "process 1 ended by SIGKILL"))


class World:
    """Time, workers and events."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.log: list[tuple[str, str]] = []
        self.orders: list[Order] = []
        self.events: list[Event] = []
        self.later: list[tuple[float, Event | Callable[[], None]]] = []
        self.answers: dict[tuple[str, str], Iterator[list[Event]]] = {}
        self.refused: dict[str, Exception] = {}
        self.told: list[tuple[str, str, float]] = []

    def supervisor(self, topology: Topology, *, at_once: bool = False, **options: Any) -> Supervisor:
        """``at_once`` lets all events that there are come in one go, instead of one by one."""
        self.at_once = at_once
        return Supervisor(
            topology, clock=lambda: self.now, make=self.make, wait=self.wait,
            tell=lambda member, what: self.told.append((member.device.name, member.state, self.now)),
            **{"jitter": lambda: 1.0, **options},
        )

    def make(self, name: str, *rest: object) -> Recorder:
        if name in self.refused:
            raise self.refused.pop(name)
        return Recorder(name, self)

    def wait(self, workers: Iterable[Any], inbox: Inbox, timeout: float | None) -> list[Event]:
        """The next event, or the time that passes without one."""
        assert self.now < 2000, "goes on and on"
        self.events += inbox.take()
        if self.events:
            now = self.events[:] if self.at_once else self.events[:1]
            del self.events[: len(now)]
            return now
        until = None if timeout is None else self.now + timeout
        self.later.sort(key=lambda item: item[0])
        if self.later and (until is None or self.later[0][0] <= until):
            self.now, event = self.later.pop(0)
            if callable(event):
                event()
                return []
            return [event]
        assert until is not None, f"waits for ever after {self.log}"
        self.now = until
        return []

    def after(self, seconds: float, event: Event | Callable[[], None]) -> None:
        self.later.append((self.now + seconds, event))

    def answers_to(self, order: type, name: str, *answers: list[Event]) -> None:
        """What happens instead for the next orders of that kind, once each."""
        self.answers[order.__name__, name] = iter(answers)

    def answer(self, worker: Recorder, order: Order) -> list[Event]:
        name = order.device.name if isinstance(order, Bind) else getattr(order, "name", worker.name)
        scripted = next(self.answers.get((type(order).__name__, name), iter(())), None)
        if scripted is not None:
            return scripted
        match order:
            case Bind(device, binds):
                return [Bound(device.name, {
                    role: tuple(text.replace("*", "1234") for text in texts) for role, texts in binds.items()
                })]
            case Connect():
                return [Ready(name)]
            case Stop():
                return [Stopped(name)]
            case End():
                return [WorkerEnded(worker.name, "end")]

    def ordered(self, kind: str) -> list[str]:
        return [name for what, name in self.log if what == kind]

    def times(self, name: str, state: str) -> list[float]:
        """When a device came to a state."""
        return [when for who, what, when in self.told if (who, what) == (name, state)]


@pytest.fixture
def world() -> World:
    return World()


def topology(*names: str, **settings: str) -> Topology:
    """Streamers; ``settings`` are YAML by key, of all of them."""
    ports = itertools.count(5000)
    more = "".join(f"    {key}: {value}\n" for key, value in settings.items())
    text = "devices:\n" + "".join(
        f"  {name}:\n    type: streamer\n{more}"
        f"    in: {{bind: tcp://127.0.0.1:{next(ports)}}}\n    out: {{bind: tcp://127.0.0.1:{next(ports)}}}\n"
        for name in names
    )
    checked = examine_text(text)
    assert checked.topology is not None
    assert not checked.has_errors, checked.problems
    return checked.topology


# -- starting -------------------------------------------------------------------------------------------------------


def test_all_bind_before_any_connects(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", "c"))
    supervisor.start()
    assert world.log == [(what, name) for what in ("Bind", "Connect") for name in "abc"]
    assert {m.state for m in supervisor.members.values()} == {"running"}
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
    assert supervisor.members[culprit].state == "failed"
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
    assert {m.state for m in supervisor.members.values()} == {"stopped"}


# -- restarting -----------------------------------------------------------------------------------------------------


def run_until(world: World, supervisor: Supervisor, seconds: float) -> bool:
    world.after(seconds, StopRequest())
    return supervisor.run()


def fail_always(world: World, name: str) -> None:
    """From now on the device fails as soon as it runs."""
    failed: list[Event] = [Ready(name), Failed(name, f"{name}.in: broken")]
    world.answers["Connect", name] = itertools.repeat(failed)


def gaps(times: list[float]) -> list[float]:
    return [round(b - a, 6) for a, b in itertools.pairwise(times)]


def test_the_wait_doubles_up_to_its_cap(world: World) -> None:
    fail_always(world, "a")
    supervisor = world.supervisor(topology("a", "b", restart="{backoff: [100ms, 1s]}"))
    world.answers["Connect", "a"] = itertools.chain([[Ready("a")]], world.answers["Connect", "a"])
    supervisor.start()
    world.after(0, Failed("a", "a.in: broken"))
    run_until(world, supervisor, 10)
    assert gaps(world.times("a", "backoff"))[:6] == [0.1, 0.2, 0.4, 0.8, 1, 1]
    assert supervisor.members["a"].restarts == len(world.times("a", "starting"))
    assert world.times("b", "backoff") == []


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.05), (0.5, 0.075), (1.0, 0.1)])
def test_the_wait_is_spread_over_its_upper_half(world: World, jitter: float, wait: float) -> None:
    supervisor = world.supervisor(topology("a"), jitter=lambda: jitter)
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
    assert supervisor.members["a"].state == "failed"
    assert supervisor.members["a"].error == "a.in: taken"


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
    world.after(2, lambda: seen.append(supervisor.members["a"].state))
    assert run_until(world, supervisor, 3) == (state != "failed")
    assert seen == [state]
    assert supervisor.members["a"].restarts == restarts


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
    assert supervisor.members["b"].state == "stopped"


def test_the_end_of_a_process_ends_all_its_devices_and_it_is_made_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process/g"))
    supervisor.start()
    world.after(1, WorkerEnded("group g", "process 7 ended by SIGKILL"))
    assert run_until(world, supervisor, 3)
    for name in "ab":
        assert supervisor.members[name].error == f"{name}: process 7 ended by SIGKILL"
        assert supervisor.members[name].restarts == 1
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
    world.after(2, lambda: seen.append(supervisor.members["a"].state))
    assert run_until(world, supervisor, 3)
    assert seen == ["running"]
    assert len(world.times("a", "backoff")) == 2


# -- stopping -------------------------------------------------------------------------------------------------------


def never_stops(world: World, *names: str) -> None:
    for name in names:
        world.answers["Stop", name] = itertools.repeat([])


def test_each_device_has_its_own_time_to_stop(world: World) -> None:
    text = """
devices:
  a: {type: streamer, stop_timeout: 2s, in: {bind: tcp://127.0.0.1:5001}, out: {bind: tcp://127.0.0.1:5002}}
  b: {type: streamer, stop_timeout: 7s, in: {bind: tcp://127.0.0.1:5003}, out: {bind: tcp://127.0.0.1:5004}}
"""
    checked = examine_text(text)
    assert checked.topology is not None
    supervisor = world.supervisor(checked.topology)
    supervisor.start()
    # They pass on what they have until they are told to end at once.
    for name in "ab":
        world.answers_to(Stop, name, [])
    assert run_until(world, supervisor, 0)
    assert world.times("a", "stopped") == [1002]
    assert world.times("b", "stopped") == [1007]
    assert [order for order in world.orders if isinstance(order, Stop)] == [
        Stop("a", 2.0), Stop("b", 7.0), Stop("a", 0), Stop("b", 0),
    ]


def test_a_process_that_does_not_even_end_at_once_is_killed(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process"))
    supervisor.start()
    never_stops(world, "a")
    assert run_until(world, supervisor, 0)
    assert world.ordered("kill") == ["device a"]
    assert world.now == 1000 + 5 + KILL_AFTER
    assert supervisor.members["a"].error == "a: process 1 ended by SIGKILL"


def test_a_worker_whose_context_does_not_end_is_killed(world: World) -> None:
    supervisor = world.supervisor(topology("a", run="process"))
    supervisor.start()
    world.answers_to(End, "device a", [])
    assert run_until(world, supervisor, 0)
    assert world.ordered("kill") == ["device a"]
    assert world.now <= 1000 + 5 + KILL_AFTER


def test_the_end_does_not_wait_for_threads_that_do_not_end(world: World) -> None:
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    world.answers_to(End, "", [])
    assert run_until(world, supervisor, 0)
    assert world.now <= 1000 + 5 + KILL_AFTER


def test_force_skips_the_wait(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b"))
    supervisor.start()
    for name in "ab":
        world.answers_to(Stop, name, [])
    world.after(1, StopRequest())
    world.after(2, StopRequest(force=True))
    supervisor.run()
    assert world.now == 1002


def test_force_kills_what_ends_already(world: World) -> None:
    supervisor = world.supervisor(topology("a", run="process"))
    supervisor.start()
    world.answers_to(End, "device a", [])
    world.after(1, StopRequest())
    world.after(2, StopRequest(force=True))
    supervisor.run()
    assert world.now == 1002
    assert world.ordered("kill") == ["device a"]


def test_to_ask_twice_is_not_to_force(world: World) -> None:
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    world.answers_to(Stop, "a", [])
    for seconds in (1, 2, 3):
        world.after(seconds, StopRequest())
    supervisor.run()
    assert world.now == 1006
    assert [order for order in world.orders if isinstance(order, Stop)] == [Stop("a", 5.0), Stop("a", 0)]


def test_a_device_that_waits_to_start_again_just_stops(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", restart="{backoff: [10s, 10s]}"))
    supervisor.start()
    world.after(1, Failed("a", "a: broken"))
    assert run_until(world, supervisor, 2)
    assert world.now == 1002
    assert world.ordered("Stop") == ["b"]
    assert supervisor.members["a"].error == "a: broken"


def test_a_worker_that_dies_while_it_stops_is_not_started_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process", restart="always"))
    supervisor.start()
    world.answers_to(Stop, "a", [WorkerEnded("device a", "process 7 ended by SIGKILL")])
    assert run_until(world, supervisor, 0)
    assert supervisor.members["a"].state == "stopped"
    assert world.ordered("Bind") == ["a", "b"]
    assert world.ordered("End") == ["device b"]


def test_a_stop_may_be_asked_for_when_all_is_over(world: World) -> None:
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    assert run_until(world, supervisor, 0)
    supervisor.request_stop()
    supervisor.request_stop(force=True)


# -- a stop goes with the stream ------------------------------------------------------------------------------------


def chain(**connects: str) -> Topology:
    """Streamers that bind their out; what each one's in connects to."""
    text = "devices:\n" + "".join(
        f"  {name}: {{type: streamer, in: {{connect: {source}}}, out: {{bind: 'tcp://127.0.0.1:{5000 + number}'}}}}\n"
        for number, (name, source) in enumerate(connects.items())
    )
    found = examine_text(text).topology
    assert found is not None
    return found


def test_a_device_stops_when_those_that_feed_it_have(world: World) -> None:
    world.answers_to(Stop, "b", [])
    supervisor = world.supervisor(chain(c="b.out", b="a.out", a="tcp://127.0.0.1:1", alone="tcp://127.0.0.1:2"))
    supervisor.start()
    world.after(1, StopRequest())
    world.after(3, Stopped("b"))
    assert supervisor.run()
    assert world.ordered("Stop") == ["a", "alone", "b", "c"]
    # What was left of the 5 s when its turn came.
    assert [o.timeout for o in world.orders if isinstance(o, Stop)] == [5, 5, 5, 3]


def test_who_waits_for_those_that_feed_it_waits_no_longer_than_its_time(world: World) -> None:
    world.answers_to(Stop, "a", [])
    supervisor = world.supervisor(chain(a="tcp://127.0.0.1:1", b="a.out"))
    supervisor.start()
    begin = world.now
    world.after(0, StopRequest())
    assert supervisor.run()
    assert [(o.name, o.timeout) for o in world.orders if isinstance(o, Stop)] == [("a", 5), ("a", 0), ("b", 0)]
    assert world.now - begin == 5


def test_a_ring_has_no_beginning_and_stops_at_once(world: World) -> None:
    supervisor = world.supervisor(chain(a="b.out", b="a.out", c="b.out"))
    supervisor.start()
    world.after(1, StopRequest())
    assert supervisor.run()
    assert sorted(world.ordered("Stop")) == ["a", "b", "c"]
    assert world.times("c", "stopped") == [1001.0]
