"""Proxies that a program steers by messages on a control socket, with the commands of zmq_proxy_steerable(3)."""

from __future__ import annotations

import contextlib
import socket as system
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import zmq

from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.sockets import AnySocket
from zmqtopo.devices.base import SocketRole
from zmqtopo.devices.monitored import ProcessProxy, Proxy, ProxyBase, ThreadProxy

ANSWER_TIMEOUT = 5.0
"""Seconds that a loop has to answer; it needs less than 0.1."""

TERMINATE_TIMEOUT = 5.0
"""Seconds that what has been received may take to be passed on after TERMINATE, as after `Device.stop`."""

_TO_LOOP = {b"PAUSE": b"p", b"RESUME": b"r"}


class ProxySteerableBase(ProxyBase):
    """What a control socket adds to a proxy.

    PAUSE, RESUME and TERMINATE do what `Device.pause`, `Device.resume` and `Device.stop` do; STATISTICS is answered by
    eight frames of 64-bit numbers in native byte order: messages and bytes received and sent by the in socket, then by
    the out socket. A control socket of type REP answers each other message, known or not, with an empty one; those of
    type PAIR and DEALER answer STATISTICS alone. (libzmq counts frames, and in its release 4.3.5 PAUSE does nothing.)
    """

    def __init__(self, in_type: int, out_type: int, mon_type: int = zmq.PUB, ctrl_type: int | None = None) -> None:
        super().__init__(in_type=in_type, out_type=out_type, mon_type=mon_type)
        self.ctrl_type = ctrl_type
        self._ctrl_binds: list[str] = []
        self._ctrl_connects: list[str] = []
        self._ctrl_sockopts: list[tuple[int, Any]] = []

    def bind_ctrl(self, addr: str) -> None:
        """Have the control socket bind ``addr`` when the device starts."""
        self._ctrl_binds.append(addr)

    def bind_ctrl_to_random_port(self, addr: str, *args: int, **kwargs: int) -> int:
        """Have it bind a free port of ``addr`` (``tcp://HOST``), chosen and returned now."""
        port = self._reserve_random_port(addr, *args, **kwargs)
        self.bind_ctrl(f"{addr}:{port}")
        return port

    def connect_ctrl(self, addr: str) -> None:
        """Have the control socket connect to ``addr`` when the device starts."""
        self._ctrl_connects.append(addr)

    def setsockopt_ctrl(self, opt: int, value: Any) -> None:
        """Set an option of the control socket before it binds or connects."""
        self._ctrl_sockopts.append((opt, value))

    def _setup_sockets(self) -> tuple[AnySocket, ...]:  # type: ignore[override]  # mon and ctrl too
        """Make all sockets and report ready when there are no others to make. Raises TypeError without a ctrl_type."""
        return self._open(ProxySteerableBase._roles(self))

    def _roles(self) -> Iterator[SocketRole]:
        yield from super()._roles()
        if self.ctrl_type is None:
            raise TypeError("ctrl_type must be specified")
        yield "ctrl", self.ctrl_type, self._ctrl_sockopts, self._ctrl_binds, self._ctrl_connects

    def _relay(self, control: system.socket | None = None) -> bool:
        ctrl = self._broker.sockets["ctrl"]
        outer = control or (self._control.worker if self._control is not None else None)
        inner = Control()
        steering = threading.Thread(target=_Steering(ctrl, outer, inner, self._block).run, name="steering")
        steering.start()
        try:
            return super()._relay(inner.worker)
        finally:
            inner.worker.close()
            steering.join()
            inner.close()


class _Steering:
    """Hands on to a loop what its owner says and what comes by the control socket, in a thread beside it."""

    def __init__(self, ctrl: AnySocket, outer: system.socket | None, inner: Control, block: CounterBlock) -> None:
        self._ctrl, self._outer, self._inner, self._block = ctrl, outer, inner, block
        self._poller = zmq.Poller()
        self._poller.register(ctrl, zmq.POLLIN)
        self._poller.register(inner.owner, zmq.POLLIN)
        if outer is not None:
            self._poller.register(outer, zmq.POLLIN)
        self._deadline: float | None = None

    def run(self) -> None:
        """Until the loop has ended, which closes its end of ``inner``, or the context has."""
        with contextlib.suppress(zmq.ContextTerminated):
            while self._step():
                continue

    def _step(self) -> bool:
        wait = None if self._deadline is None else int(max(self._deadline - time.monotonic(), 0) * 1000)
        ready = dict(self._poller.poll(wait))
        if self._inner.owner.fileno() in ready:
            return False
        if not ready and self._deadline is not None:
            self._deadline = None
            self._inner.send(b"n")
        if self._outer is not None and self._outer.fileno() in ready:
            self._hand_on(self._outer)
        if self._ctrl in ready:
            self._obey(self._ctrl.recv_multipart(zmq.DONTWAIT)[0])
        return True

    def _hand_on(self, outer: system.socket) -> None:
        commands = outer.recv(16)
        if not commands:    # the owner is gone
            self._poller.unregister(outer)
            self._inner.send(b"n")
        for command in commands:
            self._to_loop(bytes([command]))
            with contextlib.suppress(OSError):
                outer.send(bytes([command]))

    def _to_loop(self, command: bytes) -> None:
        with contextlib.suppress(TimeoutError):
            self._inner.ask(command, ANSWER_TIMEOUT)

    def _obey(self, command: bytes) -> None:
        if command in _TO_LOOP:
            self._to_loop(_TO_LOOP[command])
        if command == b"STATISTICS" and self._ctrl.type in (zmq.REP, zmq.PAIR, zmq.DEALER):
            self._answer(*self._statistics())
        elif self._ctrl.type == zmq.REP:
            self._answer(b"")
        if command == b"TERMINATE":
            self._deadline = time.monotonic() + TERMINATE_TIMEOUT
            self._to_loop(b"s")

    def _answer(self, *frames: bytes) -> None:
        with contextlib.suppress(zmq.Again):    # nobody is there any more
            self._ctrl.send_multipart(frames, zmq.DONTWAIT)

    def _statistics(self) -> list[bytes]:
        counters = self._block.read()
        there, back = ((flow.messages, flow.bytes) for flow in (counters.in_to_out, counters.out_to_in))
        return [struct.pack("=Q", number) for number in (*there, *back, *back, *there)]


class ProxySteerable(ProxySteerableBase, Proxy):
    """A `Proxy` with a control socket; runs in the caller's thread."""


class ThreadProxySteerable(ProxySteerableBase, ThreadProxy):
    """A `ProxySteerable` in a thread."""


class ProcessProxySteerable(ProxySteerableBase, ProcessProxy):
    """A `ProxySteerable` in a process."""
