"""What a worker tells of the peers of its devices: reports for those who ask, and notes of what happens."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import zmq

from zmqtopo.broker.peers import PeerMonitor
from zmqtopo.worker.protocol import DropPeer, Event, Noted, PeerDropped, PeersTold, TellPeers

ROWS: Final = 30
"""Rows of a message. It has less than 16 KiB then, which a socket takes as a whole: the supervisor never waits for the
rest of what a worker was about to say when it was stopped."""

MOST_TOLD: Final = 10_000
"""Rows of a report; the others are counted."""

REPORT_TIMEOUT: Final = 5.0
"""Seconds after which nobody waits for a report any more."""

class Limit(NamedTuple):
    """How often something is told of a device, and in which words what was not."""

    burst: int
    """Notes that are told at once."""
    interval: float
    """Seconds after which one more is told. What has happened meanwhile is counted."""
    more: str


LIMITS: Final[Mapping[str, Limit]] = {
    "handshake-failed": Limit(5, 30.0, "more handshakes failed"),
    "peer-connected": Limit(20, 60.0, "more peers connected"),
    "peer-disconnected": Limit(20, 60.0, "more peers disconnected"),
}
"""By the word for the event."""


class PeerReports:
    """Tells of the peers that a `PeerMonitor` notes."""

    def __init__(
        self, context: zmq.Context[Any], post: Callable[[Event], None], has_room: Callable[[], bool] = lambda: True
    ) -> None:
        """``has_room`` says whether ``post`` would return at once: the thread that reads monitors never waits."""
        self.monitor = PeerMonitor(context, self._note, self._say_left_out)
        self._post = post
        self._has_room = has_room
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def answer(self, order: TellPeers | DropPeer) -> None:
        """Carry out an order; what comes of it is posted by another thread."""
        if isinstance(order, TellPeers):
            if not self.monitor.call(lambda: self.monitor.add_job(self._report(order))):
                self._post(PeersTold(order.number, (), is_last=True))
        elif not self.monitor.call(lambda: self._post(PeerDropped(order.number, self._drop(order)))):
            self._post(PeerDropped(order.number, None))

    # -- in the thread of the monitor --------------------------------------------------------------------------------

    def _report(self, order: TellPeers) -> Iterator[bool]:
        rows = itertools.chain(
            (row for watched in list(self.monitor.devices.values())
             for table in list(watched.tables.values()) for row in table.rows()),
            (row for history in self.monitor.histories.values() for row in history.rows()),
        )
        deadline = time.monotonic() + REPORT_TIMEOUT
        told = 0
        while told < MOST_TOLD and (part := tuple(itertools.islice(rows, ROWS))):
            while not self._has_room():
                if time.monotonic() > deadline:
                    return
                yield False
            self._post(PeersTold(order.number, part))
            told += len(part)
            yield True
        self._post(PeersTold(order.number, (), is_last=True, left_out=sum(1 for _ in rows)))

    def _drop(self, order: DropPeer) -> bool | None:
        for watched in self.monitor.devices.values():
            for table in watched.tables.values():
                cut = table.drop(order.peer)
                if cut is not None:
                    return cut
        return None

    def _note(self, device: str, event: str, text: str) -> None:
        bucket = self._buckets.setdefault((device, event), _Bucket(LIMITS[event]))
        if not bucket.takes(time.monotonic()) or not self._has_room():
            bucket.left_out += 1
            bucket.last = text
        else:
            self._post(Noted(device, event, text))

    def _say_left_out(self) -> float | None:
        """Say what has been left out, as far as it may be said; the seconds until there is more to say."""
        now = time.monotonic()
        for (device, event), bucket in list(self._buckets.items()):
            if bucket.left_out and bucket.next <= now and self._has_room():
                text = bucket.last if bucket.left_out == 1 else (
                    f"{bucket.left_out:,} {bucket.limit.more}; the last: {bucket.last}")
                bucket.takes(now)
                bucket.left_out = 0
                self._post(Noted(device, event, text))
            elif not bucket.left_out and bucket.filled <= now:
                del self._buckets[device, event]        # as good as a new one
        waiting = [max(bucket.next - now, 0.1) for bucket in self._buckets.values() if bucket.left_out]
        return min(waiting, default=None)


@dataclass(slots=True)
class _Bucket:
    """How much may still be told: full at first, with one note more after each interval."""

    limit: Limit
    filled: float = 0.0
    """When it is full again if nothing more is taken, on the monotonic clock."""
    left_out: int = 0
    last: str = ""

    @property
    def next(self) -> float:
        """When it has room for one."""
        return self.filled - (self.limit.burst - 1) * self.limit.interval

    def takes(self, now: float) -> bool:
        """Whether one may be told now, which is counted then."""
        if self.next > now:
            return False
        self.filled = max(self.filled, now) + self.limit.interval
        return True
