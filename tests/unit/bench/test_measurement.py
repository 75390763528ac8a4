"""Single measurements: they account for every message, and end when what they measure does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import zmqtopo
from zmqtopo.bench.cases import Case, Contestant, Selection, cases
from zmqtopo.bench.measurement import Load, TrialError, measure
from zmqtopo.bench.measurement.contestants import _descendants
from zmqtopo.bench.topology import cases_of
from zmqtopo.bench.worker_pool import WorkerEndedError, WorkerPool
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import Address

DOSE = Load(0, 2000)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """Workers for all tests that leave them alive, started before anybody counts processes."""
    with WorkerPool() as pool:
        for name in ("source", "sink", "direct", "zmq.proxy", "zmq.monitored_queue", "zmqtopo.thread"):
            assert pool[name].pid
        yield pool


def of_file(folder: Path, devices: str) -> list[Case]:
    path = folder / "it.yaml"
    path.write_text(f"devices:\n{devices}")
    return cases_of(zmqtopo.load(path), Selection(), ("direct", "zmq.monitored_queue", "zmqtopo.thread"))


def pair(in_: str, out: str, kind: str = "queue") -> str:
    mon = "" if kind != "monitored_queue" else ", mon: {bind: inproc://mon}"
    return (f"  it: {{type: {kind}, in: {{type: {in_}, bind: 'inproc://in'}}, "
            f"out: {{type: {out}, bind: 'inproc://out'}}{mon}}}\n")


@pytest.mark.parametrize("transport", ["ipc", "inproc"])
def test_what_is_sent_arrives(pool: WorkerPool, tmp_path: Path, transport: str) -> None:
    for pattern in ("streamer", "queue"):
        (case,) = cases(Selection((pattern,), transports=(transport,)))
        for contestant in ("direct", "zmq.proxy", "zmqtopo.thread"):
            sample = measure(pool, case, contestant, DOSE, tmp_path)  # type: ignore[arg-type]
            assert sample.messages == sample.sent == 2000
            assert sample.seconds > 0
            assert (sample.cpu is None) == (contestant == "direct")


@pytest.mark.parametrize(
    "device",
    [
        pair("PULL", "PUB", "streamer"), pair("SUB", "PUSH", "streamer"), pair("XPUB", "XSUB", "forwarder"),
        pair("DEALER", "ROUTER"), pair("PAIR", "PAIR"), pair("ROUTER", "ROUTER", "monitored_queue"),
        pair("DEALER", "DEALER", "monitored_queue").replace("bind: inproc://mon", "type: PUSH, bind: inproc://mon"),
    ],
    ids=["PULL-PUB", "SUB-PUSH", "XPUB-XSUB", "DEALER-ROUTER", "PAIR", "ROUTER-ROUTER", "DEALER-and-PUSH-mon"],
)
def test_every_pair_of_types_is_driven(pool: WorkerPool, tmp_path: Path, device: str) -> None:
    (case,) = of_file(tmp_path, device)
    for contestant in case.contestants:
        sample = measure(pool, case, contestant, DOSE, tmp_path)
        assert 0 < sample.messages <= sample.sent == 2000


def test_large_requests_are_answered(pool: WorkerPool, tmp_path: Path) -> None:
    (case,) = cases(Selection(("queue",), (4 << 20,), ("inproc",)))
    for contestant in ("direct", "zmq.proxy", "zmqtopo.thread"):
        assert measure(pool, case, contestant, Load(0, 64), tmp_path).messages == 64  # type: ignore[arg-type]


def test_a_time_is_kept(pool: WorkerPool, tmp_path: Path) -> None:
    (case,) = cases(Selection(("latency",), transports=("inproc",)))
    sample = measure(pool, case, "zmqtopo.thread", Load(0.05), tmp_path)
    assert 0.04 < sample.seconds < 1
    assert sample.latency is not None
    p50, p99, p999 = sample.latency
    assert 0 < p50 <= p99 <= p999 < sample.seconds * 1e6
    assert sample.cpu is not None
    assert 0 < sample.cpu < sample.seconds


@pytest.mark.parametrize("contestant", ["direct", "zmq.proxy", "zmqtopo.thread"])
def test_a_path_that_is_too_long(pool: WorkerPool, tmp_path: Path, contestant: Contestant) -> None:
    (case,) = cases(Selection(("streamer",), transports=("ipc",)))
    with pytest.raises(TrialError, match=r"cannot bind ipc://\S+: File name too long$"):
        measure(pool, case, contestant, DOSE, tmp_path / ("x" * 100))


@pytest.mark.parametrize("contestant", ["zmq.proxy", "zmqtopo.thread"])
def test_no_port(pool: WorkerPool, tmp_path: Path, contestant: Contestant) -> None:
    (case,) = cases(Selection(("streamer",)))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"tcp://127.0.0.1:{holder.getsockname()[1]}"
        taken = replace(case.device.in_, bind=(Address(address, parse(address)),))
        with pytest.raises(TrialError, match=f"cannot bind {address}: Address already in use"):
            measure(pool, replace(case, device=replace(case.device, in_=taken)), contestant, DOSE, tmp_path)
    assert measure(pool, case, contestant, DOSE, tmp_path).messages == 2000     # the pool continues


@pytest.mark.slow    # it starts worker processes of its own, twice
@pytest.mark.parametrize("contestant", ["zmq.proxy", "zmqtopo.process"])
def test_a_device_that_is_killed(tmp_path: Path, contestant: Contestant) -> None:
    (case,) = cases(Selection(("latency",)))
    with WorkerPool() as pool:
        worker = pool[contestant].pid

        def kill() -> None:
            chain = [worker]
            # The device's process is one that a child of the worker has forked.
            while contestant == "zmqtopo.process" and len(chain) < 3:
                chain = [worker, *_descendants(worker)]
            os.kill(chain[-1], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with pytest.raises((TrialError, WorkerEndedError), match=r"process \d+ .*ended by SIGKILL"):
                measure(pool, case, contestant, Load(30), tmp_path)
        finally:
            killer.join()
        assert measure(pool, case, contestant, DOSE, tmp_path).messages == 2000     # another one takes its place


def test_a_single_message_takes_as_long_as_it_takes(pool: WorkerPool, tmp_path: Path) -> None:
    size = 32 << 20
    (case,) = cases(Selection(("streamer",), (size,), ("ipc",)))
    sample = measure(pool, case, "direct", Load(0, 1), tmp_path)
    assert (sample.messages, sample.sent) == (1, 1)
    assert size / sample.seconds < 10e9     # bytes a second, of which each is copied four times
