"""Holding back those that feed a device while it stops, so that nothing is on its way to it when it closes.

What a connection has been given and nobody has taken out ends with it, whoever has bound: libzmq destroys the queue
that a bound socket keeps for a peer, and what the kernel has, or the peer has yet to receive, goes with the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from zmqtopo.runtime.member import Member
from zmqtopo.runtime.orders import Hold, Order, Resume

QUIET = 0.05
"""Seconds without a message after which nothing more comes from those that are held."""

LOOK = 0.01
"""Seconds between two looks."""

CLOSING = 0.2
"""Seconds that libzmq's threads at both ends may take to end a connection, which no call tells of.

They take less than a millisecond, but on a machine that has much else to do have been seen to take more than fifty."""

RECONNECT_IVL = 100
"""libzmq's default, in milliseconds: a connection that has ended is made again after one to two of these."""


@dataclass(eq=False)
class _Stop:
    """A device that stops, and those that are held meanwhile."""

    member: Member
    feeders: Collection[Member]
    until: float
    """When it is told to stop in any case: others may send to it as well, and nobody may take what it passes on."""
    due: float | None
    """When to look again; None from when it is told to stop until it has."""
    dry: float
    """When it is dry, if it moves no more until then."""
    moved: int = -1
    closed: bool = False


class Holds:
    """The devices that are held back, and for whose sake."""

    def __init__(
        self, order: Callable[[Member, Order], None], stop: Callable[[Member], None], clock: Callable[[], float]
    ) -> None:
        """``stop`` is called for a device to which nothing is on its way any more."""
        self._order = order
        self._stop = stop
        self._clock = clock
        self._stops: list[_Stop] = []

    @property
    def deadlines(self) -> list[float]:
        """When to look again."""
        return [stop.due for stop in self._stops if stop.due is not None]

    def begin(self, member: Member, feeders: Collection[Member], patience: float) -> None:
        """Hold those that feed a device, let it pass on what comes until it is dry, and stop it.

        It is stopped after ``patience`` seconds in any case.
        """
        for feeder in feeders:
            if not feeder.held:
                feeder.held = True
                if feeder.works:
                    self._order(feeder, Hold(feeder.device.name))
        self._order(member, Resume(member.device.name))     # one that is paused has all the more to pass on
        now = self._clock()
        self._stops.append(_Stop(member, feeders, now + patience, now, dry=_connected(member, feeders)))

    def act_on_time(self) -> None:
        """Do what is due."""
        now = self._clock()
        for stop in [stop for stop in self._stops if stop.due is not None and stop.due <= now]:
            if stop.closed:
                self._stops.remove(stop)
                self._let_go(stop.feeders)
            elif now >= stop.until or self._is_dry(stop, now):
                stop.due = None
                self._stop(stop.member)
            else:
                stop.due = now + LOOK

    def note_end(self, member: Member) -> None:
        """A device has ended; as soon as its connections have, those that were held for it go on."""
        member.still = False
        for stop in self._stops:
            if stop.member is member and not stop.closed:
                stop.closed = True
                stop.due = self._clock() + CLOSING

    def give_up(self) -> list[Member]:
        """Hold nobody any more, everything is to stop; those that have not been stopped yet."""
        left = [stop.member for stop in self._stops if stop.due is not None and not stop.closed]
        for stop in self._stops:
            for feeder in stop.feeders:
                feeder.held = feeder.still = False
        self._stops.clear()
        return left

    def _is_dry(self, stop: _Stop, now: float) -> bool:
        counters = stop.member.block.read()
        moved = counters.in_to_out.messages + counters.in_to_out.dropped
        waits = counters.in_to_out.waiting or counters.mon.waiting
        if moved != stop.moved or waits or not all(_is_still(feeder) for feeder in stop.feeders):
            stop.moved = moved
            stop.dry = max(stop.dry, now + QUIET)
        return now >= stop.dry

    def _let_go(self, feeders: Collection[Member]) -> None:
        for feeder in feeders:
            if not any(feeder in stop.feeders for stop in self._stops):
                feeder.held = feeder.still = False
                if feeder.goes_on:
                    self._order(feeder, Resume(feeder.device.name))


def _connected(member: Member, feeders: Collection[Member]) -> float:
    """When those that feed a device have connected to it, so that what they have left is on its way."""
    assert member.since is not None
    sockets = [socket for feeder in feeders for socket in feeder.device.sockets]
    intervals = [socket.options.get("reconnect_ivl", RECONNECT_IVL) for socket in sockets]
    longest = max(interval for interval in intervals if isinstance(interval, int))
    return member.since + 2 * longest / 1000 + QUIET


def _is_still(feeder: Member) -> bool:
    return feeder.still or feeder.over or feeder.state == "backoff"
