"""A broker by itself: a context, two sockets and a loop, without a topology or pyzmq's interface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.broker.broker import Broker, LoopSettings, SocketPlan
from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock

ANY = ("tcp://127.0.0.1:*",)


def plan(role: str, type_: int, *binds: str) -> SocketPlan:
    return SocketPlan(role, type_, [(zmq.LINGER, 0)], binds)


STREAMER = (plan("in", zmq.PULL, *ANY), plan("out", zmq.PUSH, *ANY))

Make = Callable[..., tuple[Broker, dict[str, tuple[str, ...]]]]


@pytest.fixture
def make(net: Any) -> Iterator[Make]:
    """Makes bound brokers, which are closed after the test."""
    made: list[Broker] = []

    def bound(*plans: SocketPlan) -> tuple[Broker, dict[str, tuple[str, ...]]]:
        broker = Broker(CounterBlock(), Control())
        made.append(broker)
        broker.open(net.context, plans)
        return broker, broker.bind(plans)

    yield bound
    for broker in made:
        broker.close(now=True)
        broker.control.close()


@pytest.fixture
def run() -> Iterator[Callable[[Broker], list[bool]]]:
    """Runs a broker in a thread; the list has what its loop has returned, once it has ended."""
    running: list[tuple[Broker, threading.Thread]] = []

    def start(broker: Broker, **options: Any) -> list[bool]:
        returned: list[bool] = []
        thread = threading.Thread(target=lambda: returned.append(broker.relay(**options)))
        thread.start()
        running.append((broker, thread))
        return returned

    yield start
    for broker, thread in running:
        broker.control.stop(0)
        thread.join()


def test_the_end_that_passes_on_what_was_received(net: Any, make: Make, run: Any) -> None:
    broker, endpoints = make(*STREAMER)
    pull = net.socket(zmq.PULL, connect=endpoints["out"][0])
    returned = run(broker)
    net.socket(zmq.PUSH, connect=endpoints["in"][0]).send(b"x")
    assert net.receive(pull) == [b"x"]
    assert not broker.control.is_stopping
    broker.control.stop(5)
    net.until(lambda: returned)
    assert returned == [False]
    assert broker.control.is_stopping
    assert broker.block.read().in_to_out.dropped == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_left_unread_at_an_end_at_once_is_dropped(
    net: Any, make: Make, run: Any, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message in hand is counted by the loop, the others by the broker."""
    monkeypatch.setattr("zmqtopo.broker.sockets.UNREAD_TIMEOUT", 10)    # a busy machine may not come to it in 0.2 s
    plans = STREAMER[::-1] if reverse else STREAMER
    types = {"in": plans[0].type, "out": plans[1].type}
    broker, _ = make(*(plan(role, type_, f"inproc://{role}") for role, type_ in types.items()))
    push = net.socket(zmq.PUSH, connect="inproc://out" if reverse else "inproc://in")
    for number in range(1100):
        push.send(b"%d" % number)
    returned = run(broker)
    flow = "out_to_in" if reverse else "in_to_out"
    net.until(lambda: getattr(broker.block.read(), flow).waiting)
    broker.control.stop(0)
    net.until(lambda: returned)
    assert returned == [True]
    assert getattr(broker.block.read(), flow).dropped == 1100


def test_calls_are_made_in_the_thread_of_the_loop_and_in_their_order(net: Any, make: Make, run: Any) -> None:
    broker, _ = make(*STREAMER)
    run(broker)
    seen: list[tuple[int, str]] = []
    for number in range(100):
        broker.call(b"c", lambda number=number: seen.append((number, threading.current_thread().name)))
    net.until(lambda: len(seen) == 100)
    assert [number for number, _ in seen] == list(range(100))
    assert {name for _, name in seen}.isdisjoint({threading.current_thread().name})


def test_settings_that_change_while_it_runs(net: Any, make: Make, run: Any) -> None:
    broker, endpoints = make(*STREAMER, plan("mon", zmq.PUSH, *ANY))
    broker.settings = LoopSettings(b"before")
    push, pull, mon = (
        net.socket(type_, connect=endpoints[role][0])
        for type_, role in ((zmq.PUSH, "in"), (zmq.PULL, "out"), (zmq.PULL, "mon"))
    )
    run(broker)
    push.send(b"x")
    assert net.receive(mon) == [b"before", b"x"]

    def change() -> None:
        broker.settings = LoopSettings(b"after")

    broker.call(b"c", change)
    net.until(lambda: broker.settings.prefix_in == b"after")
    net.receive(pull)
    push.send(b"y")
    assert net.receive(mon) == [b"after", b"y"]


def test_a_broker_that_begins_paused_takes_nothing(net: Any, make: Make, run: Any) -> None:
    broker, endpoints = make(*STREAMER)
    push = net.socket(zmq.PUSH, connect=endpoints["in"][0])
    pull = net.socket(zmq.PULL, connect=endpoints["out"][0])
    push.send(b"x")
    run(broker, paused=True)
    assert broker.control.ask(b"p", 5)
    assert not pull.poll(50)
    assert broker.control.ask(b"r", 5)
    assert net.receive(pull) == [b"x"]


def test_a_socket_that_serves_as_both(net: Any, make: Make, run: Any) -> None:
    broker, endpoints = make(plan("in", zmq.REP, *ANY), plan("out", -1))
    assert broker.sockets["in"] is broker.sockets["out"]
    run(broker)
    request = net.socket(zmq.REQ, connect=endpoints["in"][0])
    request.send(b"x")
    assert net.receive(request) == [b"x"]


def test_a_name_that_is_given_up_is_free_at_once(net: Any, make: Make) -> None:
    """libzmq closes sockets in a thread of its own, some time after the call."""
    for _ in range(50):
        broker, _ = make(plan("in", zmq.PULL, "inproc://x"), plan("out", zmq.PUSH))
        broker.close()
        with net.context.socket(zmq.PULL) as other:
            other.bind("inproc://x")
            other.unbind("inproc://x")


def test_an_address_is_bound_again_though_it_is_just_being_closed(make: Make) -> None:
    broker, endpoints = make(*STREAMER)
    for _ in range(50):
        broker.close()
        broker, again = make(*(plan(p.role, p.type, *endpoints[p.role]) for p in STREAMER))
        assert again == endpoints


def test_closing_twice(net: Any, make: Make, tmp_path: Any) -> None:
    """The second time the path may be somebody else's."""
    broker, _ = make(plan("in", zmq.PULL, f"ipc://{tmp_path}/s"), plan("out", zmq.PUSH))
    other = net.socket(zmq.PUSH)
    assert (tmp_path / "s").is_socket()
    broker.close(now=True)
    assert not (tmp_path / "s").exists()
    (tmp_path / "s").write_text("of somebody else")
    broker.close([other])
    assert (tmp_path / "s").read_text() == "of somebody else"
    assert other.closed


def test_a_socket_that_cannot_be_made_leaves_the_others_to_be_closed(net: Any, make: Make) -> None:
    with pytest.raises(zmq.ZMQError, match="out: cannot set SUBSCRIBE"):
        make(STREAMER[0], SocketPlan("out", zmq.PUSH, [(zmq.SUBSCRIBE, b"")]))
