"""Telling devices to stop: those that feed others first, and of each process so many at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from zmqtopo.config.model import Topology
from zmqtopo.runtime.hold import Holds
from zmqtopo.runtime.member import Member
from zmqtopo.runtime.orders import Order, Stop
from zmqtopo.runtime.upstream import next_to_stop, upstream

AT_ONCE = 200
"""Devices of one process that are told to stop while none of these has. Each ends in Python, and a thousand threads
that want the GIL keep each other from it: 2,000 took up to twelve seconds, and in groups of this size less than one."""


class Stops:
    """The devices that are to stop, from when they wait for their turn until they have."""

    def __init__(
        self, topology: Topology, order: Callable[[Member, Order], None], clock: Callable[[], float]
    ) -> None:
        """``order`` gives an order to a device's worker."""
        self.adopt(topology)
        self._order = order
        self._clock = clock
        self._holds = Holds(order, self._tell_in_time, clock)
        self._told: Counter[str] = Counter()
        """How many devices of each process have been told to stop and have not yet."""

    def adopt(self, topology: Topology) -> None:
        """From now on devices feed each other as they do there, which is found out when it is first needed."""
        self._topology = topology
        self._feeders: dict[str, frozenset[str]] | None = None

    @property
    def deadlines(self) -> list[float]:
        """When something is to be done though no event comes."""
        return self._holds.deadlines

    def act_on_time(self) -> None:
        """Do what is due."""
        self._holds.act_on_time()

    def go_on(self, members: Mapping[str, Member], *, hold: bool) -> None:
        """Tell those whose turn it is; with ``hold`` those that go on feeding them are held meanwhile."""
        if not any(m.waits for m in members.values()):
            return
        if self._feeders is None:
            self._feeders = upstream(self._topology)
            self._patient = upstream(self._topology, only_patient=True)
            self._givers = frozenset().union(*self._feeders.values())
        for member in next_to_stop(members, self._feeders):
            if self._told[member.device.process] >= AT_ONCE:
                continue
            member.waits = member.still = False
            feeders = [feeder for name in self._patient[member.device.name] if not (feeder := members[name]).over]
            if feeders and member.since is not None and hold:
                # The other half is for what has been sent by others, and for its way out.
                self._holds.begin(member, feeders, self._left(member) / 2)
            else:
                self._tell_in_time(member)

    def tell(self, member: Member, timeout: float) -> None:
        """Tell one to stop, whoever's turn it is."""
        if not member.told:
            member.told = True
            self._told[member.device.process] += 1
        self._order(member, Stop(member.device.name, timeout))

    def note_end(self, member: Member) -> None:
        """A device has ended."""
        if member.told:
            member.told = False
            self._told[member.device.process] -= 1
            if not self._told[member.device.process]:
                del self._told[member.device.process]
        self._holds.note_end(member)

    def go_on_after(self, member: Member, members: Mapping[str, Member], *, hold: bool) -> None:
        """As `go_on` when one has stopped, but not for every one of many: to look at all of them takes time too."""
        gives = self._feeders is not None and member.device.name in self._givers
        if gives or self._told[member.device.process] <= AT_ONCE // 2:
            self.go_on(members, hold=hold)

    def give_up_holding(self) -> None:
        """Hold nobody any more; those for whose sake that was wait for their turn again."""
        for member in self._holds.give_up():
            member.waits = True

    def _tell_in_time(self, member: Member) -> None:
        self.tell(member, self._left(member))

    def _left(self, member: Member) -> float:
        return max((member.due or 0) - self._clock(), 0)
