"""The devices of one process: their context, their sockets and a thread for each."""

from __future__ import annotations

import contextlib
import errno
import itertools
import select
import socket as system
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq

from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.inproc import PREFIX, Connections, InprocNames
from zmqtopo.broker.ipc import Access, IpcFile
from zmqtopo.broker.rebind import rebind, remake_folder
from zmqtopo.broker.sockets import AnySocket, close, open_socket, set_options
from zmqtopo.broker.subscriptions import prepare
from zmqtopo.broker.unread import count_unread
from zmqtopo.config.model import ROLES, ContextSettings, Device, Role, Socket
from zmqtopo.loop import UNCHECKED, Subscriptions, relay
from zmqtopo.runtime.limits import limit_options, loop_limits
from zmqtopo.runtime.options import settings, socket_options
from zmqtopo.runtime.orders import (
    Adapt,
    Adapted,
    Bind,
    Bound,
    Connect,
    End,
    Event,
    Failed,
    Held,
    Hold,
    Order,
    Pause,
    Paused,
    Ready,
    Reconnect,
    Resume,
    Resumed,
    Stop,
    Stopped,
    Unsent,
)

ROOM = 16383
"""Sockets that a context has room for when nobody says otherwise: a reload may bring more devices, and it cannot be
raised once there is a socket. libzmq's own 1023 are reached by 512 devices; these cost 120 kB and 60 microseconds."""

TICK = 0.001
"""Seconds by which libzmq's clock may be late when it begins to count, and its timer early."""

MEMORY = 10.0
"""Seconds after which the sockets of a device that has ended and sends no more have long been closed, a thousand times
as many as libzmq's I/O thread takes, and nobody asks for them any more."""


USUAL = (zmq.ZMQError, OSError, TypeError, ValueError, OverflowError)
"""What pyzmq and the system raise for a value or an address that they do not take."""

_ROLES = tuple(f"{role}: " for role in ROLES)


@dataclass(frozen=True, slots=True)
class _Request:
    """What a loop is told: commands that end with a c, for which it does what ``order`` says and posts ``answer``."""

    commands: bytes
    order: Reconnect | Adapt | None
    answer: Event | None


@dataclass
class _Running:
    """A device of this process."""

    device: Device
    block: CounterBlock
    post: Callable[[Event], None]
    inproc: InprocNames
    connections: Connections = field(default_factory=dict)
    sockets: dict[Role, AnySocket] = field(default_factory=dict)
    ipc_files: list[IpcFile] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    """What its sockets have bound, as it was ordered and as it became."""
    names: list[tuple[AnySocket, str]] = field(default_factory=list)
    """The inproc addresses that its sockets have bound."""
    control: Control = field(default_factory=Control)
    thread: threading.Thread | None = None
    requests: deque[_Request] = field(default_factory=deque)
    """The first has been sent to the loop, the others are sent one by one: its socket never fills."""
    requesting: threading.Lock = field(default_factory=threading.Lock)
    subscriptions: Subscriptions = UNCHECKED
    deadline: float | None = None
    """When a stop must be over, on the monotonic clock."""
    before: int = field(init=False)
    """What was sent in earlier runs."""

    def __post_init__(self) -> None:
        self.before = self._sent

    @property
    def _sent(self) -> int:
        counters = self.block.read()
        return counters.in_to_out.messages + counters.out_to_in.messages + counters.mon.messages

    @property
    def has_sent(self) -> bool:
        """Whether it has given libzmq something to send."""
        return self._sent > self.before

    @property
    def monitoring(self) -> tuple[bytes | None, bytes | None, bool]:
        """What a loop has to know of the monitor: the prefixes, and whether one that is full stops its direction."""
        mon = self.device.mon
        return (mon.prefix_in, mon.prefix_out, mon.overflow == "block") if mon else (None, None, True)

    def request(self, request: _Request) -> None:
        """Have the loop obey, without waiting for it; that a loop ends instead is an event of its own."""
        with self.requesting:
            self.requests.append(request)
            if len(self.requests) == 1:
                self._send(request)

    def _send(self, request: _Request) -> None:
        # The event is the answer; those of the loop to single bytes are taken away, so that it can always give them.
        with contextlib.suppress(OSError):
            self.control.owner.recv(4096, system.MSG_DONTWAIT)
        self.control.send(request.commands)

    def attend(self) -> tuple[bytes | None, bytes | None, bool]:
        """What the loop calls in its own thread, the only one that may touch the sockets while it runs."""
        request = self.requests[0]
        order = request.order
        if isinstance(order, Adapt):
            for socket in order.device.sockets:
                set_options(self.sockets[socket.role], socket.role, settings(socket, order.settings))
            self.device = order.device
        elif order is not None:
            for role, addresses in order.connects.items():
                for address in addresses:
                    self.inproc.connect(self.sockets[role], role, address, self.connections)
        if request.answer is not None:
            self.post(request.answer)
        with self.requesting:
            self.requests.popleft()
            if self.requests:
                self._send(self.requests[0])
        return self.monitoring

    def hold(self) -> None:
        """Obey as a paused loop does until there is a command to begin with: a loop begins with moving messages."""
        worker = self.control.worker
        poll = select.poll()
        poll.register(worker, select.POLLIN)
        while poll.poll() and (command := worker.recv(1, system.MSG_PEEK)) in (b"p", b"c"):
            worker.recv(1)
            if command == b"c":
                self.attend()
            worker.send(command)

    def close(self, *, now: bool = False) -> float:
        """Close the sockets; returns when the last LINGER is over at the earliest, which the end of a stop bounds."""
        for file in self.ipc_files:
            file.remove()
        for socket, name in self.names:
            # Closing is left to another thread, and until then who connects to the name is connected to a socket that
            # ends; unbinding is done at once, and ends no connection.
            self.inproc.unbind(socket, name)
        begun = time.monotonic() - TICK
        linger = max((close(socket, self.deadline, now=now) for socket in self.sockets.values()), default=0)
        self.control.worker.close()
        return begun + linger / 1000


class Host:
    """Carries out orders for the devices of this process and posts what becomes of them.

    Orders come from one thread; ``post`` is called from that thread and from those of the devices. A context that is
    given is left alone at the end.
    """

    def __init__(
        self,
        settings: ContextSettings,
        sockets: int,
        post: Callable[[Event], None],
        context: zmq.Context[Any] | None = None,
    ) -> None:
        """``sockets`` is how many the devices have together."""
        self.context = context if context is not None else zmq.Context(settings.io_threads)
        self._owns_context = context is None
        if context is None:
            self.context.max_sockets = settings.max_sockets or max(ROOM, 2 * sockets)
        self._post = post
        self._devices: dict[str, _Running] = {}
        self._inproc = InprocNames()
        self._closed: dict[str, float] = {}
        """Devices with something to send that have been closed lately, and until when they may; the last comes last."""
        self._left: dict[str, float] = {}
        """Addresses that devices had bound until lately, and when those were closed."""
        self._closing = threading.Lock()

    def execute(self, order: Order) -> None:
        """Carry out an order. Errors of devices are posted, never raised."""
        match order:
            case Bind() if order.device.name in self._devices:
                name = order.device.name
                self._post(Failed(name, f"{name}: cannot start: its thread of before has not ended"))
            case Bind():
                self._guard(order.device.name, lambda: self._bind(order))
            case Connect():
                self._guard(order.name, lambda: self._connect(order))
            case Stop():
                self._stop(order)
            case Pause(name):
                self._request(name, b"pc", None, Paused(name))
            case Hold(name):
                self._request(name, b"pc", None, Held(name))
            case Resume(name):
                self._request(name, b"rc", None, Resumed(name))
            case Reconnect(name):
                self._request(name, b"c", order, None)
            case Adapt(name, device):
                self._request(name, b"c", order, Adapted(name, device))
            case End():
                self.end()

    def end(self) -> None:
        """End the context; blocks until all is sent or every LINGER is over, and posts whose may have been too short.

        libzmq does not say what it has thrown away, nor whose it was.
        """
        if self._owns_context:
            begun = time.monotonic()
            self.context.term()
            ended = time.monotonic()
            for name, until in self._closed.items():
                # It ends earlier when everything has been sent.
                if begun < until <= ended:
                    self._post(Unsent(name))

    def stop_all(self) -> None:
        """Tell every device to end at once."""
        for name in list(self._devices):
            self._stop(Stop(name, 0))

    def abandon(self) -> None:
        """Stop every device at once and wait for its thread."""
        threads = [running.thread for running in list(self._devices.values())]
        self.stop_all()
        for thread in threads:
            if thread is not None:
                thread.join()

    def _guard(self, name: str, step: Callable[[], None]) -> None:
        """Run one step of a start; whatever goes wrong closes the device's sockets and is posted."""
        try:
            step()
        except Exception as error:      # whatever a file says, it is the end of that device and of nothing else
            self._drop(name)
            self._post(Failed(name, _text(name, error)))

    def _bind(self, order: Bind) -> None:
        device = order.device
        assert order.block is not None
        running = self._devices[device.name] = _Running(device, order.block, self._post, self._inproc)
        options = {
            socket.role: [*limit_options(device, socket), *socket_options(socket)] for socket in device.sockets
        }
        for socket in device.sockets:
            running.sockets[socket.role] = open_socket(
                self.context, socket.role, zmq.SocketType[socket.type], options[socket.role]
            )
            for address in set(order.binds[socket.role]) - {address.text for address in socket.bind}:
                remake_folder(address, _access(socket))
        running.subscriptions = prepare({role: (socket, options[role]) for role, socket in running.sockets.items()})
        endpoints = {
            socket.role: tuple(
                self._bind_one(running, socket, address, patient=order.patient)
                for address in order.binds[socket.role]
            )
            for socket in device.sockets
        }
        self._post(Bound(device.name, endpoints))

    def _bind_one(self, running: _Running, socket: Socket, address: str, *, patient: bool) -> str:
        role = socket.role
        closed = time.monotonic() if patient else self._left.get(address)
        endpoint = rebind(running.sockets[role], role, address, running.ipc_files, closed, _access(socket))
        running.addresses |= {address, endpoint}
        if endpoint.startswith(PREFIX):
            running.names.append((running.sockets[role], endpoint))
            self._inproc.note_bound(endpoint)
        return endpoint

    def _connect(self, order: Connect) -> None:
        running = self._devices[order.name]
        for role, socket in running.sockets.items():
            for address in order.connects[role]:
                self._inproc.connect(socket, role, address, running.connections)
        # libzmq lets a socket move to another thread when a full memory fence lies between; starting one is such.
        running.thread = threading.Thread(
            target=self._run, args=(running, order.paused), name=f"zmqtopo {order.name}", daemon=True
        )
        try:
            running.thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"cannot run: {error}") from None
        self._post(Ready(order.name))

    def _stop(self, order: Stop) -> None:
        running = self._devices.get(order.name)
        if running is None:
            return
        running.deadline = time.monotonic() + order.timeout
        running.control.send(b"s" if order.timeout > 0 else b"n")
        if running.thread is None:
            self._drop(order.name)
            self._post(Stopped(order.name))

    def _request(self, name: str, commands: bytes, order: Reconnect | Adapt | None, answer: Event | None) -> None:
        """Tell a loop something; it posts ``answer`` when it has obeyed. One that has ended is an event of its own."""
        running = self._devices.get(name)
        if running is not None and running.thread is not None:
            running.request(_Request(commands, order, answer))

    def _drop(self, name: str) -> None:
        running = self._devices.pop(name, None)
        if running is not None:
            self._close(running, now=True)

    def _close(self, running: _Running, *, now: bool) -> None:
        until = running.close(now=now)
        with self._closing:     # in the threads of many devices
            if running.has_sent:
                _note(self._closed, running.device.name, until)
            for address in running.addresses:
                _note(self._left, address, time.monotonic())

    def _run(self, running: _Running, paused: bool) -> None:
        name = running.device.name
        event: Event = Failed(name, f"{name}: internal error")      # the thread's traceback says more
        now = True
        try:
            if paused:
                running.hold()
            prefix_in, prefix_out, blocks = running.monitoring
            now = relay(
                *running.sockets.values(),
                control=running.control.worker.fileno(),
                block=running.block.memory,
                prefix_in=prefix_in,
                prefix_out=prefix_out,
                overflow="block" if blocks else "drop",
                attend=running.attend,
                limits=loop_limits(running.device),
                subscriptions=running.subscriptions,
            )
            if now:
                count_unread(running.sockets, running.block)
            event = Stopped(name)
        except zmq.ContextTerminated:
            event = Stopped(name)
        except Exception as error:
            event = Failed(name, _text(name, error))
            if not isinstance(error, USUAL):
                raise
        finally:
            self._devices.pop(name, None)
            self._close(running, now=now)
            self._post(event)


def _access(socket: Socket) -> Access | None:
    return Access(socket.mode, socket.group) if socket.mode is not None else None


def _note(times: dict[str, float], name: str, at: float) -> None:
    """Put a time at the end, and forget the first ones that are of no interest any more."""
    times.pop(name, None)
    times[name] = at
    long_ago = time.monotonic() - MEMORY
    for other in list(itertools.takewhile(lambda other: times[other] < long_ago, times)):
        del times[other]


def _text(name: str, error: Exception) -> str:
    # What concerns a socket begins with its role, and DEVICE.ROLE is how the file refers to it; an error of the system
    # that concerns none has its number.
    if isinstance(error, OSError) and error.errno:
        return f"{name}: {error.strerror}"
    if not isinstance(error, USUAL):
        return f"{name}: internal error: {type(error).__name__}: {error}"
    return f"{name}{'.' if str(error).startswith(_ROLES) else ': '}{error}"
