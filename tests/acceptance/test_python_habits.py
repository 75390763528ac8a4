"""What Python programs do with a topology: a name mistyped, printed, pickled, awaited, made of a dict, run twice."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import zmqtopo

from .brokers import ANY
from .conftest import is_free

TOPOLOGY: dict[str, Any] = {
    "name": "shop",
    "devices": {
        "orders": {"type": "queue", "in": {"bind": "tcp://127.0.0.1:*"}, "out": {"bind": ["tcp://127.0.0.1:*"]}},
        "jobs": {
            "type": "streamer", "in": {"type": zmq.PULL, "bind": "tcp://127.0.0.1:*", "options": {"rcvhwm": 5}},
            "out": {"bind": "tcp://127.0.0.1:*"},
        },
    },
}


@pytest.fixture
def running() -> Iterator[zmqtopo.Running]:
    with zmqtopo.up(TOPOLOGY) as running:
        yield running


# -- a dict ----------------------------------------------------------------------------------------------------------


def test_a_topology_of_a_dict_runs(running: zmqtopo.Running) -> None:
    assert running.topology.name == "shop"
    assert running.topology.devices["jobs"].in_.type == "PULL"
    assert running.states == {"orders": "running", "jobs": "running"}
    with zmq.Context() as context, context.socket(zmq.REQ) as shop, context.socket(zmq.REP) as kitchen:
        shop.connect(running.address("orders.in"))
        kitchen.connect(running.address("orders.out"))
        shop.send(b"soup")
        assert kitchen.poll(10_000)
        assert kitchen.recv() == b"soup"


def test_a_dict_is_loaded_and_checked_as_a_file_is(tmp_path: Path) -> None:
    assert zmqtopo.check(TOPOLOGY) == []
    assert zmqtopo.load({"devices": {}}).name == "topology"
    wrong = {"devices": {"a": {"type": "steamer", "in": {"bind": "tcp://*:1"}, "out": {"bind": "tcp://*:2"}}}}
    (problem, *_) = [found for found in zmqtopo.check(wrong) if found.severity == "error"]
    assert (problem.rule, problem.file, problem.hint) == ("bad-value", "<topology>", "did you mean streamer?")
    with pytest.raises(zmqtopo.TopologyError, match="steamer"):
        zmqtopo.up(wrong)
    secret = {"devices": {"a": {"type": "streamer", "in": {"bind": f"ipc://{tmp_path}/a", "options": {
        "routing_id": b"\xff\x00"}}, "out": {"bind": "tcp://127.0.0.1:*"}}}}
    assert zmqtopo.load(secret).devices["a"].in_.options["routing_id"] == b"\xff\x00"


@pytest.mark.parametrize(("value", "words"), [
    ({"devices": {1: {}}}, "a key of the topology['devices'] is int 1; keys are text"),
    ({"devices": {"a": object()}}, "the topology['devices']['a'] is object"),
    ({"devices": {"a": {"in": [{"x": {1, 2}}]}}}, "the topology['devices']['a']['in'][0]['x'] is set"),
])
def test_what_no_file_can_have_is_a_type_error(value: dict[str, Any], words: str) -> None:
    for use in (zmqtopo.load, zmqtopo.check, zmqtopo.up):
        with pytest.raises(TypeError, match=r"the topology") as caught:
            use(value)
        assert str(caught.value).startswith(words)


def test_a_dict_that_contains_itself() -> None:
    value: dict[str, Any] = {"devices": {}}
    value["devices"]["a"] = value
    with pytest.raises(TypeError, match="contains itself"):
        zmqtopo.load(value)


def test_reload_of_a_dict(running: zmqtopo.Running) -> None:
    running.reload({**TOPOLOGY, "devices": {"orders": TOPOLOGY["devices"]["orders"]}})
    assert list(running.states) == ["orders"]


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda r: r.address("order.in"), "there is no device 'order'; did you mean 'orders.in'?"),
    (lambda r: r.address("orders.ni"), "there is no socket of orders 'ni'; did you mean 'in'?"),
    (lambda r: r.address("orders.mon"), "there is no socket of orders 'mon'; there are in and out"),
    (lambda r: r.address("orders"), "'orders' is a device; name one of its sockets too, such as 'orders.in'"),
    (lambda r: r.address("order"), "'order' is not DEVICE.SOCKET; did you mean 'orders.in'?"),
    (lambda r: r.address(""), "'' is not DEVICE.SOCKET; write 'DEVICE.in'"),
    (lambda r: r.address("x.in"), "there is no device 'x'; there are orders and jobs"),
    (lambda r: r.endpoints["order"], "there is no device 'order'; did you mean 'orders'?"),
    (lambda r: r.endpoints["orders"]["inn"], "there is no socket of orders 'inn'; did you mean 'in'?"),
    (lambda r: r.endpoints["orders.in"], "there is no device 'orders.in'; did you mean 'orders'?"),
    (lambda r: r.counters()["job"], "there is no device 'job'; did you mean 'jobs'?"),
    (lambda r: r.states["nothing"], "there is no device 'nothing'; there are orders and jobs"),
])
def test_a_mistyped_name_is_a_key_error_with_what_was_meant(
    running: zmqtopo.Running, wrong: Callable[[zmqtopo.Running], Any], words: str
) -> None:
    with pytest.raises(KeyError) as caught:
        wrong(running)
    assert str(caught.value) == words


def test_these_mappings_are_dicts_all_the_same(running: zmqtopo.Running) -> None:
    assert running.states.get("nothing") is None
    assert "nothing" not in running.endpoints
    assert dict(running.states) == {"orders": "running", "jobs": "running"}


# -- printed and pickled ---------------------------------------------------------------------------------------------


def test_its_repr_tells_what_runs(running: zmqtopo.Running) -> None:
    assert repr(running) == "<zmqtopo.Running 'shop': 2 running>"
    running.pause("jobs")
    assert repr(running) == "<zmqtopo.Running 'shop': 1 running, 1 paused>"
    running.stop()
    assert repr(running) == "<zmqtopo.Running 'shop': stopped>"


@pytest.mark.parametrize("use", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_pickled(running: zmqtopo.Running, use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"a running topology cannot be pickled or copied: .* running\.address"):
        use(running)
    assert running.states["orders"] == "running"


# -- asyncio ---------------------------------------------------------------------------------------------------------


def test_async_with_lets_the_event_loop_go_on() -> None:
    async def program() -> tuple[str, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        async with await asyncio.to_thread(zmqtopo.up, TOPOLOGY) as running:
            address = running.address("orders.in")
            ticking = asyncio.create_task(tick())
            await asyncio.sleep(0)
        ticking.cancel()
        return address, ticks

    address, ticks = asyncio.run(program())
    assert is_free(address)
    assert ticks > 0


def test_async_with_a_start_in_the_loop_and_an_error_in_the_body() -> None:
    async def program() -> None:
        async with zmqtopo.up(TOPOLOGY) as running:
            addresses.append(running.address("orders.in"))
            raise ValueError("mine")

    addresses: list[str] = []
    with pytest.raises(ValueError, match="mine"):
        asyncio.run(program())
    assert is_free(addresses[0])


def test_a_task_that_is_cancelled_while_it_stops_leaves_nothing() -> None:
    """A receiver that takes nothing would keep the device for stop_timeout."""
    slow = {"devices": {"jobs": {"type": "streamer", "stop_timeout": "50s", "in": {"bind": "tcp://127.0.0.1:*"},
                                 "out": {"bind": "tcp://127.0.0.1:*"}}}}

    async def program() -> str:
        running = await asyncio.to_thread(zmqtopo.up, slow)
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.linger = 0
            push.connect(running.address("jobs.in"))
            push.send(b"nobody takes it")
            while not running.status[0].counters.in_to_out.in_hand:
                await asyncio.sleep(0.01)

            async def body() -> None:
                async with running:
                    pass

            task = asyncio.create_task(body())
            while running.states["jobs"] == "running":
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return running.topology.name

    began = time.monotonic()
    asyncio.run(program())
    assert time.monotonic() - began < 30


# -- the port of an earlier cell -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells whose a port is")
@pytest.mark.parametrize(("run", "words"), [
    ("thread", r"by this process \(\d+\)"), ("process", r"by '.+' \(process \d+, of this program\)"),
])
def test_a_port_that_this_program_has_itself(tmp_path: Path, run: str, words: str) -> None:
    first = f"devices: {{a: {{type: streamer, run: {run}, in: {ANY}, out: {ANY}}}}}\n"
    (tmp_path / "a.yaml").write_text(first)
    with zmqtopo.up(tmp_path / "a.yaml") as running:
        (tmp_path / "b.yaml").write_text(first.replace("127.0.0.1:*", running.address("a.in").rpartition("/")[2], 1))
        with pytest.raises(zmqtopo.StartError, match=rf"in use {words}"):
            zmqtopo.up(tmp_path / "b.yaml")


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells whose a port is")
def test_a_port_of_another_program(tmp_path: Path) -> None:
    script = ("import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
              "print(s.getsockname()[1], flush=True); sys.stdin.read()")
    with subprocess.Popen(["setsid", "--fork", sys.executable, "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        (tmp_path / "b.yaml").write_text(
            f"devices: {{a: {{type: streamer, in: {{bind: 'tcp://127.0.0.1:{port}'}}, out: {ANY}}}}}\n")
        with pytest.raises(zmqtopo.StartError, match=r"in use by 'python[\d.]*' \(process \d+\)"):
            zmqtopo.up(tmp_path / "b.yaml")
