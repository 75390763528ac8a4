"""The supervisor: one loop that takes events and decides.

A start goes in three steps over all devices: bind everything, resolve what refers to a bound address, connect and run.
Nothing is called ready before the last has run, and the first failure takes all of it back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq

from zmqtopo.config.model import Device, Reference, Role, Topology
from zmqtopo.config.reference import nearest
from zmqtopo.devices.counters import CounterBlock
from zmqtopo.devices.ipc import remove_stale
from zmqtopo.runtime.member import Member, State
from zmqtopo.runtime.orders import (
    Bind,
    Bound,
    Connect,
    End,
    Event,
    Failed,
    Order,
    Ready,
    Stop,
    Stopped,
    StopRequest,
    WorkerEnded,
)
from zmqtopo.runtime.upstream import upstream
from zmqtopo.runtime.workers import Inbox, LocalWorker, Worker, make_worker, ready

KILL_AFTER = 1.0
"""Seconds beyond its stop_timeout after which a worker process is killed."""


class StartError(RuntimeError):
    """A topology that could not be started; everything that had been is undone.

    ``failures`` has a text for each device that failed: device, socket, address and reason.
    """

    def __init__(self, failures: list[str]) -> None:
        super().__init__("; ".join(failures))
        self.failures = failures


class Supervisor:
    """Runs the devices of a topology. Everything but `request_stop` and reading `members` is for one thread."""

    def __init__(
        self,
        topology: Topology,
        *,
        context: zmq.Context[Any] | None = None,
        tell: Callable[[Member, str], None] = lambda member, what: None,
        abort_on_failure: bool = False,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        make: Callable[..., Worker] = make_worker,
        wait: Callable[[Iterable[Worker], Inbox, float | None], list[Event]] = ready,
    ) -> None:
        """``context`` is for the thread devices; ``tell`` is called with each change of a device's state, in words.

        ``clock``, ``jitter`` (0 to 1), ``make`` (a worker) and ``wait`` (for events) are all that reaches outside.
        Raises StartError when there are no file descriptors left for its own.
        """
        self.topology = topology
        try:
            self.members = {
                name: Member(device, CounterBlock(shared=device.run.kind == "process"))
                for name, device in topology.devices.items()
            }
            self._inbox = Inbox()
        except OSError as error:
            raise StartError([f"cannot keep counters for {len(topology.devices)} devices: {error.strerror}"]) from None
        self._workers: dict[str, Worker] = {}
        self._context = context
        self._tell = tell
        self._abort_on_failure = abort_on_failure
        self._clock = clock
        self._jitter = jitter
        self._make = make
        self._wait = wait
        self._started = False
        self._stopping = False
        self._kill_at: float | None = None
        self._upstream: dict[str, frozenset[str]] | None = None
        self._bound: dict[tuple[str, Role], tuple[str, ...]] = {}

    # -- from outside --------------------------------------------------------------------------------------------

    def request_stop(self, *, force: bool = False) -> None:
        """Ask for the end; from any thread, and in a signal handler."""
        self._inbox.post(StopRequest(force))

    def wake_on_signals(self) -> None:
        """Wake for every signal until the end, so that handlers run at once; for the main thread, which runs it."""
        self._inbox.wake_on_signals()

    @property
    def context(self) -> zmq.Context[Any] | None:
        """The context of the thread devices, None without any."""
        local = self._workers.get("")
        return local.host.context if isinstance(local, LocalWorker) else None

    def start(self) -> None:
        """Start everything; returns when every socket is bound and every device runs, or a stop was requested.

        Raises StartError after taking back what had been started.
        """
        for member in self.members.values():
            self._order_bind(member)
        self._turn_while(lambda: any(not m.endpoints for m in self.members.values()), give_up=True)
        if not self._stopping:
            for member in self.members.values():
                self._order_connect(member)
        self._turn_while(lambda: any(m.state == "starting" for m in self.members.values()), give_up=True)
        self._started = True

    def run(self) -> bool:
        """Go on until nothing runs or will run again; whether no device has failed for good."""
        self._turn_while(lambda: not all(m.over for m in self.members.values()))
        self._end_workers()
        return not any(m.state == "failed" for m in self.members.values())

    # -- the loop ------------------------------------------------------------------------------------------------

    def _turn_while(self, condition: Callable[[], bool], *, give_up: bool = False) -> None:
        """Take events and act on time as long as the condition holds.

        With ``give_up`` a stop ends it, and so does the first failure, by StartError.
        """
        while condition() and not (give_up and self._stopping):
            now = self._clock()
            due = [m.due for m in self.members.values() if m.due is not None]
            if self._kill_at is not None:
                due.append(self._kill_at)
            for event in self._wait(self._workers.values(), self._inbox, max(min(due) - now, 0) if due else None):
                self._handle(event)
            self._act_on_time()
            failures = [m.error for m in self.members.values() if m.state == "failed"] if give_up else []
            if failures:
                self._stop_all(force=True)
                self.run()
                raise StartError(failures)

    def _handle(self, event: Event) -> None:
        match event:
            case Bound(name, endpoints):
                member = self.members[name]
                member.endpoints = endpoints
                self._bound.update({(name, role): addresses for role, addresses in endpoints.items()})
                if self._started and member.state == "starting":
                    self._order_connect(member)
            case Ready(name):
                member = self.members[name]
                if member.state == "starting":
                    member.since = self._clock()
                    self._change(member, "running")
            case Stopped(name):
                self._ended(self.members[name], "")
            case Failed(name, error):
                self._ended(self.members[name], error)
            case WorkerEnded(worker, how):
                self._workers.pop(worker, None)
                for member in self.members.values():
                    if member.device.process == worker and not member.over and member.state != "backoff":
                        remove_stale(address for addresses in member.endpoints.values() for address in addresses)
                        self._ended(member, f"{member.device.name}: {how}")
            case StopRequest(force):
                self._stop_all(force=force)

    def _act_on_time(self) -> None:
        now = self._clock()
        for member in self.members.values():
            if member.due is None or member.due > now:
                continue
            if member.state == "backoff":
                member.due = None
                member.restarts += 1
                self._change(member, "starting")
                self._order_bind(member)
            else:
                self._lose_patience(member)
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
            for worker in self._workers.values():
                worker.kill()
            # Its threads are daemons: this process can end without them.
            self._workers.pop("", None)

    def _change(self, member: Member, state: State, what: str = "") -> None:
        member.state = state
        self._tell(member, what or state)

    # -- starting ------------------------------------------------------------------------------------------------

    def _worker(self, device: Device) -> Worker:
        name = device.process
        if name not in self._workers:
            blocks = [m.block for m in self.members.values() if m.device.process == name]
            self._workers[name] = self._make(name, self.topology, blocks, self._inbox, self._context)
        return self._workers[name]

    def _order(self, member: Member, order: Order) -> None:
        """Give an order to a device's worker, if there is one: what has become of it is an event on its way."""
        if member.device.process in self._workers:
            self._workers[member.device.process].order(order)

    def _order_bind(self, member: Member) -> None:
        binds = {}
        for socket in member.device.sockets:
            before = member.endpoints.get(socket.role, ())
            # A port that the system chose stays the same when the device is restarted: others have connected to it.
            binds[socket.role] = tuple(
                before[i] if before and address.endpoint and address.endpoint.is_system_port else address.text
                for i, address in enumerate(socket.bind)
            )
        try:
            worker = self._worker(member.device)
        except (OSError, zmq.ZMQError) as error:
            # Too many processes or descriptors; it fails as it would by any other error.
            self._inbox.post(Failed(member.device.name, f"{member.device.name}: cannot start: {error.strerror}"))
        else:
            worker.order(Bind(member.device, binds, member.block))

    def _order_connect(self, member: Member) -> None:
        connects = {
            socket.role: tuple(
                self._resolve(member.device, address) if isinstance(address, Reference) else address.text
                for address in socket.connect
            )
            for socket in member.device.sockets
        }
        self._order(member, Connect(member.device.name, connects))

    def _resolve(self, device: Device, reference: Reference) -> str:
        endpoint = nearest(reference, device, self.topology, self._bound)
        # A reference to nothing, where its rule was silenced, is no address: the device fails to connect to it.
        return str(endpoint) if endpoint is not None else reference.text

    # -- ending --------------------------------------------------------------------------------------------------

    def _ended(self, member: Member, error: str) -> None:
        """A device is no more; decide whether it shall run again."""
        stopping = member.state == "stopping"
        member.due = None
        member.error = error or member.error
        restart = member.device.restart
        if stopping or self._stopping:
            self._change(member, "stopped", f"stopped ({error})" if error else "stopped")
            self._stop_with_the_stream()
        elif not self._started:
            self._change(member, "failed", f"failed: {error}")
        elif restart.policy == "never" or (restart.policy == "on-failure" and not error):
            self._fail(member, error)
        else:
            if member.since is not None and self._clock() - member.since >= restart.stable_after:
                member.failures = 0
            member.since = None
            member.failures += 1
            if restart.max_retries is not None and member.failures > restart.max_retries:
                self._fail(member, f"{error} (after {restart.max_retries} retries)")
                return
            first, most = restart.backoff
            delay = min(first * 2 ** min(member.failures - 1, 32), most) * (0.5 + self._jitter() / 2)
            member.due = self._clock() + delay
            self._change(member, "backoff", f"ended: {error or 'stopped'}; starts again in {delay:.1f} s")

    def _fail(self, member: Member, error: str) -> None:
        """It has ended for good."""
        if not error:
            self._change(member, "stopped")
            return
        self._change(member, "failed", f"failed: {error}")
        if self._abort_on_failure:
            self._stop_all(force=False)

    def _stop_all(self, *, force: bool) -> None:
        self._stopping = True
        for member in self.members.values():
            if member.over:
                continue
            if member.state == "backoff":
                member.due = None
                self._change(member, "stopped")
            elif force:
                self._lose_patience(member)
            elif member.state != "stopping":
                self._change(member, "stopping")
                member.due = self._clock() + member.device.stop_timeout
                member.waits = True
        self._stop_with_the_stream()
        if force and self._kill_at is not None:
            self._kill_at = self._clock()

    def _stop_with_the_stream(self) -> None:
        """Tell those to stop whom nobody feeds any more: what a device passes on, the next one can then pass on too."""
        waiting = [m for m in self.members.values() if m.waits and m.state == "stopping"]
        if not waiting:
            return
        if self._upstream is None:
            self._upstream = upstream(self.topology)
        fed = {
            m.device.name
            for m in waiting
            if any(not self.members[name].over for name in self._upstream[m.device.name])
        }
        if all(m.waits for m in self.members.values() if not m.over) and len(fed) == len(waiting):
            fed.clear()     # a ring has no beginning
        for member in waiting:
            if member.device.name not in fed:
                member.waits = False
                left = max((member.due or 0) - self._clock(), 0)
                self._order(member, Stop(member.device.name, left))

    def _lose_patience(self, member: Member) -> None:
        """End a device at once; the second time, its process."""
        if not member.forced:
            member.forced = True
            member.waits = False
            member.state = "stopping"
            member.due = self._clock() + KILL_AFTER
            self._order(member, Stop(member.device.name, 0))
            return
        member.due = None
        if member.device.process in self._workers:
            self._workers[member.device.process].kill()

    def _end_workers(self) -> None:
        patience = max((m.device.stop_timeout for m in self.members.values()), default=0)
        self._kill_at = self._clock() + patience + KILL_AFTER
        for worker in self._workers.values():
            worker.order(End())
        self._turn_while(lambda: bool(self._workers))
        self._kill_at = None
        self._inbox.close()
        for member in self.members.values():
            member.block = member.block.copy()      # the numbers stay; the memory that was shared goes
