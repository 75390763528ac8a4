"""The devices of one process: their context, their sockets and a thread for each."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import zmq

from zmqtopo.broker.broker import Broker, LoopSettings, SocketPlan
from zmqtopo.broker.control import Control
from zmqtopo.broker.inproc import InprocNames
from zmqtopo.broker.ipc import Access, remake_folder
from zmqtopo.broker.option_values import settings, socket_options
from zmqtopo.broker.peers.connections import count_nothing
from zmqtopo.broker.rebind import RecentTimes, may_be_closing
from zmqtopo.broker.sockets import set_options
from zmqtopo.config.model import ROLES, ContextSettings, Device
from zmqtopo.worker.admission import Admission
from zmqtopo.worker.limits import limit_options, loop_limits
from zmqtopo.worker.peers import PeerReports
from zmqtopo.worker.protocol import (
    Adapt,
    Adapted,
    Admit,
    Bind,
    Bound,
    CloseTap,
    Connect,
    DropPeer,
    End,
    Endpoints,
    Event,
    Failed,
    OpenTap,
    Order,
    Pause,
    Paused,
    Quiesce,
    Quiesced,
    Ready,
    Reconnect,
    Resume,
    Resumed,
    Stop,
    Stopped,
    TapOpened,
    TellPeers,
    Unsent,
)

MAX_SOCKETS = 16383
"""Sockets that a context has room for when nobody says otherwise: a reload may bring more devices, and it cannot be
raised once there is a socket. libzmq's own 1023 are reached by 256 devices; these cost 120 kB and 60 microseconds."""

LIBZMQ_LIMIT = 65535
"""ZMQ_SOCKET_LIMIT of zmq_ctx_get(3)."""

OWN_SOCKETS = 3
"""Room for each socket of a device: one for itself, one to note its peers, and one for whoever taps it."""

USUAL = (zmq.ZMQError, OSError, TypeError, ValueError, OverflowError)
"""What pyzmq and the system raise for a value or an address that they do not take."""

_ROLES = tuple(f"{role}: " for role in ROLES)


@dataclass
class _Running:
    """A device of this process."""

    device: Device
    broker: Broker
    control: Control
    thread: threading.Thread | None = None
    binding: threading.Thread | None = None
    """Binds addresses that may have to be waited for."""
    before: int = field(init=False)
    """What was sent in earlier runs."""

    def __post_init__(self) -> None:
        self.before = self._sent

    @property
    def _sent(self) -> int:
        counters = self.broker.block.read()
        return counters.in_to_out.messages + counters.out_to_in.messages + counters.mon.messages

    @property
    def has_sent(self) -> bool:
        """Whether it has given libzmq something to send."""
        return self._sent > self.before

    def become(self, device: Device) -> None:
        """Take over what the loop has to know of a device."""
        self.device = device
        mon = device.mon
        self.broker.settings = LoopSettings(
            mon.prefix_in if mon else None,
            mon.prefix_out if mon else None,
            mon.overflow if mon else "block",
            loop_limits(device),
        )


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
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """``sockets`` is how many the devices have together; ``has_room`` says whether ``post`` returns at once."""
        self.context = context if context is not None else zmq.Context(settings.io_threads)
        self._owns_context = context is None
        self._max_sockets = settings.max_sockets if context is None else None
        if context is None:
            # What a file allows is for the sockets of devices; those that watch them come on top.
            most = OWN_SOCKETS * (settings.max_sockets + 1) if settings.max_sockets else max(MAX_SOCKETS, 4 * sockets)
            self.context.max_sockets = min(most, LIBZMQ_LIMIT)
        self._post = post
        self._peers = PeerReports(self.context, post, has_room)
        # In a context of the program's most of the room is the program's.
        self._notes_peers = context is None or int(context.get(zmq.MAX_SOCKETS)) > 4 * sockets
        self._devices: dict[str, _Running] = {}
        self._inproc = InprocNames()
        self._admission = Admission(self.context, post, self._peers.monitor.note_user)
        self._closed = RecentTimes()
        """Devices with something to send that have been closed lately, and until when they may."""

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
            case Admit(name, policies):
                self._admission.admit(policies)
                self._peers.monitor.cut_refused(name)
            case Stop():
                self._stop(order)
            case Pause(name):
                self._call(name, b"pc", None, Paused(name))
            case Quiesce(name):
                self._call(name, b"pc", None, Quiesced(name))
            case Resume(name):
                self._call(name, b"rc", None, Resumed(name))
            case Reconnect(name, connects):
                self._call(name, b"c", partial(_connect, connects=connects), None)
            case Adapt(name, device):
                self._call(name, b"c", partial(_adapt, order=order), Adapted(name, device))
            case OpenTap(name):
                self._call(name, b"c", partial(self._open_tap, order=order), None)
            case CloseTap(name, overflow):
                self._call(name, b"c", lambda running: running.broker.close_tap(overflow), None)
            case TellPeers() | DropPeer():
                self._peers.answer(order)
            case End():
                self.end()

    def end(self) -> None:
        """End the context; blocks until all is sent or every LINGER is over, and posts whose may have been too short.

        libzmq does not say what it has thrown away, nor whose it was.
        """
        self._inproc.close()
        self._peers.monitor.close()
        self._admission.close()
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
            self._fail(name, error)

    def _fail(self, name: str, error: Exception) -> None:
        self._drop(name)
        self._post(Failed(name, _text(name, error)))

    def _bind(self, order: Bind) -> None:
        device = order.device
        assert order.block is not None
        control = Control()
        self._check_room(device)
        running = _Running(device, Broker(order.block, control, self._inproc, device.name), control)
        self._devices[device.name] = running
        running.become(device)
        plans = [
            SocketPlan(
                socket.role, zmq.SocketType[socket.type], [*limit_options(device, socket), *socket_options(socket)],
                order.binds[socket.role], Access(socket.mode, socket.group) if socket.mode is not None else None,
            )
            for socket in device.sockets
        ]
        self._admission.admit(order.policies)      # before any of its sockets is bound
        running.broker.open(self.context, plans)
        if device.peers and self._notes_peers:
            self._peers.monitor.attach(device.name, running.broker.sockets, order.block)
        else:
            count_nothing(order.block, off=True)
        for plan, socket in zip(plans, device.sockets, strict=True):
            for address in set(plan.binds) - {address.text for address in socket.bind}:
                remake_folder(address, plan.access)
        if order.patient or any(may_be_closing(address) for plan in plans for address in plan.binds):
            # The orders for other devices do not wait for it.
            running.binding = _start_thread(device.name, partial(self._bind_patiently, running, plans, order.patient))
        else:
            self._bind_addresses(running, plans, patient=False)

    def _check_room(self, device: Device) -> None:
        """Raise zmq.ZMQError when the file does not allow this process as many sockets."""
        held = sum(len(running.broker.sockets) for running in self._devices.values())
        if self._max_sockets is not None and held + len(list(device.sockets)) > self._max_sockets:
            raise zmq.ZMQError(errno.EMFILE, f"cannot make its sockets: the file allows a process {self._max_sockets}; "
                               "raise max_sockets")

    def _bind_patiently(self, running: _Running, plans: list[SocketPlan], patient: bool) -> None:
        try:
            self._bind_addresses(running, plans, patient=patient)
        except Exception as error:
            if not running.control.is_stopping:     # else the sockets are closed where this thread is waited for
                self._fail(running.device.name, error)

    def _bind_addresses(self, running: _Running, plans: list[SocketPlan], *, patient: bool) -> None:
        device = running.device
        endpoints = running.broker.bind(plans, patient=patient)
        self._post(Bound(device.name, {socket.role: endpoints[socket.role] for socket in device.sockets}))

    def _connect(self, order: Connect) -> None:
        running = self._devices[order.name]
        if running.binding is not None:     # it has posted that all is bound, and ends
            running.binding.join()
        self._peers.monitor.connecting(order.name, order.connects)
        _connect(running, order.connects)
        # libzmq lets a socket move to another thread when a full memory fence lies between; starting one is such.
        running.thread = _start_thread(order.name, partial(self._run, running, order.paused))
        self._post(Ready(order.name, running.thread.native_id))

    def _stop(self, order: Stop) -> None:
        running = self._devices.get(order.name)
        if running is None:
            return
        running.control.stop(order.timeout, fed=order.fed)
        if running.binding is not None:     # it waits no longer
            running.binding.join()
        if running.thread is None and self._drop(order.name):
            self._post(Stopped(order.name))

    def _call(
        self, name: str, commands: bytes, action: Callable[[_Running], None] | None, answer: Event | None
    ) -> None:
        """Have a loop do something; it posts ``answer`` when it has. One that has ended is an event of its own."""
        running = self._devices.get(name)
        if running is None or running.thread is None:
            return

        def act() -> None:
            if action is not None:
                action(running)
            if answer is not None:
                self._post(answer)

        running.broker.call(commands, act)

    def _open_tap(self, running: _Running, order: OpenTap) -> None:
        error = ""
        try:
            running.broker.open_tap(order.overflow, order.folder, order.file)
        except (zmq.ZMQError, OSError) as problem:      # that nobody can look on is no reason to end a device
            error = f"{order.name}: cannot be tapped: {problem.strerror}"
        self._post(TapOpened(order.name, order.overflow, error))

    def _drop(self, name: str) -> bool:
        """Close a device that does not run; whether it was there."""
        running = self._devices.pop(name, None)
        if running is not None:
            self._close(running, now=True)
        return running is not None

    def _close(self, running: _Running, *, now: bool) -> None:
        self._peers.monitor.detach(running.device.name, running.broker.sockets)
        until = running.broker.close(now=now)
        running.control.worker.close()
        if running.has_sent:
            self._closed.note(running.device.name, until)

    def _run(self, running: _Running, paused: bool) -> None:
        name = running.device.name
        event: Event = Failed(name, f"{name}: internal error")      # the thread's traceback says more
        now = True
        try:
            now = running.broker.relay(paused=paused)
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


def _connect(running: _Running, connects: Endpoints) -> None:
    for role, addresses in connects.items():
        for address in addresses:
            running.broker.connect(role, address)


def _adapt(running: _Running, order: Adapt) -> None:
    for socket in order.device.sockets:
        set_options(running.broker.sockets[socket.role], socket.role, settings(socket, order.settings))
    running.become(order.device)


def _start_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Raises OSError when the system has no room for a thread."""
    thread = threading.Thread(target=target, name=f"zmqtopo {name}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, f"cannot run: {error}") from None
    return thread


def _text(name: str, error: Exception) -> str:
    # What concerns a socket begins with its role, and DEVICE.ROLE is how the file refers to it; an error of the system
    # that concerns none has its number.
    if isinstance(error, OSError) and error.errno:
        return f"{name}: {error.strerror}"
    if not isinstance(error, USUAL):
        return f"{name}: internal error: {type(error).__name__}: {error}"
    return f"{name}{'.' if str(error).startswith(_ROLES) else ': '}{error}"
