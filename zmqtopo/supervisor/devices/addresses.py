"""The addresses that devices bind and connect to, from what has really been bound, and what has to connect again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zmqtopo.config.model import Device, Reference, Role, Topology
from zmqtopo.config.reference import Bound, chosen
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.worker.protocol import Connect, Endpoints, Order, Reconnect


class Connections:
    """What the devices of a topology have bound, and which of them have connected since."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._bound: dict[tuple[str, Role], tuple[str, ...]] = {}
        self._turn = 0

    def adopt(self, topology: Topology, devices: Mapping[str, DeviceState]) -> None:
        """Go over to another topology and its devices."""
        self._topology = topology
        self._bound = {(name, role): addresses for name, device in devices.items()
                       for role, addresses in device.endpoints.items()}

    def next_turn(self) -> int:
        """A number that is larger than those before it."""
        self._turn += 1
        return self._turn

    def note_bound(self, device: DeviceState, endpoints: Endpoints) -> Bound:
        """A device has bound these addresses; what all had bound before."""
        # In a start of many nobody has connected yet, and a copy for each would take long.
        before = {} if device.starts_together else self._bound.copy()
        device.endpoints = endpoints
        self._bound.update({(device.name, role): addresses for role, addresses in endpoints.items()})
        return before

    def connect(self, device: DeviceState, devices: Mapping[str, DeviceState]) -> list[Order]:
        """Orders that connect a device that is bound, and those that were connected to it before it was closed."""
        device.connected = self.next_turn()
        paused = device.desired_state == "pause" or device.quiesce != "no"
        orders: list[Order] = [Connect(device.name, connects(device.spec, self._topology, self._bound), paused)]
        if not device.closed:
            return orders
        addresses = {address for some in device.endpoints.values() for address in some}
        for other in devices.values():
            # One that was told to connect since this was closed has connected to what is bound now.
            connected = other.works or (other.state == "starting" and other.connected > other.closed)
            if connected and other.spec.process == device.spec.process and other.connected < device.closed:
                again = lost(other.spec, self._topology, self._bound, addresses)
                if any(again.values()):
                    orders.append(Reconnect(other.name, again))
        return orders

    def connect_late(self, before: Bound, devices: Mapping[str, DeviceState]) -> list[Order]:
        """Orders that connect those which had to leave out an address that the system has only now chosen."""
        orders: list[Order] = []
        if self._bound == before:
            return orders
        for other in devices.values():
            # One that has ended since it was connected connects to what is bound now when it starts again.
            if other.connected > other.closed and (other.works or other.state == "starting"):
                more = late(other.spec, self._topology, before, self._bound)
                if any(more.values()):
                    orders.append(Reconnect(other.name, more))
        return orders


def binds(device: DeviceState) -> Endpoints:
    """What to bind; a port that the system chose stays the same when the device is restarted: others know it."""
    found = {}
    for socket in device.spec.sockets:
        before = device.endpoints.get(socket.role, ())
        found[socket.role] = tuple(
            before[i] if before and address.endpoint and address.endpoint.is_system_port else address.text
            for i, address in enumerate(socket.bind)
        )
    return found


def connects(device: Device, topology: Topology, bound: Bound) -> Endpoints:
    """What to connect to, each reference resolved; one whose address the system has yet to choose is left out."""
    return {
        socket.role: tuple(
            text for address in socket.connect
            if (text := _resolve(address, device, topology, bound) if isinstance(address, Reference) else address.text)
        )
        for socket in device.sockets
    }


def late(device: Device, topology: Topology, before: Bound, bound: Bound) -> Endpoints:
    """What `connects` has left out while only ``before`` was bound."""
    known = connects(device, topology, before)
    return {role: tuple(address for address in all_ if address not in known[role])
            for role, all_ in connects(device, topology, bound).items()}


def lost(device: Device, topology: Topology, bound: Bound, closed: Iterable[str]) -> Mapping[Role, tuple[str, ...]]:
    """Of what the device is connected to, the inproc addresses that were ``closed``: libzmq forgets those."""
    gone = {address for address in closed if address.startswith("inproc://")}
    if not gone:
        return {}
    found = connects(device, topology, bound)
    return {role: mine for role, all_ in found.items() if (mine := tuple(a for a in all_ if a in gone))}


def _resolve(reference: Reference, device: Device, topology: Topology, bound: Bound) -> str:
    """The address; empty as long as the system has not chosen it, because its device has never been started."""
    endpoint = chosen(reference, device, topology, bound)
    if endpoint is None:
        # A reference to nothing, where its rule was silenced, is no valid address: the device fails to connect to it.
        return reference.text
    return "" if endpoint.is_system_port else str(endpoint.reachable())
