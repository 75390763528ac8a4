"""What is done to the devices of a topology, and what follows from what becomes of them.

Everything here happens in the supervisor's thread: orders go out to workers, and their events come back in.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from zmqtopo.broker.counters import CounterBlock, Segment
from zmqtopo.broker.ipc import remove_stale
from zmqtopo.config.model import Device, OptionValue, Role, Topology
from zmqtopo.config.reference import Bound
from zmqtopo.runtime.addresses import binds, connects, late, lost
from zmqtopo.runtime.crew import KILL_AFTER, Crew
from zmqtopo.runtime.losses import UNSENT, stop_report
from zmqtopo.runtime.member import Member, State
from zmqtopo.runtime.nursery import Nursery
from zmqtopo.runtime.open_files import shortage
from zmqtopo.runtime.orders import (
    Adapt,
    Bind,
    Connect,
    Endpoints,
    Failed,
    Hold,
    Order,
    Pause,
    Reconnect,
    Resume,
)
from zmqtopo.runtime.policy import GivenUpError, wait_before_restart
from zmqtopo.runtime.status import DeviceStatus, status
from zmqtopo.runtime.stops import Stops
from zmqtopo.runtime.workers import Inbox, Message, Worker, make_worker, ready

ANSWER_TIMEOUT = 10.0
"""Seconds that a device may take to pause, to go on, or to change with the sockets that it has. It takes milliseconds;
one whose process has been stopped by SIGSTOP would hold up the command, and all that is asked after it, for ever."""

START_TIMEOUT = 15.0
"""Seconds that a worker may let pass without starting any of its devices while it has some to start. Each takes
milliseconds, or 0.5 s for an address that is not free; a name server that is silent costs 10 s (resolv.conf(5))."""


@dataclass(frozen=True, slots=True)
class Outside:
    """All that reaches outside: the time in seconds, chance (0 to 1), a new worker, and waiting for events."""

    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    make: Callable[..., Worker] = make_worker
    wait: Callable[[Iterable[Worker], Inbox, float | None], list[Message]] = ready


class Fleet:
    """The devices of a topology and the workers that hold them."""

    def __init__(
        self,
        topology: Topology,
        outside: Outside,
        inbox: Inbox,
        context: zmq.Context[Any] | None,
        isolated: bool,
        changed: Callable[[Member, str], None],
        failed: Callable[[], None],
    ) -> None:
        """With ``isolated`` thread devices are threads of a worker process.

        ``changed`` is called with each change of a state, in words; ``failed`` when a device has failed for good.

        Raises OSError when there are no descriptors left for the counters of process devices.
        """
        self.topology = topology
        self._isolated = isolated
        blocks = self.blocks(topology.devices.values())
        self.members: Mapping[str, Member] = {
            name: Member(device, blocks[name], trial="binds") for name, device in topology.devices.items()
        }
        """Never changed, but replaced as a whole: other threads may be looking at it."""
        self._nursery = Nursery(topology.name)
        self.crew = Crew(lambda name: outside.make(name, self.topology, inbox, context, self._nursery,
                                                   isolated=isolated), outside.clock)
        self.started = False
        self.reloading = False
        self.stopping = False
        self._idle = False
        self._clock = outside.clock
        self._jitter = outside.jitter
        self._inbox = inbox
        self._changed = changed
        self._failed = failed
        self._count = 0
        self._stops = Stops(topology, lambda member, order: self.crew.order(member.device, order), self._clock)
        self._bound: dict[tuple[str, Role], tuple[str, ...]] = {}
        self._signs: dict[str, float] = {}
        """When a device of a worker has last taken a step of its start."""

    @property
    def status(self) -> list[DeviceStatus]:
        """Every device as it is now, in the order of the file."""
        pids = self.crew.pids
        warnings = {name: shortage(pid) for name, pid in pids.items() if pid != os.getpid()}
        return [status(m, pids.get(m.device.process), self._clock(), warnings.get(m.device.process, ""))
                for m in self.members.values()]

    @property
    def is_over(self) -> bool:
        """Whether nothing runs or will run again; after an operator's command, and so after a reload, something may."""
        members = self.members.values()
        waits = self._idle or any(m.wish == "stop" for m in members)
        return all(m.over for m in members) and (self.stopping or not waits)

    def note_command(self) -> None:
        """A command or a reload has come to its end: when nothing runs after it, that is not the end of everything."""
        self._idle = all(m.over for m in self.members.values())

    @property
    def deadlines(self) -> list[float]:
        """When something is to be done though no event comes."""
        mine = [m.due for m in self.members.values() if m.due is not None]
        return mine + self.crew.deadlines + self._stops.deadlines

    def act_on_time(self) -> None:
        """Do what is due."""
        now = self._clock()
        for member in self.members.values():
            if member.due is None or member.due > now:
                continue
            if member.state == "backoff":
                member.restarts += 1
                self._begin(member)
            elif member.state == "starting":
                self._check_start(member)
            else:
                if member.works:
                    member.silent = f"did not answer within {ANSWER_TIMEOUT:g} s"
                self._lose_patience(member)
        self._stops.act_on_time()
        self.crew.kill_overdue()

    def _change(self, member: Member, state: State, what: str = "") -> None:
        member.state = state
        self._changed(member, what or state)

    def blocks(self, devices: Iterable[Device]) -> dict[str, CounterBlock]:
        """Counters by device, in memory that its worker shares; raises OSError when there are no descriptors left."""
        together: dict[str, list[str]] = {}
        for device in devices:
            together.setdefault(device.process, []).append(device.name)
        found: dict[str, CounterBlock] = {}
        for process, names in together.items():
            segment = Segment(len(names)) if process or self._isolated else None
            found |= {name: CounterBlock(segment, index) for index, name in enumerate(names)}
        return found

    def turn(self) -> int:
        """A number that is larger than those before it."""
        self._count += 1
        return self._count

    def adopt(self, topology: Topology, members: Mapping[str, Member]) -> None:
        """Go over to another topology; who is not among its members any more has ended."""
        self.topology = topology
        self.members = members
        self._stops.adopt(topology)
        self._bound = {(name, role): addresses for name, member in members.items()
                       for role, addresses in member.endpoints.items()}

    # -- starting ------------------------------------------------------------------------------------------------

    def begin(self, member: Member) -> None:
        """Start a device that does not run, at once or as soon as it has stopped; one that was to pause still is."""
        member.wish = "pause" if member.wish == "pause" else "run"
        if member.over or member.state == "backoff":
            member.failures = 0
            member.error = ""
            self._begin(member)

    def _begin(self, member: Member) -> None:
        member.due = member.since = None
        member.forced = member.unsent = False
        member.silent = ""
        member.before_stop = None
        self._change(member, "starting")
        # A worker that is about to end takes no more orders: the device begins when the next one can be made.
        if not self.crew.is_ending(member.device.process):
            self.order_bind(member)

    def order_bind(self, member: Member) -> None:
        """The first step of a start; its answer is `on_bound`, or `on_end`."""
        member.begun = member.block.read()
        try:
            worker = self.crew.need(member.device)
        except (OSError, zmq.ZMQError, ValueError, OverflowError) as error:
            # Too many processes or descriptors, or a context that cannot be; it fails as it would by any other error.
            why = error.strerror if isinstance(error, OSError | zmq.ZMQError) else error
            self._inbox.post(Failed(member.device.name, f"{member.device.name}: cannot start: {why}"))
        else:
            member.due = self._clock() + START_TIMEOUT
            worker.order(Bind(member.device, binds(member), member.block, self.reloading))

    def on_bound(self, member: Member, endpoints: Endpoints) -> None:
        """Its sockets are bound: connect it, unless that waits until all are."""
        name = member.device.name
        member.endpoints = endpoints
        before = {} if member.trial else self._bound.copy()
        self._bound.update({(name, role): addresses for role, addresses in endpoints.items()})
        self._note_sign(member)
        if member.trial:
            member.trial = "bound"
            member.due = None       # it waits for the others
        elif member.state == "starting":
            self.connect(member)
            if self._bound != before:
                self._connect_late(before)

    def connect(self, member: Member) -> None:
        """Connect a device that is bound, and those that were connected to it before it was closed."""
        self.order_connect(member)
        addresses = {address for some in member.endpoints.values() for address in some}
        for other in self.members.values():
            # Who was told to connect since it was closed, has connected to what is bound now.
            connected = other.works or (other.state == "starting" and other.connected > other.closed)
            if connected and other.device.process == member.device.process and other.connected < member.closed:
                again = lost(other.device, self.topology, self._bound, addresses)
                if any(again.values()):
                    self.crew.order(other.device, Reconnect(other.device.name, again))

    def _connect_late(self, before: Bound) -> None:
        """Connect those who had to leave out an address that the system has only now chosen."""
        for other in self.members.values():
            # Who has ended since it was connected connects to what is bound now when it starts again.
            if other.connected > other.closed and (other.works or other.state == "starting"):
                more = late(other.device, self.topology, before, self._bound)
                if any(more.values()):
                    self.crew.order(other.device, Reconnect(other.device.name, more))

    def order_connect(self, member: Member) -> None:
        """The second step of a start; its answer is `on_ready`, or `on_end`."""
        member.connected = self.turn()
        member.due = self._clock() + START_TIMEOUT
        addresses = connects(member.device, self.topology, self._bound)
        self.crew.order(member.device, Connect(member.device.name, addresses, member.wish == "pause" or member.held))

    def on_ready(self, member: Member) -> None:
        """It moves messages."""
        self._note_sign(member)
        if member.state == "starting":
            self._idle = False
            member.due = None
            member.since = self._clock()
            self._change(member, "running")
            member.trial = ""
            if member.wish == "pause":
                self.pause(member)
            if member.held:
                self.crew.order(member.device, Hold(member.device.name))

    # -- changing ------------------------------------------------------------------------------------------------

    def adapt(self, member: Member, device: Device, settings: Iterable[tuple[Role, str, OptionValue]]) -> None:
        """Let a device that works become another one with the sockets that it has; its answer is `on_adapted`.

        One that does not answer is ended, and starts again.
        """
        self._ask(member, Adapt(device.name, device, tuple(settings)))

    def _ask(self, member: Member, order: Order) -> None:
        member.due = self._clock() + ANSWER_TIMEOUT
        self.crew.order(member.device, order)

    def on_adapted(self, member: Member, device: Device) -> None:
        """It is as it should be."""
        member.device = device
        if member.works:
            member.due = None

    # -- pausing -------------------------------------------------------------------------------------------------

    def pause(self, member: Member) -> None:
        """Pause a device now, or when it runs; one that does not answer is ended, and starts again."""
        member.wish = "pause"
        if member.works:
            self._ask(member, Pause(member.device.name))

    def resume(self, member: Member) -> None:
        """Let a device go on; one that does not answer is ended, and starts again."""
        member.wish = "run"
        if member.works and not member.held:
            self._ask(member, Resume(member.device.name))
        elif member.goes_on:
            self.crew.order(member.device, Resume(member.device.name))

    def on_held(self, member: Member) -> None:
        """It moves nothing any more, unless it was let go meanwhile."""
        member.still = member.held

    def on_paused(self, member: Member, state: State) -> None:
        """It has paused, or runs again."""
        if member.works:
            member.due = None
            if member.state != state:
                self._change(member, state)

    # -- ending --------------------------------------------------------------------------------------------------

    def on_end(self, member: Member, error: str) -> None:
        """A device is no more; decide whether it shall run again."""
        if member.over:
            return      # it was given up: a thread that did not end has ended after all
        stopping = member.state == "stopping" and not (member.silent and member.wish != "stop")
        if member.silent and not stopping:
            error = f"{member.device.name}: {member.silent}"
        member.due = None
        member.error = error or member.error
        member.closed = self.turn()
        self._stops.note_end(member)
        self._report_stop(member)
        if stopping or self.stopping:
            ended = f"stopped ({_said(member, error)})" if error else "stopped"
            told = str(member.last_stop or "")
            self._change(member, "stopped", f"{ended}; {told}" if told else ended)
            if member.wish != "stop" and not self.stopping:
                self._begin(member)
            self._stops.go_on_after(member, self.members, hold=not self.stopping)
        elif member.trial:
            self._change(member, "failed", f"failed: {_said(member, error)}")
        else:
            try:
                wait = wait_before_restart(member, error, self._clock(), self._jitter())
            except GivenUpError as given_up:
                self._give_up(member, str(given_up))
            else:
                member.since = None
                member.due = self._clock() + wait
                ended = _said(member, error) or "stopped"
                self._change(member, "backoff", f"ended: {ended}; starts again in {wait:.2g} s")
        self._end_idle_worker(member.device.process)

    def _report_stop(self, member: Member) -> None:
        if member.before_stop is not None:
            member.last_stop = stop_report(
                member.device, member.begun, member.before_stop, member.block.read(), in_time=not member.forced
            )
            member.before_stop = None

    def _give_up(self, member: Member, error: str) -> None:
        if error:
            self._change(member, "failed", f"failed: {_said(member, error)}; does not start again by itself")
            self._failed()
        else:
            self._change(member, "stopped")

    def on_unsent(self, member: Member) -> None:
        """What libzmq had yet to send of its messages may be lost."""
        member.unsent = True
        if not self.stopping:       # else there is a farewell
            self._changed(member, UNSENT)

    def on_worker_ended(self, worker: str, how: str) -> None:
        """A worker is gone; whatever of its devices had not ended has ended with it."""
        expected = self.crew.remove(worker)
        for member in [m for m in self.members.values() if m.device.process == worker]:
            if expected:
                if member.state == "starting":
                    self.order_bind(member)
            elif not member.over and member.state != "backoff":
                remove_stale(address for addresses in member.endpoints.values() for address in addresses)
                self.on_end(member, f"{member.device.name}: {how}")

    def stop(self, members: Iterable[Member], *, force: bool = False) -> None:
        """Stop devices, those that feed others first; with ``force`` at once, and the second time kill them."""
        if self.stopping:       # then those that feed others stop before them, and need not be held
            self._stops.give_up_holding()
        for member in members:
            member.wish = "stop"
            if member.state != "stopping":
                member.last_stop = None
            if member.over:
                continue
            process = member.device.process
            if member.state != "stopping":
                member.before_stop = member.block.read()
            if member.state == "backoff" or (member.state == "starting" and self.crew.is_ending(process)):
                member.due = None
                self._change(member, "stopped")
                self._end_idle_worker(process)
            elif force:
                self._lose_patience(member)
            elif member.state != "stopping":
                self._change(member, "stopping")
                member.due = self._clock() + member.device.stop_timeout
                member.waits = True
        self._stops.go_on(self.members, hold=not self.stopping)

    def _lose_patience(self, member: Member) -> None:
        """End a device at once; the second time its process, or give it up where it has none."""
        if not member.forced:
            member.forced = True
            member.waits = False
            member.state = "stopping"
            member.due = self._clock() + KILL_AFTER
            self._stops.tell(member, 0)
            return
        member.due = None
        name = member.device.name
        # Of those that end with it, each is told whose end it is.
        killed = self.crew.kill(member.device.process, f"was killed: {name} {member.silent}") if member.silent else (
            self.crew.kill(member.device.process))
        if not killed and member.device.process in self.crew:
            self._give_up_thread(member)

    def _give_up_thread(self, member: Member) -> None:
        """A thread that does not end: the device has failed, and everything else goes on."""
        silent = member.silent or "did not stop in time"
        member.error = f"{member.device.name}: {silent}; a thread cannot be killed and may go on until the program ends"
        member.closed = self.turn()
        self._stops.note_end(member)
        self._change(member, "failed", f"failed: {_said(member, member.error)}")
        self._failed()
        self._stops.go_on_after(member, self.members, hold=not self.stopping)

    def _note_sign(self, member: Member) -> None:
        self._signs[member.device.process] = self._clock()

    def _check_start(self, member: Member) -> None:
        """A device should have started by now, unless its worker has many to start and goes on with that."""
        now, process = self._clock(), member.device.process
        due = self._signs.get(process, 0.0) + START_TIMEOUT
        if due > now:
            member.due = due
            return
        member.due = None
        member.silent = f"did not start within {START_TIMEOUT:g} s"
        if not self.crew.kill(process, f"was killed: {member.device.name} {member.silent}"):
            self._inbox.post(Failed(member.device.name, f"{member.device.name}: {member.silent}"))

    def _end_idle_worker(self, name: str) -> None:
        """End a process whose devices have all ended: the next start is one of a fresh interpreter."""
        mine = [member for member in self.members.values() if member.device.process == name]
        if (name or self._isolated) and self.started and all(member.over for member in mine):
            self.end_worker(name)

    def end_workers(self) -> None:
        """Tell all to end."""
        for worker in list(self.crew):
            self.end_worker(worker.name)

    def end_worker(self, name: str) -> None:
        """Tell one to end whose devices have all ended."""
        # Its context waits for the LINGER of its sockets, which is bounded by what was left of their stops.
        mine = [m.device.stop_timeout for m in self.members.values() if m.device.process == name]
        self.crew.end(name, max(mine, default=0))

    def abandon(self, error: str) -> None:
        """After an error of ours: whatever can be is ended at once, and nobody waits for it."""
        self.crew.abandon()
        for member in self.members.values():
            if not member.over:
                member.state, member.error = "failed", f"{member.device.name}: {error}"

    def close(self) -> None:
        """Keep the numbers and let go of the memory that was shared; end what started the workers."""
        self._nursery.close()
        for member in self.members.values():
            member.block = member.block.copy()


def _said(member: Member, error: str) -> str:
    """The error for a line that begins with the device's name."""
    return error.removeprefix(f"{member.device.name}: ")
