"""What the supervisor decides when it is told to stop."""

from __future__ import annotations

import itertools

from zmqtopo.checks import examine_text
from zmqtopo.supervisor.devices.shutdown import MAX_CONCURRENT_STOPS
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.workers.inbox import WorkerEnded
from zmqtopo.supervisor.workers.pool import KILL_AFTER
from zmqtopo.worker.protocol import End, Failed, Stop, Stopped

from .histories import World, chain, run_until, topology


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


def test_of_a_great_many_in_one_process_only_so_many_stop_at_once(world: World) -> None:
    many = [f"d{number}" for number in range(3 * MAX_CONCURRENT_STOPS)]
    supervisor = world.supervisor(topology(*many))
    supervisor.start()
    told: list[int] = []
    for number, name in enumerate(many):
        world.answers_to(Stop, name, [])
        world.after(1 + number / 1000, Stopped(name))

    def look() -> None:
        told.append(len(world.ordered("Stop")) - sum(m.state == "stopped" for m in supervisor.devices.values()))

    for number in range(len(many)):
        world.after(1 + number / 1000 + 0.0005, look)
    assert run_until(world, supervisor, 0)
    assert world.ordered("Stop") == many
    most = max(told)
    assert MAX_CONCURRENT_STOPS // 2 <= most <= MAX_CONCURRENT_STOPS
    assert {world.times(name, "stopped")[0] for name in many} == {
        1001 + number / 1000 for number in range(len(many))}


def test_those_of_other_processes_need_not_wait_for_that(world: World) -> None:
    many = [f"d{number}" for number in range(MAX_CONCURRENT_STOPS + 1)]
    supervisor = world.supervisor(topology(*many, run="process"))
    supervisor.start()
    for name in many:
        world.answers_to(Stop, name, [])
        world.after(1, Stopped(name))
    seen: list[list[str]] = []
    world.after(0.5, lambda: seen.append(world.ordered("Stop")))
    assert run_until(world, supervisor, 0)
    assert seen == [many]


def test_a_process_that_does_not_even_end_at_once_is_killed(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process"))
    supervisor.start()
    never_stops(world, "a")
    assert run_until(world, supervisor, 0)
    assert world.ordered("kill") == ["device a"]
    assert world.now == 1000 + 5 + KILL_AFTER
    assert supervisor.devices["a"].error == "a: process 1 did not stop in time and was killed"


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
    assert supervisor.devices["a"].error == "a: broken"


def test_a_worker_that_dies_while_it_stops_is_not_started_again(world: World) -> None:
    supervisor = world.supervisor(topology("a", "b", run="process", restart="always"))
    supervisor.start()
    world.answers_to(Stop, "a", [WorkerEnded("device a", "process 7 ended by SIGKILL")])
    assert run_until(world, supervisor, 0)
    assert supervisor.devices["a"].state == "stopped"
    assert world.ordered("Bind") == ["a", "b"]
    assert world.ordered("End") == ["device b"]


def test_a_stop_may_be_asked_for_when_all_is_over(world: World) -> None:
    supervisor = world.supervisor(topology("a"))
    supervisor.start()
    assert run_until(world, supervisor, 0)
    supervisor.request_stop()
    supervisor.request_stop(force=True)


# -- a stop goes with the stream ------------------------------------------------------------------------------------


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
    assert [o.fed for o in world.orders if isinstance(o, Stop)] == [False, False, True, True]


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
