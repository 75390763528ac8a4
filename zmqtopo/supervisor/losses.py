"""What a stop has done with the messages that a device had: what is known exactly, and how much may be lost besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:       # a client of the control socket describes a report, and needs no loop for that
    from zmqtopo.broker.counters import Counters
    from zmqtopo.config.model import Device, Role

SNDHWM: Final = 1000
"""libzmq's default: messages that it keeps for each peer, beside those that the kernel has."""

_TAKES: Final = frozenset({"PULL", "SUB"})
"""Types that send no messages."""

UNSENT: Final = "what libzmq had yet to send when its process ended is possibly lost"


@dataclass(frozen=True, slots=True)
class StopReport:
    """What became of the messages of a device from when it was told to stop until it had ended.

    ``passed_on`` is exact, and so is ``dropped`` unless ``dropped_exact`` says that it is a lower bound (see `Flow`).
    ``possibly_lost_per_peer`` is a bound: so many messages at most libzmq had yet to send to each peer when the time
    was over. It does not say how many it really had, nor how many peers there were. 0 when the device had ended in
    time: then libzmq goes on sending until LINGER is over.
    """

    passed_on: int
    dropped: int
    possibly_lost_per_peer: int
    dropped_exact: bool = True

    def __add__(self, other: StopReport) -> StopReport:
        """What two stops of one device have done together."""
        return StopReport(
            self.passed_on + other.passed_on, self.dropped + other.dropped,
            self.possibly_lost_per_peer + other.possibly_lost_per_peer, self.dropped_exact and other.dropped_exact,
        )

    def __str__(self) -> str:
        """In words, empty when there is nothing to say."""
        parts = [f"{self.passed_on:,} passed on"] if self.passed_on or self.dropped else []
        if self.dropped:
            parts.append(f"{'' if self.dropped_exact else 'at least '}{self.dropped:,} dropped")
        if self.possibly_lost_per_peer:
            parts.append(f"up to {self.possibly_lost_per_peer:,} for each peer possibly lost")
        return ", ".join(parts)


def stop_report(
    device: Device, begun: Counters | None, before: Counters, after: Counters, *, in_time: bool
) -> StopReport:
    """Compare the counters of a device at its start, and at the begin and the end of a stop."""
    given: tuple[tuple[Role, int], ...] = () if in_time or begun is None else (
        ("out", after.in_to_out.messages - begun.in_to_out.messages),
        ("in", after.out_to_in.messages - begun.out_to_in.messages),
        ("mon", after.mon.messages - begun.mon.messages),
    )
    flows = ((before.in_to_out, after.in_to_out), (before.out_to_in, after.out_to_in))
    return StopReport(
        sum(new.messages - old.messages for old, new in flows),
        sum(new.dropped - old.dropped for old, new in flows),
        max((_held(device, role, messages) for role, messages in given), default=0),
        all(new.dropped_exact or new.dropped == old.dropped for old, new in flows),
    )


def _held(device: Device, role: Role, given: int) -> int:
    """How many of the messages that a socket has been given libzmq may hold for one peer."""
    socket = device.socket(role)
    if socket is None or socket.type in _TAKES:
        return 0
    limit = socket.options.get("sndhwm", SNDHWM)
    return min(given, limit) if isinstance(limit, int) and limit > 0 else given
