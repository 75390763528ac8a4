"""Devices with a monitor socket, and the monitored queue as a function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zmq

from zmqtopo.broker.sockets import AnySocket
from zmqtopo.devices.background import ProcessDevice, ThreadDevice
from zmqtopo.devices.base import Device, SocketRole
from zmqtopo.loop import relay


def monitored_queue(
    in_socket: AnySocket,
    out_socket: AnySocket,
    mon_socket: AnySocket,
    in_prefix: bytes = b"in",
    out_prefix: bytes = b"out",
) -> None:
    """Move messages between two sockets and send ``[prefix, *frames]`` of each to a third.

    Between two ROUTER sockets the first two frames change places, so that a message goes to the peer it names; the
    monitor sees them as they are sent on. Runs until its context ends (zmq.ContextTerminated) or, in the main thread,
    a signal handler raises. Raises TypeError for a socket or a prefix that is none, and zmq.ZMQError as libzmq reports
    it.
    """
    for name, socket in (("in_socket", in_socket), ("out_socket", out_socket), ("mon_socket", mon_socket)):
        if not isinstance(socket, zmq.Socket):
            raise TypeError(f"{name} must be a zmq.Socket, not {type(socket).__name__}")
    relay(in_socket, out_socket, mon_socket, prefix_in=in_prefix, prefix_out=out_prefix)


class ProxyBase(Device):
    """What a third socket adds to a device."""

    def __init__(self, in_type: int, out_type: int, mon_type: int = zmq.PUB) -> None:
        super().__init__(in_type=in_type, out_type=out_type)
        self.mon_type = mon_type
        self._mon_binds: list[str] = []
        self._mon_connects: list[str] = []
        self._mon_sockopts: list[tuple[int, Any]] = []

    def bind_mon(self, addr: str) -> None:
        """Have the monitor socket bind ``addr`` when the device starts."""
        self._mon_binds.append(addr)

    def bind_mon_to_random_port(self, addr: str, *args: int, **kwargs: int) -> int:
        """Have it bind a free port of ``addr`` (``tcp://HOST``), chosen and returned now."""
        port = self._reserve_random_port(addr, *args, **kwargs)
        self.bind_mon(f"{addr}:{port}")
        return port

    def connect_mon(self, addr: str) -> None:
        """Have the monitor socket connect to ``addr`` when the device starts."""
        self._mon_connects.append(addr)

    def setsockopt_mon(self, opt: int, value: Any) -> None:
        """Set an option of the monitor socket before it binds or connects."""
        self._mon_sockopts.append((opt, value))

    def _setup_sockets(self) -> tuple[AnySocket, ...]:  # type: ignore[override]  # mon too
        """Make all sockets and report ready when there are no others to make."""
        return self._open(ProxyBase._roles(self))

    def _roles(self) -> Iterator[SocketRole]:
        yield from super()._roles()
        yield "mon", self.mon_type, self._mon_sockopts, self._mon_binds, self._mon_connects


class Proxy(ProxyBase):
    """A device whose messages are also sent, as they are, on a monitor socket; runs in the caller's thread."""


class ThreadProxy(ProxyBase, ThreadDevice):
    """A `Proxy` in a thread."""


class ProcessProxy(ProxyBase, ProcessDevice):
    """A `Proxy` in a process."""


class MonitoredQueueBase(ProxyBase):
    """What prefixes add to a proxy."""

    def __init__(
        self,
        in_type: int,
        out_type: int,
        mon_type: int = zmq.PUB,
        in_prefix: bytes = b"in",
        out_prefix: bytes = b"out",
    ) -> None:
        """Raises TypeError for a prefix that is not bytes."""
        for prefix in (in_prefix, out_prefix):
            if not isinstance(prefix, bytes):
                raise TypeError(f"a prefix must be bytes, not {type(prefix).__name__}")
        super().__init__(in_type, out_type, mon_type)
        self._in_prefix, self._out_prefix = in_prefix, out_prefix


class MonitoredQueue(MonitoredQueueBase, Proxy):
    """A `Proxy` that puts a prefix for each direction before what the monitor gets; see `monitored_queue`."""


class ThreadMonitoredQueue(MonitoredQueueBase, ThreadProxy):
    """A `MonitoredQueue` in a thread."""


class ProcessMonitoredQueue(MonitoredQueueBase, ProcessProxy):
    """A `MonitoredQueue` in a process."""
