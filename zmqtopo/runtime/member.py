"""A device as the supervisor sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zmqtopo.broker.counters import CounterBlock, Counters
from zmqtopo.config.model import Device
from zmqtopo.runtime.losses import StopReport
from zmqtopo.runtime.orders import Endpoints

State = Literal["starting", "running", "paused", "backoff", "stopping", "stopped", "failed"]


@dataclass
class Member:
    """A device and what has become of it."""

    device: Device
    block: CounterBlock
    state: State = "starting"
    wish: Literal["run", "pause", "stop"] = "run"
    """What the operator wants of it, whatever it is doing now."""
    endpoints: Endpoints = field(default_factory=dict)
    error: str = ""
    restarts: int = 0
    """How often it was started again because it had ended; what an operator has asked for does not count."""
    failures: int = 0
    """In a row, each before ``stable_after``."""
    since: float | None = None
    """When it began to run; None while it does not."""
    due: float | None = None
    """When the next step is due: a restart in ``backoff``, else the deadline for an answer: to a start, a stop or a
    change."""
    waits: bool = False
    """It shall stop when those that feed it have."""
    told: bool = False
    """It has been told to stop."""
    held: bool = False
    """It shall move nothing while a device that it feeds stops, and then go on."""
    still: bool = False
    """It has obeyed to that."""
    forced: bool = False
    """It has been told to end at once."""
    silent: str = ""
    """What it has not answered in time, in words, when it is ended for that."""
    unsent: bool = False
    """When its process ended, what it had passed on may not all have been sent in time; see `DeviceStatus`."""
    begun: Counters | None = None
    """Its counters when it was last started; None before."""
    before_stop: Counters | None = None
    """Its counters when it was told to stop; None when it was not."""
    last_stop: StopReport | None = None
    """What its last stop has done with its messages."""
    connected: int = 0
    """The turn in which it was last connected."""
    closed: int = 0
    """The turn in which its sockets were last closed."""
    trial: Literal["", "binds", "bound"] = ""
    """How far a start has come that connects nobody before all are bound, and is taken back when one fails."""

    @property
    def over(self) -> bool:
        """Whether it has ended and will not run again by itself."""
        return self.state in ("stopped", "failed")

    @property
    def works(self) -> bool:
        """Whether its loop is there, moving messages or paused."""
        return self.state in ("running", "paused")

    @property
    def goes_on(self) -> bool:
        """Whether nothing keeps it from moving messages, and it may have been told not to."""
        return (self.works or self.state == "starting") and self.wish != "pause" and not self.held
