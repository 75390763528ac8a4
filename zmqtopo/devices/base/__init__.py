"""A device: pyzmq's interface on zmqtopo's loop, with a way to see, pause and stop it."""

from __future__ import annotations

import os
import socket as system
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import zmq
import zmq.devices

from zmqtopo.broker.broker import Broker, LoopSettings, SocketPlan
from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock, Counters, Segment
from zmqtopo.broker.sockets import AnySocket, address_text, hold_port
from zmqtopo.devices.base.own_context import OwnContext, make_context
from zmqtopo.devices.reports import ProcessReports, Report, ThreadReports
from zmqtopo.loop import DEFAULT_LIMITS, Limits, Overflow

GRACE = 1.0
"""Seconds that a worker has, once told to end at once, before its process is ended by the system."""

_OF_A_RUN = frozenset({
    "_finished", "_control", "_owner", "_holders", "_block", "_reports", "_endpoints", "_ready", "_announced", "_bound",
    "_ended", "_error", "_sockets", "_broker", "_context", "launcher",
})
"""The attributes that no copy of a device has."""

SocketRole = tuple[str, int, list[tuple[int, Any]], list[str], list[str]]
"""Role, type, options, binds and connects of a socket that is to be made."""


class DeviceError(RuntimeError):
    """A device's process ended without a word; the message says how."""


class Device(zmq.devices.Device):
    """A broker between two sockets that runs in the thread that calls `start`.

    Takes what ``zmq.devices.Device`` takes: a device type (which changes nothing), the types of the in and out sockets
    (an out type below 0 makes the in socket serve as both), then binds, connects and options for each. From another
    thread it can be watched, paused and stopped. A socket whose LINGER is not set keeps sending for 5 s after a stop.
    """

    overflow: Overflow = "block"
    """Whether a PUSH, PAIR or DEALER monitor that is full stops its direction ("block") or loses copies ("drop")."""

    limits: Limits = DEFAULT_LIMITS
    """What the messages of strangers may cost; see `zmqtopo.loop.Limits`."""

    _in_prefix: bytes | None = None
    _out_prefix: bytes | None = None
    _reports_class: Callable[[], ThreadReports | ProcessReports] = ThreadReports

    def __init__(
        self, device_type: int = zmq.QUEUE, in_type: int | None = None, out_type: int | None = None
    ) -> None:
        """Raises TypeError when a socket type is missing."""
        self._begin()
        super().__init__(device_type, in_type, out_type)

    def _begin(self) -> None:
        """Be a device of this process that has not been started."""
        self._finished = threading.Event()
        self._control: Control | None = None
        self._owner = os.getpid()
        self._holders: list[system.socket] = []     # see `hold_port`
        self._prepare()

    def _prepare(self) -> None:
        """Forget the last run."""
        self._block = CounterBlock(Segment() if self._reports_class is ProcessReports else None)
        self._reports = self._reports_class()
        self._endpoints: dict[str, tuple[str, ...]] = {}
        self._ready = False
        self._announced: bool | None = False    # in the worker: whether it has said that it is ready; None: it will
        self._bound: dict[str, tuple[str, ...]] = {}
        self._ended = False
        self._error: BaseException | None = None
        self._broker = Broker(self._block, None)
        self._sockets: list[AnySocket] = []     # as in pyzmq; a subclass adds what it makes itself
        self._finished.clear()

    # -- what its owner calls ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run until stopped. Raises what goes wrong."""
        if self._control is not None and self._own():
            # The first run is prepared from the beginning: another thread may be waiting for it already.
            self._prepare()
        self._control = Control()
        try:
            self.run()
        finally:
            self._control.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the device has ended, ``timeout`` seconds at most. Raises RuntimeError in a forked process."""
        self._require_owner()
        self._finished.wait(timeout)

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until every socket is bound and connected.

        Raises the worker's own error when it failed (a zmq.ZMQError keeps its errno and names the address), and
        TimeoutError after ``timeout`` seconds (None: no limit). Raises RuntimeError in a forked process.
        """
        self._require_owner()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready and not self._ended:
            remaining = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not self._collect(remaining):
                raise TimeoutError(f"the device was not ready within {timeout:g} s")
        if self._error is not None:
            raise self._error
        if not self._ready:
            raise DeviceError("the device was stopped before it was ready")

    def stop(self, timeout: float | None = 5.0) -> None:
        """Pass on what has been received, then end; after ``timeout`` seconds (None: never) end at once.

        What had been received and is lost in that case is counted as dropped. Does nothing when the device has ended
        already. Raises TimeoutError when a thread does not come to its end, and RuntimeError in a process
        that was forked from the one that has started the device.
        """
        if self._control is None:
            return
        self._require_owner()
        self._control.stop(timeout)
        self.join(timeout)
        if not self.done:
            self._control.send(b"n")
            self.join(GRACE)
        if not self.done:
            self._end_by_force()
        self._collect_all()
        self._control.close()
        self._release_ports()

    def pause(self, timeout: float = 5.0) -> None:
        """Stop taking messages; they wait in the in socket's queue, and then in the senders'.

        Raises RuntimeError when the device does not run or another process has started it, and TimeoutError when it
        does not answer.
        """
        self._ask(b"p", timeout)

    def resume(self, timeout: float = 5.0) -> None:
        """Go on where `pause` stopped. Raises as `pause` does."""
        self._ask(b"r", timeout)

    @property
    def endpoints(self) -> dict[str, tuple[str, ...]]:
        """The addresses that the sockets have really bound, by "in", "out" and "mon"; empty until ready."""
        self._collect_all()
        return self._endpoints

    @property
    def counters(self) -> Counters:
        """What has passed since the start; stays readable after the end."""
        return self._block.read()

    @property
    def error(self) -> BaseException | None:
        """What ended the device, None while all is well."""
        self._collect_all()
        return self._error

    @property
    def done(self) -> bool:
        """Whether the device has run and ended."""
        return self._finished.is_set()

    @done.setter
    def done(self, value: bool) -> None:
        # pyzmq's classes assign it.
        if value:
            self._finished.set()

    def _ask(self, command: bytes, timeout: float) -> None:
        self._require_owner()
        if self._control is None or self.done or not self._control.ask(command, timeout):
            raise RuntimeError("the device is not running")

    def _collect(self, timeout: float | None) -> bool:
        """Take in one report; False when none came in time."""
        report = self._reports.get(timeout)
        if report is None:
            return False
        if report.kind == "ready":
            self._ready = True
            self._endpoints = report.endpoints
        else:
            self._ended = True
            self._error = report.error
        self._release_ports()
        return True

    def _collect_all(self) -> None:
        # Reports come by a stream that a forked process shares: what it read, the owner would not hear of.
        while self._owner == os.getpid() and not self._ended and self._collect(0):
            pass

    def _own(self) -> bool:
        """Make this process, which is about to start the device, its owner; whether it was that already."""
        mine = self._owner == os.getpid()
        if not mine:
            self._begin()
        return mine

    def _require_owner(self) -> None:
        if self._owner != os.getpid() and self._control is not None:
            raise RuntimeError(
                f"the device was started by process {self._owner}; process {os.getpid()}, forked from it, cannot"
                " control it or wait for it"
            )

    def _release_ports(self) -> None:
        while self._holders:
            self._holders.pop().close()

    def __getstate__(self) -> dict[str, Any]:
        """What a copy has, in this process or another one: the device, but not its run."""
        return {name: value for name, value in vars(self).items() if name not in _OF_A_RUN}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be a device that has not been started."""
        self._begin()
        vars(self).update(state)

    def __del__(self) -> None:
        # A device that was never started; getattr because __init__ may have raised.
        if getattr(self, "_holders", None):
            self._release_ports()

    def _end_by_force(self) -> None:
        raise TimeoutError("the device's thread did not end")

    # -- what runs in the worker ---------------------------------------------------------------------------------

    def run(self) -> None:
        """What the worker does: make the sockets, move messages, clean up. Raises what went wrong."""
        failure: Exception | None = None
        self._broker.control = self._control
        ended_elsewhere = False
        try:
            self.run_device()
        except Exception as error:
            # As in pyzmq, the end of the context and a socket closed from elsewhere are ways to end a device.
            if not isinstance(error, zmq.ZMQError) or error.errno not in (zmq.ETERM, zmq.ENOTSOCK):
                failure = error
                raise
            ended_elsewhere = error.errno == zmq.ETERM
        finally:
            try:
                self._close_sockets()
                self._end_context(ended_elsewhere)
            finally:
                if self._control is not None:
                    self._control.worker.close()
                self._reports.put(Report("failed", error=failure) if failure else Report("stopped"))
                self.done = True

    def run_device(self) -> None:
        """Make the sockets and move messages until told to stop; what `run` wraps."""
        self._announced = None
        self._broker.adopt(self._setup_sockets())
        if not self._announced:     # a subclass has made sockets itself
            self._announce()
        if self._relay():
            self._close_sockets(now=True)

    def _relay(self, control: system.socket | None = None) -> bool:
        """Move messages until told to stop; whether to end at once."""
        self._broker.settings = LoopSettings(self._in_prefix, self._out_prefix, self.overflow, self.limits)
        return self._broker.relay(control=control)

    def _roles(self) -> Iterator[SocketRole]:
        """For each socket: role, type, options, binds, connects."""
        yield "in", self.in_type, self._in_sockopts, self._in_binds, self._in_connects
        yield "out", self.out_type, self._out_sockopts, self._out_binds, self._out_connects

    def _setup_sockets(self) -> tuple[AnySocket, ...]:  # type: ignore[override]  # more in subclasses
        """Make the in and out sockets; report ready when there are no others to make."""
        return self._open(Device._roles(self))

    def _open(self, some: Iterable[SocketRole]) -> tuple[AnySocket, ...]:
        """Make sockets: all options, then all binds, then all connects."""
        if self.overflow not in get_args(Overflow):
            raise ValueError(f"overflow must be 'block' or 'drop', not {self.overflow!r}")
        roles = list(some)
        self._context = make_context(self.context_factory)
        plans = [
            SocketPlan(role, type_, [*self._counting(type_), *options], [address_text(role, a) for a in binds])
            for role, type_, options, binds, _ in roles
        ]
        try:
            self._broker.open(self._context, plans)
        finally:
            self._sockets += dict.fromkeys(self._broker.sockets.values())
        self._bound |= self._broker.bind(plans)
        for role, _, _, _, connects in roles:
            for address in connects:
                self._broker.connect(role, address_text(role, address))
        if self._announced is not None or len(roles) == len(list(self._roles())):
            self._announce()
        return tuple(self._broker.sockets.values())

    def _announce(self) -> None:
        self._announced = True
        self._reports.put(Report("ready", self._bound))

    def _counting(self, type_: int) -> Iterator[tuple[int, int]]:
        """Let a ROUTER say what it cannot deliver, which the loop counts; the options of the user come after it.

        With a monitor programs would see it: a message that is not taken is not copied either.
        """
        monitored = len(list(self._roles())) > 2
        if type_ == zmq.ROUTER and not monitored and zmq.ROUTER_MANDATORY not in self._context.sockopts:
            yield zmq.ROUTER_MANDATORY, 1

    def _close_sockets(self, *, now: bool = False) -> None:
        self._broker.close(self._sockets, now=now)

    def _end_context(self, ended_elsewhere: bool) -> None:
        # A factory that is a class has made a context for this device alone; it ends when LINGER lets it.
        context = getattr(self, "_context", None)
        if isinstance(context, OwnContext):
            context.end()
        elif context is not None and isinstance(self.context_factory, type) and not ended_elsewhere:
            context.term()      # made by a subclass

    # -- random ports --------------------------------------------------------------------------------------------

    def _reserve_random_port(self, addr: str, *args: int, **kwargs: int) -> int:
        """Choose a free port as ``zmq.Socket.bind_to_random_port`` does, and keep it free until the device has it."""
        if not addr.startswith("tcp://"):
            raise ValueError(f"only tcp has ports to choose from, not {addr}")
        while True:
            port = super()._reserve_random_port(addr, *args, **kwargs)
            try:
                holder = hold_port(addr, port)
            except OSError:
                continue    # somebody took it in between
            if holder is not None:
                self._holders.append(holder)
            return port
