"""A device as the supervisor sees it: the phases that it goes through, and the table of what leads to the next one.

Events come from its worker, from an operator and from the clock. One that the table does not have for a phase changes
nothing: it comes too late.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from zmqtopo.broker.counters import CounterBlock, Counters
from zmqtopo.config.model import Device, Restart
from zmqtopo.supervisor.losses import StopReport, stop_report
from zmqtopo.worker.protocol import Endpoints

State = Literal["starting", "running", "paused", "backoff", "stopping", "stopped", "failed"]
"""What users see."""

Phase = Literal[
    "queued", "binding", "bound", "connecting", "running", "paused", "backoff",
    "waiting", "quiescing", "stopping", "aborting", "stopped", "failed",
]

Event = Literal[
    "start", "worker free", "bound", "connect", "ready", "pause", "paused", "resume", "resumed", "adapt", "adapted",
    "stop", "quiesce", "requeue", "drain", "abort", "deadline", "stopped", "failed", "restart",
]

Request = Literal["", "bind", "connect", "pause", "resume", "adapt", "stop", "stop at once", "kill"]
"""What a worker is asked for; ``kill`` is for the worker itself."""

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that a device may take to pause, to go on, or to change with the sockets that it has. It takes milliseconds;
one whose process has been stopped by SIGSTOP would otherwise block the command, and all that is asked after it."""

START_TIMEOUT: Final = 15.0
"""Seconds that a worker may let pass without starting any of its devices while it has some to start. Each takes
milliseconds, or 0.5 s for an address that is not free; a name server that is silent costs 10 s (resolv.conf(5))."""

KILL_AFTER: Final = 1.0
"""Seconds beyond its time after which a worker process is killed."""

STARTING: Final[tuple[Phase, ...]] = ("queued", "binding", "bound", "connecting")
WORKING: Final[tuple[Phase, ...]] = ("running", "paused")
STOPPING: Final[tuple[Phase, ...]] = ("waiting", "quiescing", "stopping", "aborting")
ENDED: Final[tuple[Phase, ...]] = ("stopped", "failed")

STATES: Final[Mapping[Phase, State]] = {
    **dict.fromkeys(STARTING, "starting"), "running": "running", "paused": "paused", "backoff": "backoff",
    **dict.fromkeys(STOPPING, "stopping"), "stopped": "stopped", "failed": "failed",
}


Deadline = float | Literal["none", "kept", "stop_timeout", "delay"]
"""When the event ``deadline`` comes: a number is in seconds from now, and ``delay`` is given with the event."""


class Transition(NamedTuple):
    """The next phase, what the worker is asked for, and the deadline."""

    phase: Phase
    request: Request
    deadline: Deadline


_TABLE: Final[tuple[tuple[tuple[Phase, ...], Event, Phase | Literal["same"], Request, Deadline], ...]] = (
    # in these phases                         on             goes to       requests        deadline

    # -- a start: its worker may have to end first, and in a start of several all are bound before one connects
    ((*ENDED, "backoff"),                     "start",       "queued",     "",             "none"),
    (("backoff",),                            "deadline",    "queued",     "",             "none"),
    (STARTING,                                "worker free", "binding",    "bind",         START_TIMEOUT),
    (STARTING,                                "bound",       "bound",      "",             "none"),
    (STARTING,                                "connect",     "connecting", "connect",      START_TIMEOUT),
    (STARTING,                                "ready",       "running",    "",             "none"),
    (STARTING,                                "resume",      "same",       "resume",       "kept"),
    (STARTING,                                "deadline",    "same",       "kill",         "none"),

    # -- at work
    (WORKING,                                 "pause",       "same",       "pause",        ANSWER_TIMEOUT),
    (WORKING,                                 "paused",      "paused",     "",             "none"),
    (WORKING,                                 "resume",      "same",       "resume",       ANSWER_TIMEOUT),
    (WORKING,                                 "resumed",     "running",    "",             "none"),
    (WORKING,                                 "adapt",       "same",       "adapt",        ANSWER_TIMEOUT),
    (WORKING,                                 "adapted",     "same",       "",             "none"),
    (WORKING,                                 "deadline",    "aborting",   "stop at once", KILL_AFTER),

    # -- a stop: it waits for those that feed it, those that do not stop are quiesced, and it passes on what is left
    (("queued", "backoff"),                   "stop",        "stopped",    "",             "none"),
    (("queued", "backoff"),                   "abort",       "stopped",    "",             "none"),
    ((*STARTING[1:], *WORKING),               "stop",        "waiting",    "",             "stop_timeout"),
    (("waiting",),                            "quiesce",     "quiescing",  "",             "kept"),
    (("quiescing",),                          "requeue",     "waiting",    "",             "kept"),
    (("waiting", "quiescing"),                "drain",       "stopping",   "stop",         "kept"),
    ((*STARTING[1:], *WORKING),               "abort",       "aborting",   "stop at once", KILL_AFTER),
    (STOPPING[:3],                            "abort",       "aborting",   "stop at once", KILL_AFTER),
    (STOPPING[:3],                            "deadline",    "aborting",   "stop at once", KILL_AFTER),
    (("aborting",),                           "abort",       "same",       "kill",         "none"),
    (("aborting",),                           "deadline",    "same",       "kill",         "none"),

    # -- its end: as it was told, for good, or until its next start
    ((*STARTING, *WORKING, *STOPPING, "backoff"), "stopped", "stopped",    "",             "none"),
    ((*STARTING, *WORKING, *STOPPING, "backoff"), "failed",  "failed",     "",             "none"),
    ((*STARTING, *WORKING, *STOPPING, "backoff"), "restart", "backoff",    "",             "delay"),
)


def _transitions() -> Iterator[tuple[tuple[Phase, Event], Transition]]:
    for phases, event, after, request, deadline in _TABLE:
        for phase in phases:
            yield (phase, event), Transition(phase if after == "same" else after, request, deadline)


TRANSITIONS: Final = dict(_transitions())
"""By phase and event."""


@dataclass
class DeviceState:
    """A device and what has become of it."""

    spec: Device
    block: CounterBlock
    phase: Phase = "queued"
    desired_state: Literal["run", "pause", "stop"] = "run"
    """What the operator wants of it, whatever it is doing now."""
    endpoints: Endpoints = field(default_factory=dict)
    error: str = ""
    stop_timeout: float = 0.0
    """Seconds that its stop may take."""
    asked_by: str = ""
    """Who has asked for what it is about to become, in words; empty where nobody has, or nobody knows."""
    restarts: int = 0
    """How often it was started again because it had ended; what an operator has asked for does not count."""
    failures: int = 0
    """In a row, each before ``stable_after``."""
    running_since: float | None = None
    """When it began to run; None before that."""
    started: float | None = None
    """The Unix time of the same moment, for people and for metrics."""
    thread: int | None = None
    """The number that the system has for the thread in which it runs, or ran last."""
    deadline: float | None = None
    """When the event ``deadline`` comes, unless something else happens first."""
    starts_together: bool = False
    """It is started with others: it connects when all of them are bound, and does not start again when it fails."""
    quiesce: Literal["no", "requested", "done"] = "no"
    """Whether it is to move nothing while a device that it feeds stops, and whether it has obeyed."""
    forced: bool = False
    """Its time was over before it had ended."""
    unanswered: str = ""
    """What it has not answered in time, in words, when it is ended for that."""
    unsent: bool = False
    """When its process ended, what it had passed on may not all have been sent in time; see `DeviceStatus`."""
    at_start: Counters | None = None
    """Its counters when it was last started; None before."""
    before_stop: Counters | None = None
    """Its counters when it was told to stop; None when it was not."""
    last_stop: StopReport | None = None
    """What its last stop has done with its messages."""
    connected: int = 0
    """The turn in which it was last connected."""
    closed: int = 0
    """The turn in which its sockets were last closed."""

    @property
    def name(self) -> str:
        """As in the file."""
        return self.spec.name

    @property
    def state(self) -> State:
        """What users see of its phase."""
        return STATES[self.phase]

    @property
    def over(self) -> bool:
        """Whether it has ended and will not run again by itself."""
        return self.phase in ENDED

    @property
    def works(self) -> bool:
        """Whether its loop is there, moving messages or paused."""
        return self.phase in WORKING

    @property
    def goes_on(self) -> bool:
        """Whether nothing keeps it from moving messages, and it may have been told not to."""
        return self.phase in (*STARTING, *WORKING) and self.desired_state != "pause" and self.quiesce == "no"

    @property
    def stops_as_asked(self) -> bool:
        """Whether it is stopping because an operator wants that, not because it did not answer."""
        return self.phase in STOPPING and (not self.unanswered or self.desired_state == "stop")

    def on(self, event: Event, now: float, delay: float = 0.0) -> Request | None:
        """Go on to the next phase; what its worker is to be asked for, None when the event comes too late.

        ``now`` is the supervisor's clock, ``delay`` the seconds until a restart.
        """
        found = TRANSITIONS.get((self.phase, event))
        if found is None:
            return None
        if event == "deadline":
            self._note_deadline()
        self.deadline = {
            "none": None, "kept": self.deadline, "stop_timeout": now + self.stop_timeout, "delay": now + delay,
        }[found.deadline] if isinstance(found.deadline, str) else now + found.deadline
        self.phase = found.phase
        self._enter(event, now)
        return found.request

    def request_stop(self, within: float | None = None) -> None:
        """It is to stop and to stay so; what becomes of its messages is counted from now on.

        ``within`` is what it may take, in seconds; None is for its ``stop_timeout``.
        """
        self.desired_state = "stop"
        self.stop_timeout = self.spec.stop_timeout if within is None else within
        self.starts_together = False
        if self.phase not in STOPPING:
            self.last_stop = None
            if not self.over:
                self.before_stop = self.block.read()

    def note_end(self, error: str, turn: int) -> None:
        """Its sockets are closed; ``turn`` says when."""
        self.error = error or self.error
        self.closed = turn
        if self.before_stop is not None:
            self.last_stop = stop_report(
                self.spec, self.at_start, self.before_stop, self.block.read(), in_time=not self.forced
            )
            self.before_stop = None

    def count_failure(self, now: float) -> int:
        """It has ended by itself; how often in a row, unless it has been stable in between."""
        stable = self.running_since is not None and now - self.running_since >= self.spec.restart.stable_after
        self.failures = 1 if stable else self.failures + 1
        return self.failures

    def request_quiesce(self) -> bool:
        """It is to move nothing until `end_quiesce`; whether its worker has to be told that now."""
        if self.quiesce != "no":
            return False
        self.quiesce = "requested"
        return self.works       # else it is told when it is ready

    def end_quiesce(self) -> bool:
        """It may go on; whether its worker has to be told that."""
        self.quiesce = "no"
        return self.goes_on

    def note_quiesced(self) -> None:
        """It moves nothing any more, unless it was let go meanwhile."""
        if self.quiesce == "requested":
            self.quiesce = "done"

    def credited(self, text: str) -> str:
        """What is said of its state, with who has asked for that; nobody has asked for what comes next."""
        by, asked_for = self.asked_by, self.state in ("running", "paused", "stopped")
        if self.state in ("running", "paused", "failed", "backoff"):
            self.asked_by = ""      # one that has stopped may do so to start again
        if not by or not asked_for:
            return text
        word, semicolon, rest = text.partition(";")
        return f"{word} by a command of {by}{semicolon}{rest}"

    def said(self, error: str) -> str:
        """An error for a line that begins with its name."""
        return error.removeprefix(f"{self.name}: ")

    def _note_deadline(self) -> None:
        if self.phase == "backoff":
            self.restarts += 1
        elif self.phase in STARTING:
            self.unanswered = f"did not start within {START_TIMEOUT:g} s"
        elif self.phase in WORKING:
            self.unanswered = f"did not answer within {ANSWER_TIMEOUT:g} s"

    def _enter(self, event: Event, now: float) -> None:
        """What a phase begins with."""
        if self.phase == "queued":
            self.running_since = None
            self.forced = self.unsent = False
            self.unanswered = ""
            self.before_stop = None
        elif event == "worker free":
            self.at_start = self.block.read()
        elif event == "ready":
            self.running_since = now
            self.started = time.time()
            self.starts_together = False
        elif self.phase == "backoff":
            self.running_since = None
        elif self.phase == "aborting":
            self.forced = True
        if self.quiesce == "done" and self.phase in ("quiescing", "stopping", "backoff", *ENDED):
            self.quiesce = "requested"      # it moves what it has left, or comes back and is asked again


@dataclass(frozen=True, slots=True)
class StateChange:
    """A device has come to a state; ``text`` says so in words."""

    device: DeviceState
    state: State
    error: str
    text: str
    together: bool
    """It was in a start together with others, of which a failure is taken back."""
    event: str = ""
    """What has happened where that is no change of its state; see `zmqtopo.worker.protocol.Noted`."""


@dataclass(frozen=True, slots=True)
class NoRestart:
    """It is not started again; ``error`` is its last one, empty when it has ended without one."""

    error: str


def restart_delay(restart: Restart, failures: int, error: str, jitter: float) -> float | NoRestart:
    """Seconds to wait before a device that has ended by itself for the ``failures``th time in a row starts again.

    The wait doubles with each failure in a row up to a cap, and ``jitter`` (0 to 1) spreads it over its upper half, so
    that devices that fell together do not come back together.
    """
    if restart.policy == "never" or (restart.policy == "on-failure" and not error):
        return NoRestart(error)
    if restart.max_retries is not None and failures > restart.max_retries:
        retries = "1 retry" if restart.max_retries == 1 else f"{restart.max_retries} retries"
        return NoRestart(f"{error} (after {retries})")
    first, most = restart.backoff
    wait: float = min(first * 2 ** min(failures - 1, 32), most)
    return wait * (0.5 + jitter / 2)
