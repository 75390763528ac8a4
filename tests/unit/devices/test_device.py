"""The life of a device: start, ready, pause, stop, again; and what its owner hears when something is wrong."""

from __future__ import annotations

import copy
import errno
import multiprocessing
import os
import pickle
import signal
import socket as system
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.devices import (
    Device,
    DeviceError,
    MonitoredQueue,
    ProcessDevice,
    ThreadDevice,
    ThreadMonitoredQueue,
)
from zmqtopo.devices.proxydevice import ProxyBase

# Python warns of a fork beside threads; what a device inherits by it is tested in test_drop_in.
SPAWN = multiprocessing.get_context("spawn").Process


class SpawnedDevice(ProcessDevice):
    _launch_class = SPAWN


BACKGROUND = pytest.mark.parametrize("kind", [ThreadDevice, ProcessDevice], ids=["thread", "process"])


def streamer(kind: Any) -> Any:
    device = kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    if issubclass(kind, ProcessDevice):
        device._launch_class = SPAWN
    device.setsockopt_out(zmq.LINGER, 0)
    return device


@BACKGROUND
def test_in_a_with_block(net: Any, kind: type) -> None:
    device = streamer(kind)
    device.bind_in("tcp://127.0.0.1:*")
    device.bind_out("tcp://127.0.0.1:*")
    with device as running:
        assert running is device
        push = net.socket(zmq.PUSH, connect=device.endpoints["in"][0])
        pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
        push.send(b"x")
        assert net.receive(pull) == [b"x"]
        assert not device.done
    assert device.done
    assert device.error is None
    assert device.counters.in_to_out.messages == 1


@BACKGROUND
def test_a_second_start(net: Any, kind: type) -> None:
    device = streamer(kind)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.bind_out("tcp://127.0.0.1:*")
    for turn in range(2):
        device.start()
        device.wait_ready()
        with pytest.raises(RuntimeError, match="started already"):
            device.start()
        assert device.counters.in_to_out.messages == 0
        push = net.socket(zmq.PUSH, connect=f"tcp://127.0.0.1:{port}")
        pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
        push.send(b"%d" % turn)
        assert net.receive(pull) == [b"%d" % turn]
        push.close()
        device.stop()
        assert device.done
        net.until(lambda: is_free(port), "the port's freedom")  # libzmq closes in a thread of its own


@BACKGROUND
def test_before_the_start(kind: type) -> None:
    device = streamer(kind)
    assert not device.done
    assert device.endpoints == {}
    assert device.error is None
    device.stop()
    for call in (device.join, device.pause, device.resume, lambda: device.wait_ready(1)):
        with pytest.raises(RuntimeError, match=r"not been started|not running"):
            call()


@BACKGROUND
@pytest.mark.parametrize(
    ("spoil", "error", "text"),
    [
        (lambda d, taken: d.bind_in(taken), errno.EADDRINUSE, "in: cannot bind {taken}: Address already in use"),
        (lambda d, taken: d.connect_out("tcp://h:*"), errno.EINVAL, "out: cannot connect tcp://h:*: Invalid"),
        (lambda d, taken: d.bind_out("nonsense://x"), errno.EPROTONOSUPPORT, "out: cannot bind nonsense://x: "),
        (lambda d, taken: d.bind_in(None), None, "in: an address must be a str, not NoneType"),
        (lambda d, taken: d.connect_out(5), None, "out: an address must be a str, not int"),
        (lambda d, taken: d.setsockopt_in(zmq.AFFINITY, b"?"), None, "in: cannot set AFFINITY to b'?'"),
        (lambda d, taken: d.setsockopt_in(zmq.SUBSCRIBE, "x"), errno.EINVAL, "in: cannot set SUBSCRIBE to 'x'"),
    ],
    ids=["taken", "wildcard", "protocol", "none", "number", "type", "scope"],
)
def test_what_goes_wrong_at_the_start(net: Any, kind: type, spoil: Any, error: int | None, text: str) -> None:
    _, taken = net.end(zmq.PULL)
    device = streamer(kind)
    spoil(device, taken)
    device.start()
    with pytest.raises(zmq.ZMQError if error else TypeError) as caught:
        device.wait_ready(10)
    assert getattr(caught.value, "errno", None) == error
    assert str(caught.value).startswith(text.format(taken=taken))
    device.join(10)
    assert device.done
    assert device.error is caught.value
    if kind is ProcessDevice:
        assert device.launcher.exitcode == 1
    device.stop()


def test_addresses_as_bytes(net: Any) -> None:
    device = streamer(ThreadDevice)
    push, address = net.end(zmq.PUSH)
    device.connect_in(address.encode())
    device.bind_out(b"tcp://127.0.0.1:*")
    with device:
        pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
        push.send(b"x")
        assert net.receive(pull) == [b"x"]


def test_an_overflow_that_is_not_one() -> None:
    device = streamer(ThreadDevice)
    device.overflow = "bogus"
    device.start()
    with pytest.raises(ValueError, match="overflow must be 'block' or 'drop', not 'bogus'"):
        device.wait_ready(10)
    device.stop()


def test_in_the_foreground(net: Any) -> None:
    device = Device(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in(net.end(zmq.PULL)[1])
    with pytest.raises(zmq.ZMQError, match="cannot bind"):
        device.start()
    assert device.done
    assert isinstance(device.error, zmq.ZMQError)
    device.join()
    device.stop()


@BACKGROUND
def test_a_port_is_held_until_the_start(net: Any, kind: type) -> None:
    device = streamer(kind)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    with system.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", port))
    # Another device that asks for this very port does not get it either.
    other = streamer(kind)
    with pytest.raises(zmq.ZMQBindError):
        other.bind_in_to_random_port("tcp://127.0.0.1", min_port=port, max_port=port + 1)
    device.start()
    device.wait_ready()
    assert device.endpoints["in"] == (f"tcp://127.0.0.1:{port}",)
    device.stop()
    net.until(lambda: is_free(port), "the port's freedom")      # libzmq closes in a thread of its own


def is_free(port: int) -> bool:
    with system.socket() as probe:
        probe.setsockopt(system.SOL_SOCKET, system.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_random_ports_are_those_of_tcp() -> None:
    with pytest.raises(ValueError, match="only tcp"):
        streamer(ThreadDevice).bind_in_to_random_port("ipc:///nowhere")


@pytest.mark.parametrize(
    ("context_linger", "device_linger", "effective"), [(None, None, 5000), (7, None, 7), (-1, None, -1), (7, 9, 9)]
)
def test_linger(
    net: Any, context_linger: int | None, device_linger: int | None, effective: int
) -> None:
    """Ours when nobody has said anything; a context's default is something said."""
    if context_linger is not None:
        net.context.linger = context_linger
    device = ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: net.context
    if device_linger is not None:
        device.setsockopt_out(zmq.LINGER, device_linger)
    seen: list[int] = []
    device.run_device = lambda: seen.append(device._setup_sockets()[1].linger)
    device.start()
    device.wait_ready(10)
    device.stop()
    assert seen == [effective]


def test_options_as_text(net: Any) -> None:
    device = ThreadDevice(zmq.FORWARDER, zmq.SUB, zmq.PUB)
    publisher, address = net.end(zmq.XPUB)
    device.setsockopt_in(zmq.SUBSCRIBE, "töpic")
    net.start(device, **{"in": address})
    assert net.receive(publisher) == ["\x01töpic".encode()]


@BACKGROUND
def test_a_stop_before_it_is_ready(kind: type) -> None:
    device = streamer(kind)
    device.start()
    device.stop()
    assert device.done
    with pytest.raises(RuntimeError, match="not running"):
        device.pause()


def test_a_process_that_is_killed(net: Any) -> None:
    device = streamer(ProcessDevice)
    device.bind_in("tcp://127.0.0.1:*")
    device.bind_out("tcp://127.0.0.1:*")
    device.start()
    device.wait_ready()
    net.socket(zmq.PUSH, connect=device.endpoints["in"][0]).send(b"x")
    net.receive(net.socket(zmq.PULL, connect=device.endpoints["out"][0]))
    net.until(lambda: device.counters.in_to_out.messages == 1)
    os.kill(device.launcher.pid, signal.SIGKILL)
    device.join(10)
    assert device.done
    assert isinstance(device.error, DeviceError)
    assert str(device.error) == "the device's process ended by SIGKILL"
    assert device.counters.in_to_out.messages == 1
    device.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_to_a_process(number: signal.Signals) -> None:
    device = streamer(ProcessDevice)
    before = signal.signal(number, signal.SIG_DFL)      # nohup ignores some
    try:
        device.start()
    finally:
        signal.signal(number, before)
    device.wait_ready()
    os.kill(device.launcher.pid, number)
    device.join(10)
    assert device.launcher.exitcode == 128 + number
    assert device.error is None
    with pytest.raises(RuntimeError, match="not running"):
        device.pause()
    device.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_the_owner_ignores_is_ignored_by_its_processes(number: signal.Signals) -> None:
    device = streamer(ProcessDevice)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        device.start()
    finally:
        signal.signal(number, before)
    device.wait_ready()
    os.kill(device.launcher.pid, number)
    device.pause()      # it still answers
    device.stop()
    assert device.launcher.exitcode == 0


@BACKGROUND
def test_a_copy_is_a_device_that_has_not_been_started(net: Any, kind: type) -> None:
    device = streamer(kind)
    device.bind_in("tcp://127.0.0.1:*")
    with device:
        for copied in (copy.copy(device), pickle.loads(pickle.dumps(device))):
            assert copied.launcher is None
            assert copied.endpoints == {}
            assert not copied.done
            with copied:
                assert copied.endpoints["in"] != device.endpoints["in"]
        device.pause()


class MakesItsMonitor(ProxyBase, ThreadDevice):
    """As in pyzmq's own proxies: two sockets are made above, the third here."""

    def _setup_sockets(self) -> Any:
        ins, outs = Device._setup_sockets(self)
        mons = self._context.socket(self.mon_type)
        self._sockets.append(mons)
        mons.bind(self._mon_binds[0])
        return ins, outs, mons


class MakesAll(ThreadDevice):
    def _setup_sockets(self) -> Any:
        self._context = self.context_factory()
        self._sockets += [self._context.socket(zmq.PULL), self._context.socket(zmq.PUSH)]
        for socket, connects in zip(self._sockets, (self._in_connects, self._out_connects), strict=True):
            socket.linger = 0
            socket.connect(connects[0])
        return tuple(self._sockets)


def test_subclasses_that_make_their_sockets(net: Any) -> None:
    mon_address = net.address("inproc")
    for device in (MakesItsMonitor(zmq.PULL, zmq.PUSH), MakesAll(zmq.STREAMER, zmq.PULL, zmq.PUSH)):
        push, in_address = net.end(zmq.PUSH)
        pull, out_address = net.end(zmq.PULL)
        if isinstance(device, MakesItsMonitor):
            device.bind_mon(mon_address)
        net.start(device, **{"in": in_address, "out": out_address})
        push.send(b"x")
        assert net.receive(pull) == [b"x"]
        device.stop()
        assert device.error is None


def test_a_prefix_that_is_no_bytes() -> None:
    with pytest.raises(TypeError, match="a prefix must be bytes, not str"):
        MonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUB, "in")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a prefix must be bytes, not bytearray"):
        ThreadMonitoredQueue(zmq.PULL, zmq.PUSH, zmq.PUB, b"in", bytearray(b"out"))  # type: ignore[arg-type]


OWNER = """
import multiprocessing, sys, zmq
from zmqtopo.devices import ProcessDevice

class Chosen(ProcessDevice):
    _launch_class = multiprocessing.get_context(sys.argv[1]).Process

if __name__ == "__main__":
    devices = [Chosen(zmq.STREAMER, zmq.PULL, zmq.PUSH) for _ in range(3)]
    for device in devices:
        device.daemon = False
        device.start()
        device.wait_ready()
    print(*(device.launcher.pid for device in devices), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_owner_is_killed(net: Any, tmp_path: Path, method: str) -> None:
    program = tmp_path / "owner.py"
    program.write_text(OWNER)
    owner = subprocess.Popen([sys.executable, program, method], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdin is not None
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    assert len(pids) == 3
    owner.kill()
    owner.wait()

    def gone() -> bool:
        return not any(alive(pid) for pid in pids)

    net.until(gone, "the end of the devices")
    owner.stdin.close()
    owner.stdout.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_nobody_takes_does_not_keep_a_stop_beyond_its_time(net: Any) -> None:
    device = ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.context_factory = zmq.Context
    device.setsockopt_out(zmq.LINGER, -1)
    device.bind_in("tcp://127.0.0.1:*")
    # A port that is held and never listened to: libzmq keeps what it cannot deliver.
    with system.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        device.connect_out(f"tcp://127.0.0.1:{nobody.getsockname()[1]}")
        device.start()
        device.wait_ready(10)
        push = net.socket(zmq.PUSH, connect=device.endpoints["in"][0])
        push.send(b"for nobody")
        net.until(lambda: device.counters.in_to_out.messages == 1)
        begin = time.monotonic()
        device.stop(0.2)
        assert time.monotonic() - begin < 2
    assert device.done
    assert device.error is None


@pytest.mark.parametrize("linger", [None, 0, -1])
def test_a_device_whose_context_ends_lets_it_end(linger: int | None) -> None:
    context = zmq.Context()
    device = ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: context
    if linger is not None:
        device.setsockopt_out(zmq.LINGER, linger)
    device.bind_in("tcp://127.0.0.1:*")
    device.bind_out("tcp://127.0.0.1:*")
    device.start()
    device.wait_ready(10)
    term = threading.Thread(target=context.term, daemon=True)
    term.start()
    term.join(10)
    assert not term.is_alive()
    device.join(10)
    assert device.done
    assert device.error is None
    device.stop()
