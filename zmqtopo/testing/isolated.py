"""A topology at addresses that nobody else has, so that tests can run side by side and beside the real one."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from zmqtopo.api import Running, arguments
from zmqtopo.config.endpoint import Endpoint, parse
from zmqtopo.config.model import Address, Device, MonSocket, Reference, Socket, Topology
from zmqtopo.supervisor.reload.plan import Plan

_WITH_PORT: Final = frozenset({"tcp", "ws", "wss"})

Key = tuple[str, str, int | str]
"""Transport, host (empty for this machine) and port; or ipc, nothing and the path. Equal keys are one place."""


class Elsewhere(Running):
    """A running topology whose ports and ipc paths are others than those of its file: see `where`.

    An address on another machine becomes one here too, so that a test can play the part of that machine. inproc names
    stay, since no other process sees them, and so do addresses that the system chooses, and multicast.
    """

    def __init__(self, topology: Topology) -> None:
        """Start every device. Raises `zmqtopo.StartError`."""
        self._places: dict[Key, Endpoint] = {}
        self._holders: list[socket.socket] = []
        self._folder = tempfile.mkdtemp(prefix="zmqtopo-")      # short: ipc paths have 107 bytes at most
        try:
            super().__init__(self._moved_topology(topology))
        except BaseException:
            self._let_go()
            raise

    def where(self, address: str) -> str:
        """The address here that stands for one of the file, to connect to or, in the place of a peer, to bind.

        Raises LookupError for an address that no device has.
        """
        endpoint = parse(address)
        key = _key(endpoint)
        if key is None:
            return address
        if key not in self._places:
            raise LookupError(f"no device of {self.topology.name} binds or connects to {address}")
        return str(_at(self._places[key], endpoint))

    def reload(self, topology: str | os.PathLike[str] | Mapping[str, Any] | Topology) -> Plan:
        """As `Running.reload`; what was somewhere before stays there."""
        return super().reload(self._moved_topology(arguments.topology(topology)))

    def stop(self, timeout: float | None = None) -> None:
        """As `Running.stop`; the addresses are given back."""
        super().stop(timeout)
        self._let_go()

    def _let_go(self) -> None:
        while self._holders:
            self._holders.pop().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _moved_topology(self, topology: Topology) -> Topology:
        return replace(topology, devices={
            name: self._moved_device(device) for name, device in topology.devices.items()
        })

    def _moved_device(self, device: Device) -> Device:
        mon = device.mon and self._moved_socket(device.mon)
        assert mon is None or isinstance(mon, MonSocket)
        return replace(device, in_=self._moved_socket(device.in_), out=self._moved_socket(device.out), mon=mon)

    def _moved_socket(self, socket_: Socket) -> Socket:
        return replace(
            socket_,
            bind=tuple(self._moved(address) for address in socket_.bind),
            connect=tuple(to if isinstance(to, Reference) else self._moved(to) for to in socket_.connect),
        )

    def _moved(self, address: Address) -> Address:
        endpoint = address.endpoint
        key = None if endpoint is None else _key(endpoint)
        if endpoint is None or key is None:
            return address
        if key not in self._places:
            self._places[key] = self._place(endpoint)
        moved = _at(self._places[key], endpoint)
        return Address(str(moved), moved, address.place)

    def _place(self, endpoint: Endpoint) -> Endpoint:
        if endpoint.transport == "ipc":
            return Endpoint("ipc", path=f"{self._folder}/{len(self._places)}")
        holder = socket.socket()
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        if sys.platform == "linux":
            # See `zmqtopo.broker.sockets.hold_port`: the port stays ours, and libzmq can bind it all the same.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._holders.append(holder)
        else:
            holder.close()
        return Endpoint(endpoint.transport, "127.0.0.1", port)


def _key(endpoint: Endpoint) -> Key | None:
    """What place an address names; None for one that stays as it is."""
    if endpoint.transport == "ipc" and not endpoint.is_system_port:
        return "ipc", "", endpoint.path
    if endpoint.transport in _WITH_PORT and endpoint.port is not None:
        return endpoint.transport, "" if endpoint.is_local else endpoint.host, endpoint.port
    return None


def _at(place: Endpoint, endpoint: Endpoint) -> Endpoint:
    """An endpoint at another place: ws has a path behind the port."""
    return replace(place, path=endpoint.path) if endpoint.transport in _WITH_PORT else place
