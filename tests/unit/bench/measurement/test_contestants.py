"""What is measured, in a worker's host."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.bench.cases import CONTESTANTS, Contestant, Selection, cases
from zmqtopo.bench.host import Clear, Host, Place, Response
from zmqtopo.bench.measurement.contestants import Subject

DEADLINE = 10.0


@pytest.fixture
def answers() -> queue.SimpleQueue[Response]:
    return queue.SimpleQueue()


@pytest.fixture
def host(answers: queue.SimpleQueue[Response]) -> Iterator[Host]:
    host = Host(answers.put)
    yield host
    host.execute(Clear())


@pytest.mark.parametrize("contestant", [c for c in CONTESTANTS if c != "direct"])
def test_it_is_cleared_away_though_nobody_takes_what_it_holds(
    host: Host, answers: queue.SimpleQueue[Response], net: Any, contestant: Contestant
) -> None:
    (case,) = cases(Selection(("monitored_queue",), readers=(0,)))
    host.execute(Place("subject", Subject(contestant, case.device, case.context)))
    bound = answers.get(timeout=DEADLINE).value
    source = net.socket(zmq.PUSH, connect=bound["in"][0], sndhwm=1)
    sink = net.socket(zmq.PULL, connect=bound["out"][0], rcvhwm=1)
    net.fill(source, [b"x" * (64 << 10)])
    assert sink.poll(0)
    clearing = threading.Thread(target=host.execute, args=(Clear(),))
    clearing.start()
    try:
        assert answers.get(timeout=DEADLINE) == Response("")
    finally:
        sink.close()
        clearing.join()
