"""What is measured: a device between the two ends, zmqtopo's or what it stands beside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import zmq
import zmq.devices

import zmqtopo
from zmqtopo.api import Running
from zmqtopo.bench.actors import bind
from zmqtopo.bench.cases import Contestant
from zmqtopo.broker.option_values import socket_options
from zmqtopo.config.model import ContextSettings, Device, Restart, Role, Run, Socket, Topology

Bound = dict[Role, tuple[str, ...]]
_SocketT = TypeVar("_SocketT", bound=Socket)


class Subject:
    """A contestant other than ``direct`` that does the work of ``device``; a part as those of `parts`."""

    def __init__(self, contestant: Contestant, device: Device, context: ContextSettings) -> None:
        self._contestant = contestant
        self._device = _without_linger(device)
        self._settings = context
        self._running: Running | None = None
        self._sockets: dict[Role, zmq.Socket[Any]] = {}
        self._thread: threading.Thread | None = None
        self._error = ""

    def open(self, context: zmq.Context[Any]) -> Bound:
        """Start it, and return what it has bound."""
        device = self._device
        if self._contestant.startswith("zmqtopo"):
            run = Run("process") if self._contestant == "zmqtopo.process" else Run()
            mon = None if self._contestant == "zmqtopo.plain" else device.mon
            device = replace(device, run=run, restart=Restart("never"), mon=mon)
            topology = Topology("bench", {device.name: device}, context=self._settings)
            self._running = zmqtopo.up(topology, context=context)
            return dict(self._running.endpoints[device.name])
        bound = {settings.role: self._open(context, settings) for settings in device.sockets}
        if "mon" not in bound and self._contestant == "zmq.monitored_queue":
            self._sockets["mon"] = context.socket(zmq.PUB)      # it cannot do without
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return bound

    def check(self) -> None:
        """Raise RuntimeError, with the reason, when it has ended."""
        error = next(iter(self._running.errors.values()), "") if self._running else self._error
        if error:
            raise RuntimeError(error)

    def cpu(self, thread_only: bool) -> float | None:
        """The seconds of CPU that it has had: its process with libzmq's I/O threads, or the thread of its loop alone.

        None where the system does not tell.
        """
        if thread_only:
            thread = self._thread or next(
                (t for t in threading.enumerate() if t.name == f"zmqtopo {self._device.name}"), None
            )
            # To ask for the clock of a thread that has ended may crash.
            if thread is None or thread.ident is None or not thread.is_alive():
                return None
            if not hasattr(time, "pthread_getcpuclockid"):
                return None
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        if self._contestant != "zmqtopo.process":
            return time.process_time()
        try:
            return sum(_cpu_of(pid) for pid in _descendants(os.getpid()))
        except OSError:
            return None

    def close(self) -> None:
        """Stop it. What is not zmqtopo's ends only with its context, and closes its sockets itself."""
        if self._running is not None:
            self._running.stop(0)
        elif self._thread is None:
            self._close_sockets()

    def _open(self, context: zmq.Context[Any], settings: Socket) -> tuple[str, ...]:
        """Make a socket as its user would, and return where it is bound."""
        socket = self._sockets[settings.role] = context.socket(zmq.SocketType[settings.type])
        for option, value in socket_options(settings):
            socket.setsockopt(option, value)
        for address in settings.bind:
            bind(socket, address.text)
        return (socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"),)

    def _run(self) -> None:
        in_, out, mon = self._sockets["in"], self._sockets["out"], self._sockets.get("mon")
        prefixes = (self._device.mon.prefix_in, self._device.mon.prefix_out) if self._device.mon else (b"in", b"out")
        try:
            if self._contestant == "zmq.proxy":
                zmq.proxy(in_, out, mon)
            else:
                zmq.devices.monitored_queue(in_, out, mon, *prefixes)
        except zmq.ContextTerminated:
            return
        except zmq.ZMQError as error:
            self._error = str(error)
        finally:
            self._close_sockets()

    def _close_sockets(self) -> None:
        for socket in self._sockets.values():
            socket.close(0)


def _without_linger(device: Device) -> Device:
    """The device with sockets that drop at their end what nobody takes.

    LINGER can no longer be set when the context has begun to end, which would then wait without limit.
    """
    def closing(socket: _SocketT) -> _SocketT:
        return replace(socket, options={**socket.options, "linger": 0})

    return replace(device, in_=closing(device.in_), out=closing(device.out), mon=device.mon and closing(device.mon))


def _descendants(pid: int) -> Iterator[int]:
    """The processes that this one has started, and theirs. Raises OSError where the system does not tell."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def _cpu_of(pid: int) -> float:
    # The number of a process's clock on Linux (clock_getcpuclockid(3)): it counts nanoseconds, where /proc/PID/stat
    # counts hundredths of a second.
    return time.clock_gettime((~pid << 3) | 2)
