"""Quiescing those that feed a device while it stops, so that nothing is on its way to it when it closes.

What a connection has been given and nobody has taken out ends with it, whichever side has bound: libzmq destroys the
queue that a bound socket keeps for a peer, and what the kernel has, or the peer has yet to receive, goes with the peer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.worker.protocol import Order, Quiesce, Resume

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
