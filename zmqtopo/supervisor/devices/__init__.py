"""The devices of a topology: what is asked of their workers, and what follows from what becomes of them.

What an event leads to stands in the table of `device_state`, the order of a stop in `shutdown`. Everything here happens
in the supervisor's thread: orders go out to workers, and their events come back in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import zmq

from zmqtopo.broker.counters import CounterBlock, Segment
from zmqtopo.broker.ipc import remove_stale
from zmqtopo.config.model import Device, OptionValue, Role, Topology
from zmqtopo.supervisor.admission import Admission
from zmqtopo.supervisor.device_state import START_TIMEOUT, DeviceState, Event, StateChange, restart_delay
from zmqtopo.supervisor.devices.addresses import Connections, binds
from zmqtopo.supervisor.devices.peers import PeerInquiries
from zmqtopo.supervisor.devices.shutdown import Shutdown
from zmqtopo.supervisor.devices.taps import EndTaps, TapRequest, Taps
from zmqtopo.supervisor.forkserver import ForkserverThread
from zmqtopo.supervisor.losses import UNSENT
from zmqtopo.supervisor.requests import Callback
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED
from zmqtopo.supervisor.workers.inbox import Inbox
from zmqtopo.supervisor.workers.pool import Environment, WorkerPool
from zmqtopo.worker.protocol import (
    Adapt,
    Adapted,
    Admit,
    Bind,
    Bound,
    Failed,
    Noted,
    Order,
    Pause,
    Paused,
    PeerDropped,
    PeersTold,
    Quiesce,
    Quiesced,
    Ready,
    Resume,
    Resumed,
    Stopped,
    TapOpened,
    Unsent,
)
from zmqtopo.worker.protocol import Event as WorkerEvent


class Devices:
    """The devices of a topology and the workers that hold them."""

    def __init__(
        self, topology: Topology, environment: Environment, inbox: Inbox, context: zmq.Context[Any] | None,
        isolated: bool,
    ) -> None:
        """With ``isolated`` thread devices are threads of a worker process.

        Raises OSError when there are no descriptors left for the counters of process devices.
        """
        self.topology = topology
        self._isolated = isolated
        blocks = self.blocks(topology.devices.values())
        self.by_name: Mapping[str, DeviceState] = {
            name: DeviceState(spec, blocks[name], starts_together=True) for name, spec in topology.devices.items()
        }
        """Never changed, but replaced as a whole: other threads may be looking at it."""
        self._forkserver = ForkserverThread(topology.name, inbox.post)
        self.pool = WorkerPool(lambda name: environment.make(name, self.topology, inbox, context, self._forkserver,
                                                   isolated=isolated), environment.clock)
        self.connections = Connections(topology)
        self._admission = Admission(topology, lambda: inbox.post(Callback(self._admit)),
                                    lambda name, text: inbox.post(Noted(name, "keys", text)))
        self.changes: deque[StateChange] = deque()
        """What has happened, to be told by the supervisor."""
        self.started = False
        self.reloading = False
        self.stopping = False
        self._idle = False
        self._clock = environment.clock
        self._jitter = environment.jitter
        self._inbox = inbox
        self._shutdown = Shutdown(topology, self._clock)
        self._taps = Taps()
        self.inquiries = PeerInquiries(self.pool, lambda: self.by_name, self._clock)
        self._signs: dict[str, float] = {}
        """When a device of a worker has last taken a step of its start."""

    @property
    def is_over(self) -> bool:
        """Whether nothing runs or will run again; after an operator's command, and so after a reload, something may."""
        devices = self.by_name.values()
        waits = self._idle or any(device.desired_state == "stop" for device in devices)
        return all(device.over for device in devices) and (self.stopping or not waits)

    def note_command(self) -> None:
        """A command or a reload has come to its end: when nothing runs after it, that is not the end of everything."""
        self._idle = all(device.over for device in self.by_name.values())

    @property
    def deadlines(self) -> list[float]:
        """When something is to be done though no event comes."""
        mine = [device.deadline for device in self.by_name.values() if device.deadline is not None]
        return mine + self.pool.deadlines + self._shutdown.deadlines + self.inquiries.deadlines

    def act_on_time(self) -> None:
        """Do what is due."""
        now = self._clock()
        for device in self.by_name.values():
            if device.deadline is not None and device.deadline <= now:
                # A worker that has many to start, and goes on with that, may take its time.
                later = self._signs.get(device.spec.process, 0.0) + START_TIMEOUT
                if device.state == "starting" and later > now:
                    device.deadline = later
                else:
                    self._on(device, "deadline")
        self._send(self._shutdown.act_on_time())
        self.pool.kill_overdue()
        self.inquiries.act_on_time()

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

    def adopt(self, topology: Topology, devices: Mapping[str, DeviceState]) -> None:
        """Go over to another topology; a device that is not among these any more has ended."""
        self.topology = topology
        self.by_name = devices
        self._shutdown.adopt(topology)
        self.connections.adopt(topology, devices)
        self._admission.adopt(topology)

    # -- what is asked of devices --------------------------------------------------------------------------------

    def begin(self, device: DeviceState) -> None:
        """Start a device that does not run, at once or as soon as it has stopped; one that was to pause still is."""
        device.desired_state = "pause" if device.desired_state == "pause" else "run"
        if device.over or device.phase == "backoff":
            device.failures = 0
            device.error = ""
            self._on(device, "start")

    def bind(self, device: DeviceState) -> None:
        """The first step of a start, as soon as its worker takes orders: one that is about to end takes none."""
        if not self.pool.is_ending(device.spec.process):
            self._on(device, "worker free")

    def connect(self, device: DeviceState) -> None:
        """The second step of a start."""
        self._on(device, "connect")

    def adapt(self, device: DeviceState, spec: Device, settings: Iterable[tuple[Role, str, OptionValue]]) -> None:
        """Let a device that works become another one with the sockets that it has.

        One that does not answer is ended, and starts again; so it is with a pause and a resume.
        """
        self._on(device, "adapt", order=Adapt(device.name, spec, tuple(settings)))

    def pause(self, device: DeviceState) -> None:
        """Pause a device now, or when it runs."""
        device.desired_state = "pause"
        self._on(device, "pause")

    def resume(self, device: DeviceState) -> None:
        """Let a device go on."""
        device.desired_state = "run"
        if device.goes_on:      # else when it need no longer be quiesced
            self._on(device, "resume")

    def stop(
        self, devices: Iterable[DeviceState], *, force: bool = False, within: float | None = None
    ) -> None:
        """Stop devices, those that feed others first; with ``force`` at once, and the second time kill them.

        ``within`` is what the stop of each may take, in seconds; None is for its ``stop_timeout``.
        """
        if self.stopping:       # then those that feed others stop before them, and need not be quiesced
            self._shutdown.end_quiescing()
        for device in devices:
            device.request_stop(within)
            self._on(device, "abort" if force else "stop")
        self._send(self._shutdown.advance(self.by_name, everything=self.stopping))

    def tap(self, request: TapRequest | EndTaps) -> None:
        """Let somebody look on, or not any more."""
        if isinstance(request, TapRequest):
            self._send(self._taps.take(request, self.by_name))
        else:
            self._send(self._taps.end(request.holder))

    # -- what becomes of them ------------------------------------------------------------------------------------

    def handle(self, event: WorkerEvent) -> None:
        """A worker says something, most often of a device."""
        if isinstance(event, PeersTold | PeerDropped):
            self.inquiries.note(event)
            return
        device = self.by_name.get(event.name)
        if device is None:
            return      # the last word of one that a reload has removed
        match event:
            case Bound(_, endpoints):
                self._signs[device.spec.process] = self._clock()
                before = self.connections.note_bound(device, endpoints)
                self._on(device, "bound")
                if device.phase == "bound" and not device.starts_together:      # else it waits for the others
                    self.connect(device)
                    self._send(self.connections.connect_late(before, self.by_name))
            case Ready(_, thread):
                device.thread = thread
                self._signs[device.spec.process] = self._clock()
                self._on(device, "ready")
                self._send(self._taps.open(device))
            case TapOpened():
                self._taps.note(event)
            case Paused():
                self._on(device, "paused")
            case Resumed():
                self._on(device, "resumed")
            case Quiesced():
                device.note_quiesced()
            case Adapted(_, spec):
                device.spec = spec
                self._on(device, "adapted")
            case Stopped():
                self._on_end(device, "")
            case Failed(_, error):
                self._on_end(device, error)
            case Unsent():
                device.unsent = True
                if not self.stopping:       # else there is a summary of the stop
                    self._tell(device, UNSENT)
            case Noted(_, noted, text):
                self._tell(device, text, noted=noted)

    def on_worker_ended(self, worker: str, how: str) -> None:
        """A worker is gone; whatever of its devices had not ended has ended with it."""
        expected = self.pool.remove(worker)
        self.inquiries.note_worker_ended(worker)
        for device in [device for device in self.by_name.values() if device.spec.process == worker]:
            if expected:
                self.bind(device)
            elif not device.over and device.phase != "backoff":
                remove_stale(address for addresses in device.endpoints.values() for address in addresses)
                self._on_end(device, f"{device.name}: {how}")

    def _on_end(self, device: DeviceState, error: str) -> None:
        """A device is no more; it has stopped as it was told to, has failed, or starts again."""
        if device.over:
            return      # it was given up: a thread that did not end has ended after all
        stops = device.stops_as_asked
        if device.unanswered and not stops:
            error = f"{device.name}: {device.unanswered}"
        device.note_end(error, self.connections.next_turn())
        self._shutdown.note_end(device)
        said = device.said(error)
        if stops or self.stopping:
            parts = [f"stopped ({said})" if error else "stopped", str(device.last_stop or "")]
            self._on(device, "stopped", "; ".join(part for part in parts if part))
            if device.desired_state != "stop" and not self.stopping:
                self._on(device, "start")
            self._send(self._shutdown.advance_after(device, self.by_name, everything=self.stopping))
        elif device.starts_together:
            self._on(device, "failed", f"failed: {said}")
        else:
            self._restart(device, error)
        self._end_idle_worker(device.spec.process)

    def _restart(self, device: DeviceState, error: str) -> None:
        failures = device.count_failure(self._clock())
        delay = restart_delay(device.spec.restart, failures, error, self._jitter())
        if isinstance(delay, float):
            ended = device.said(error) or "stopped"
            self._on(device, "restart", f"ended: {ended}; restarting in {delay:.2g} s", delay=delay)
        elif delay.error:
            self._on(device, "failed", f"failed: {device.said(delay.error)}; gave up; zmqtopo start revives it")
        else:
            self._on(device, "stopped")

    def _on(
        self, device: DeviceState, event: Event, text: str = "", *, delay: float = 0.0, order: Order | None = None
    ) -> None:
        """Let an event happen to a device, tell of its new state, and ask its worker for what follows from it."""
        before, together = device.state, device.starts_together
        request = device.on(event, self._clock(), delay)
        if request is None:
            return
        # That one is ended at once is told by its end.
        if text or (device.state != before and device.phase != "aborting"):
            self._tell(device, device.credited(text or device.state), together=together)
        match request:
            case "bind":
                self._order_bind(device)
            case "connect":
                self._send(self.connections.connect(device, self.by_name))
            case "pause":
                self._send([Pause(device.name)])
            case "resume":
                self._send([Resume(device.name)])
            case "adapt" if order is not None:
                self._send([order])
            case "stop at once":
                self._send([self._shutdown.stop_sent(device, 0)])
            case "kill":
                self._kill(device)
        self._follow_up(device, event)

    def _follow_up(self, device: DeviceState, event: Event) -> None:
        """What a state leads to by itself."""
        match device.phase:
            case "queued":
                self.bind(device)
            case "running" if event == "ready":
                self._idle = False
                if device.desired_state == "pause":
                    self.pause(device)
                if device.quiesce != "no":
                    self._send([Quiesce(device.name)])
            case "stopped" if event in ("stop", "abort"):
                self._end_idle_worker(device.spec.process)

    def _tell(self, device: DeviceState, text: str, *, together: bool = False, noted: str = "") -> None:
        self.changes.append(StateChange(device, device.state, device.error, text, together, noted))

    def _send(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if (device := self.by_name.get(getattr(order, "name", ""))) is not None:
                self.pool.order(device.spec, order)

    def _admit(self) -> None:
        """Let workers know who may connect now."""
        for device in self.by_name.values():
            if device.spec.process in self.pool and not device.over:
                self._send([Admit(device.name, self._admission.policies(device.spec))])

    def _order_bind(self, device: DeviceState) -> None:
        try:
            worker = self.pool.need(device.spec)
        except (OSError, zmq.ZMQError, ValueError, OverflowError) as error:
            # Too many processes or descriptors, or a context that cannot be; it fails as it would by any other error.
            why = error.strerror if isinstance(error, OSError | zmq.ZMQError) else error
            self._inbox.post(Failed(device.name, f"{device.name}: cannot start: {why}"))
        else:
            worker.order(Bind(device.spec, binds(device), device.block, self.reloading,
                              policies=self._admission.policies(device.spec)))

    # -- ending workers ------------------------------------------------------------------------------------------

    def _kill(self, device: DeviceState) -> None:
        """End the worker of a device that does not end; a thread is given up, and everything else goes on."""
        process, name = device.spec.process, device.name
        # Of those that end with it, each is told whose end it is.
        why = f"was killed: {name} {device.unanswered}" if device.unanswered else NOT_STOPPED
        if self.pool.kill(process, why):
            return
        if device.state == "starting":
            self._inbox.post(Failed(name, f"{name}: {device.unanswered}"))
        elif process in self.pool:
            silent = device.unanswered or "did not stop in time"
            device.error = f"{name}: {silent}; a thread cannot be killed and may go on until the program ends"
            device.closed = self.connections.next_turn()
            self._shutdown.note_end(device)
            self._on(device, "failed", f"failed: {device.said(device.error)}")
            self._send(self._shutdown.advance_after(device, self.by_name, everything=self.stopping))

    def _end_idle_worker(self, name: str) -> None:
        """End a process whose devices have all ended: the next start is one of a fresh interpreter."""
        mine = [device for device in self.by_name.values() if device.spec.process == name]
        if (name or self._isolated) and self.started and all(device.over for device in mine):
            self.pool.end(name, mine)

    def abandon(self, error: str) -> None:
        """After an error of ours: whatever can be is ended at once, and nobody waits for it."""
        self.pool.abandon()
        for device in self.by_name.values():
            if not device.over:
                device.phase, device.error = "failed", f"{device.name}: {error}"

    def close(self) -> None:
        """Keep the numbers and let go of the memory that was shared; end what started the workers."""
        self._admission.close()
        self._forkserver.close()
        for device in self.by_name.values():
            device.block = device.block.copy()
