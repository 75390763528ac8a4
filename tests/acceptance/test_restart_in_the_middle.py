"""A restart in the middle of a stream loses nothing of what the topology has received."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

CHAIN = """
defaults: {{run: {run}}}
devices:
  first: {{type: streamer, in: {{bind: "tcp://127.0.0.1:*"}}, out: {{{first}}}}}
  second: {{type: streamer, in: {{{second}}}, out: {{bind: "ipc://{folder}/second"}}}}
  third: {{type: streamer, in: {{connect: second.out}}, out: {{bind: "tcp://127.0.0.1:*"}}}}
"""

PLACES = {
    ("thread", "inproc"): "inproc://first",
    ("thread", "tcp"): "tcp://127.0.0.1:*",
    ("process", "ipc"): "ipc://{folder}/first",
}


def chain(run: str, transport: str, binder: str, folder: Path) -> zmqtopo.Topology:
    place = f"bind: '{PLACES[run, transport].format(folder=folder)}'"
    first, second = (place, "connect: first.out") if binder == "first" else ("connect: second.in", place)
    path = folder / "chain.yaml"
    path.write_text(CHAIN.format(run=run, first=first, second=second, folder=folder))
    return zmqtopo.load(path)


@pytest.mark.parametrize(("run", "transport", "binder", "times"), [
    ("thread", "tcp", "first", 20), ("process", "ipc", "first", 20), ("process", "ipc", "second", 5),
    ("thread", "tcp", "second", 5), ("thread", "inproc", "first", 10), ("thread", "inproc", "second", 5),
])
def test_restarts_under_traffic_lose_nothing(
    run: str, transport: str, binder: str, times: int, net: Any, tmp_path: Path
) -> None:
    with zmqtopo.up(chain(run, transport, binder, tmp_path)) as running:
        push = net.socket(zmq.PUSH, connect=running.address("first.in"))
        pull = net.socket(zmq.PULL, connect=running.address("third.out"))
        sent, received = 0, []

        def restart() -> None:
            for _ in range(times):
                at_least = moved() + 100
                net.until(lambda least=at_least: moved() >= least, "the flow")
                running.restart("second")

        def moved() -> int:
            return running.counters()["third"].in_to_out.messages

        restarts = threading.Thread(target=restart)
        restarts.start()
        while restarts.is_alive():
            # As fast as it goes, so that every queue and buffer before the one that stops is full.
            burst = min(100, len(received) + 20_000 - sent)
            try:
                for _ in range(burst):
                    push.send(b"%d" % sent, zmq.DONTWAIT)
                    sent += 1
            except zmq.Again:
                burst = 0
            with suppress(zmq.Again):
                while True:
                    received.append(int(pull.recv(zmq.DONTWAIT)))
            if burst == 0:      # nothing more goes in before something comes out
                pull.poll(1)
        restarts.join()
        while len(received) < sent:
            received.append(int(net.receive(pull)[0]))
    assert received == list(range(sent))
    assert sent > 100 * times


def test_what_a_slow_consumer_has_kept_waiting_survives_a_restart(net: Any, tmp_path: Path) -> None:
    """All queues are full when the restart comes, and more than one of them has to pass before the device is dry."""
    with zmqtopo.up(chain("thread", "tcp", "first", tmp_path)) as running:
        push = net.socket(zmq.PUSH, connect=running.address("first.in"), sndhwm=10)
        count = net.fill(push, [bytes(10_000)])
        restart = threading.Thread(target=running.restart, args=("second",))
        restart.start()
        pull = net.socket(zmq.PULL, connect=running.address("third.out"))
        net.receive_all(pull, count)
        restart.join()
        assert not pull.poll(100)


def test_who_was_held_goes_on_beside_the_one_that_stopped(net: Any, tmp_path: Path) -> None:
    """Its other consumers get everything from now on, and it is not shown as paused."""
    with zmqtopo.up(chain("thread", "tcp", "first", tmp_path)) as running:
        push = net.socket(zmq.PUSH, connect=running.address("first.in"))
        running.stop_devices("second")
        assert running.states == {"first": "running", "second": "stopped", "third": "running"}
        pull = net.socket(zmq.PULL, connect=running.endpoints["first"]["out"][0])
        for number in range(100):
            push.send(b"%d" % number)
        assert [int(net.receive(pull)[0]) for _ in range(100)] == list(range(100))


def test_a_consumer_that_takes_nothing_costs_no_more_than_the_time_to_stop(net: Any, tmp_path: Path) -> None:
    """What the device has received and cannot pass on is counted; who feeds it goes on."""
    text = CHAIN.replace("run: {run}", "run: {run}, stop_timeout: 1s")
    path = tmp_path / "dead.yaml"
    path.write_text(text.format(run="thread", first="bind: 'inproc://first'", second="connect: first.out",
                                folder=tmp_path))
    with zmqtopo.up(path) as running:
        push = net.socket(zmq.PUSH, connect=running.address("first.in"), sndhwm=10)
        net.fill(push, [bytes(10_000)])
        begun = time.monotonic()
        running.stop_devices("second")
        assert 0.9 < time.monotonic() - begun < 5
        assert running.counters()["second"].in_to_out.dropped >= 1000
        pull = net.socket(zmq.PULL, connect=running.address("third.out"))
        running.start("second")
        push.send(b"after")
        net.until(lambda: net.receive(pull) == [b"after"], "what is sent afterwards")
