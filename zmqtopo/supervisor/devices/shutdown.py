"""In which order devices stop: those that feed others first, and of each process so many at a time.

What is to be ordered of workers for that is returned; nothing here reaches a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.config.model import Device, Topology
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.worker.protocol import Order, Quiesce, Resume, Stop

MAX_CONCURRENT_STOPS = 200
"""Devices of one process that are told to stop while none of these has. Each ends in Python, and a thousand threads
that want the GIL keep each other from it: 2,000 took up to twelve seconds, and in groups of this size less than one."""


class Shutdown:
    """The devices that are to stop, from when they wait for their turn until they have.

    A stop of some devices quiesces those that go on feeding them; a stop of everything needs that not.
    """

    def __init__(self, topology: Topology, clock: Callable[[], float]) -> None:
        self.adopt(topology)
        self._clock = clock
        self._quiescing = Quiescing()
        self._stop_sent: dict[str, set[str]] = {}
        """By process the devices that have been told to stop and have not yet."""

    def adopt(self, topology: Topology) -> None:
        """From now on devices feed each other as they do there, which is found out when it is first needed."""
        self._topology = topology
        self._feeders: dict[str, frozenset[str]] | None = None

    @property
    def deadlines(self) -> list[float]:
        """When something is to be done though no event comes."""
        return self._quiescing.deadlines

    def act_on_time(self) -> list[Order]:
        """Stop those that are dry by now, and let those go on that were quiesced for others that have stopped."""
        dry, orders = self._quiescing.look(self._clock())
        return orders + [order for device in dry for order in self._drain(device)]

    def advance(self, devices: Mapping[str, DeviceState], *, everything: bool) -> list[Order]:
        """Stop those whose turn it is; with ``everything`` none is quiesced."""
        if not any(device.phase == "waiting" for device in devices.values()):
            return []
        if self._feeders is None:
            self._feeders = upstream(self._topology)
            self._patient = upstream(self._topology, only_patient=True)
            self._remote = upstream(self._topology, only_remote=True)
            self._givers = frozenset().union(*self._feeders.values())
        orders: list[Order] = []
        for device in next_to_stop(devices, self._feeders):
            if self._count_stop_sent(device) >= MAX_CONCURRENT_STOPS:
                continue
            feeders = [feeder for name in self._patient[device.name] if not (feeder := devices[name]).over]
            if feeders and device.running_since is not None and not everything:
                now = self._clock()
                device.on("quiesce", now)
                # The other half is for what has been sent by others, and for its way out.
                orders += self._quiescing.begin(device, feeders, self._left(device) / 2, now)
            else:
                orders += self._drain(device, fed=any(devices[name].over for name in self._remote[device.name]))
        return orders

    def advance_after(self, ended: DeviceState, devices: Mapping[str, DeviceState], *, everything: bool) -> list[Order]:
        """As `advance` when one has stopped, but not for every one of many: to look at all of them takes time too."""
        gives = self._feeders is not None and ended.name in self._givers
        if gives or self._count_stop_sent(ended) <= MAX_CONCURRENT_STOPS // 2:
            return self.advance(devices, everything=everything)
        return []

    def stop_sent(self, device: DeviceState, timeout: float, *, fed: bool = False) -> Stop:
        """The order for a device to stop within ``timeout`` seconds, whether or not it is its turn; see `Stop`."""
        self._stop_sent.setdefault(device.spec.process, set()).add(device.name)
        return Stop(device.name, timeout, fed)

    def note_end(self, device: DeviceState) -> None:
        """A device has ended."""
        process = device.spec.process
        if process in self._stop_sent:
            self._stop_sent[process].discard(device.name)
            if not self._stop_sent[process]:
                del self._stop_sent[process]
        self._quiescing.note_end(device, self._clock())

    def end_quiescing(self) -> None:
        """Everything stops, feeders first: those for whose sake others were quiesced wait for their turn again."""
        for device in self._quiescing.end():
            device.on("requeue", self._clock())

    def _drain(self, device: DeviceState, *, fed: bool = False) -> list[Order]:
        asked = device.on("drain", self._clock())
        return [self.stop_sent(device, self._left(device), fed=fed)] if asked == "stop" else []

    def _count_stop_sent(self, device: DeviceState) -> int:
        return len(self._stop_sent.get(device.spec.process, ()))

    def _left(self, device: DeviceState) -> float:
        return max((device.deadline or 0) - self._clock(), 0)


def upstream(
    topology: Topology, *, only_patient: bool = False, only_remote: bool = False
) -> dict[str, frozenset[str]]:
    """For each device the other devices whose out or mon is connected to its in.

    With ``only_patient`` those that keep a message until somebody takes it. The others go on without a receiver that
    is not there, which loses what is published meanwhile in any case. With ``only_remote`` those whose messages go
    through the system, by tcp or ipc.
    """
    found: dict[str, set[str]] = {name: set() for name in topology.devices}
    for node in Graph(topology).nodes:
        for bind, connect in node.pairs:
            if only_remote and bind.endpoint is not None and bind.endpoint.transport == "inproc":
                continue
            for giver, taker in ((bind, connect), (connect, bind)):
                if _feeds(giver, taker) and (_is_patient(giver) or not only_patient):
                    found[taker.end.owner.name].add(giver.end.owner.name)
    return {name: frozenset(givers) for name, givers in found.items()}


def next_to_stop(devices: Mapping[str, DeviceState], feeders: Mapping[str, Collection[str]]) -> list[DeviceState]:
    """Of those that wait to stop, the ones that no other stopping device feeds any more.

    What a device passes on while it stops, the next one can then pass on too. A device that is not to stop is not
    waited for.
    """
    stopping = [device for device in devices.values() if device.state == "stopping"]
    waiting = [device for device in stopping if device.phase == "waiting"]
    free = [device for device in waiting
            if not any(devices[name].state == "stopping" for name in feeders[device.name])]
    if not free and len(waiting) == len(stopping):
        return waiting      # a ring has no beginning
    return free


def _feeds(giver: Link, taker: Link) -> bool:
    both_ours = giver.ours and taker.ours and giver.end.owner is not taker.end.owner
    return both_ours and giver.end.role != "in" and taker.end.role == "in"


def _is_patient(giver: Link) -> bool:
    if giver.end.type in ("PUB", "XPUB"):
        return False
    device = giver.end.owner
    return giver.end.role != "mon" or (isinstance(device, Device) and device.mon is not None
                                       and device.mon.overflow == "block")


QUIET_TIME = 0.05
"""Seconds without a message after which nothing more comes from those that are quiesced."""

POLL_INTERVAL = 0.01
"""Seconds between two looks."""

CLOSE_TIME = 0.2
"""Seconds that libzmq's threads at both ends may take to end a connection, which no call tells of.

They take less than a millisecond, but on a machine that has much else to do have been seen to take more than fifty."""

RECONNECT_IVL = 100
"""libzmq's default, in milliseconds: a connection that has ended is made again after one to two of these."""


@dataclass(eq=False)
class _Stop:
    """A device that stops, and those that are quiesced meanwhile."""

    device: DeviceState
    feeders: Collection[DeviceState]
    until: float
    """When it is told to stop in any case: others may send to it as well, and nobody may take what it passes on."""
    next_look: float | None
    """None from when it is told to stop until it has."""
    dry: float
    """When it is dry, if it moves no more until then."""
    moved: int = -1
    closed: bool = False


class Quiescing:
    """The devices that are quiesced, and for whose sake."""

    def __init__(self) -> None:
        self._stops: list[_Stop] = []

    @property
    def deadlines(self) -> list[float]:
        """When to look again."""
        return [stop.next_look for stop in self._stops if stop.next_look is not None]

    def begin(self, device: DeviceState, feeders: Collection[DeviceState], timeout: float, now: float) -> list[Order]:
        """Quiesce those that feed a device, and let it pass on what comes until it is dry; what to order for that.

        It counts as dry after ``timeout`` seconds in any case.
        """
        orders = [Quiesce(feeder.name) for feeder in feeders if feeder.request_quiesce()]
        self._stops.append(_Stop(device, feeders, now + timeout, now, dry=_connected(device, feeders)))
        return [*orders, Resume(device.name)]       # one that is paused has all the more to pass on

    def look(self, now: float) -> tuple[list[DeviceState], list[Order]]:
        """The devices that are dry by now, and what to order for those that need no longer be quiesced."""
        dry: list[DeviceState] = []
        orders: list[Order] = []
        for stop in [stop for stop in self._stops if stop.next_look is not None and stop.next_look <= now]:
            if stop.closed:
                self._stops.remove(stop)
                orders += self._release(stop.feeders)
            elif now >= stop.until or _is_dry(stop, now):
                stop.next_look = None
                dry.append(stop.device)
            else:
                stop.next_look = now + POLL_INTERVAL
        return dry, orders

    def note_end(self, device: DeviceState, now: float) -> None:
        """A device has ended; as soon as its connections have, those that were quiesced for it go on."""
        for stop in self._stops:
            if stop.device is device and not stop.closed:
                stop.closed = True
                stop.next_look = now + CLOSE_TIME

    def end(self) -> list[DeviceState]:
        """Quiesce none any more, everything is to stop; those that have not been told to stop yet."""
        left = [stop.device for stop in self._stops if stop.next_look is not None and not stop.closed]
        for stop in self._stops:
            for feeder in stop.feeders:
                feeder.end_quiesce()
        self._stops.clear()
        return left

    def _release(self, feeders: Collection[DeviceState]) -> list[Order]:
        free = [feeder for feeder in feeders if not any(feeder in stop.feeders for stop in self._stops)]
        return [Resume(feeder.name) for feeder in free if feeder.end_quiesce()]


def _is_dry(stop: _Stop, now: float) -> bool:
    counters = stop.device.block.read()
    moved = counters.in_to_out.messages + counters.in_to_out.dropped
    waits = counters.in_to_out.waiting or counters.mon.waiting
    if moved != stop.moved or waits or not all(_is_quiet(feeder) for feeder in stop.feeders):
        stop.moved = moved
        stop.dry = max(stop.dry, now + QUIET_TIME)
    return now >= stop.dry


def _connected(device: DeviceState, feeders: Collection[DeviceState]) -> float:
    """When those that feed a device have connected to it, so that what they have left is on its way."""
    assert device.running_since is not None
    sockets = [socket for feeder in feeders for socket in feeder.spec.sockets]
    intervals = [socket.options.get("reconnect_ivl", RECONNECT_IVL) for socket in sockets]
    longest = max(interval for interval in intervals if isinstance(interval, int))
    return device.running_since + 2 * longest / 1000 + QUIET_TIME


def _is_quiet(feeder: DeviceState) -> bool:
    return feeder.quiesce == "done" or feeder.over or feeder.phase == "backoff"
