"""The supervisor: one loop that takes events and decides.

A start goes in three steps over all devices: bind everything, resolve what refers to a bound address, connect and run.
Nothing is called ready before the last has run, and the first failure takes all of it back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import zmq

from zmqtopo.config.model import Topology
from zmqtopo.supervisor.commands import Command, CommandError, Commands, Look
from zmqtopo.supervisor.device_state import DeviceState, StateChange
from zmqtopo.supervisor.devices import Devices
from zmqtopo.supervisor.devices.peers import PeersRequest
from zmqtopo.supervisor.devices.taps import EndTaps, TapRequest
from zmqtopo.supervisor.reload import Reload, Reloads
from zmqtopo.supervisor.requests import Callback, StopRequest
from zmqtopo.supervisor.status import DeviceStatus, statuses
from zmqtopo.supervisor.timers import Timer, deadlines, run_due
from zmqtopo.supervisor.workers.inbox import Inbox, Message, WorkerEnded
from zmqtopo.supervisor.workers.local import LocalWorker
from zmqtopo.supervisor.workers.pool import Environment
from zmqtopo.worker.protocol import Event


class StartError(RuntimeError):
    """A topology that could not be started; everything that had been is undone.

    ``failures`` has a text for each device that failed: device, socket, address and reason.
    """

    def __init__(self, failures: list[str]) -> None:
        super().__init__("; ".join(failures))
        self.failures = failures


class Supervisor:
    """Runs the devices of a topology.

    `request_stop`, `ask`, `call`, `topology`, `devices` and `context` are for any thread, everything else for the one
    that runs it.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        context: zmq.Context[Any] | None = None,
        tell: Callable[[StateChange], None] = lambda change: None,
        isolated: bool = False,
        abort_on_failure: bool = False,
        environment: Environment | None = None,
        timers: Sequence[Timer] = (),
    ) -> None:
        """``context`` is for the thread devices, unless ``isolated`` gives them a worker process of their own.

        ``tell`` is called with each change of a device's state.

        ``timers`` run between events. Raises StartError when there are no file descriptors left for its own.
        """
        self._tell = tell
        self._abort_on_failure = abort_on_failure
        self._timers = timers
        environment = environment or Environment()
        self._wait = environment.wait
        self._clock = environment.clock
        self._asking = threading.Lock()
        self._ended = False
        self._error = ""
        self.stop_asked_by = ""
        """Who has asked for the end, in words; empty where nobody has, or nobody knows."""
        try:
            self._inbox = Inbox()
            self._devices = Devices(topology, environment, self._inbox, context, isolated)
        except OSError as error:
            raise StartError([f"cannot keep counters for {len(topology.devices)} devices: {error.strerror}"]) from None
        self._commands = Commands(self._devices)
        self._reloads = Reloads(self._devices)
        self._asked: deque[Command | Reload] = deque()

    # -- from outside --------------------------------------------------------------------------------------------

    def request_stop(self, *, force: bool = False, within: float | None = None, by: str = "") -> None:
        """Ask for the end, within so many seconds or the ``stop_timeout`` of each device, for who asks.

        It may be called from any thread, and in a signal handler.
        """
        self._inbox.post(StopRequest(force, within, by))

    def ask(self, request: Command | Reload | Look) -> None:
        """Have a command or a reload carried out or the status told; the reply is given by the thread that runs this.

        A reload waits until what was asked before it is done, and what is asked after it waits for the reload.
        """
        with self._asking:      # not for a signal handler, which could wait here for the thread that it interrupts
            if not self._ended:
                self._inbox.post(request)
                return
        self._refuse(request)

    def tap(self, request: TapRequest | EndTaps) -> None:
        """Let somebody look on at devices, or not any more; the reply is given by the thread that runs this."""
        with self._asking:
            if not self._ended:
                self._inbox.post(request)
                return
        self._refuse(request)

    def ask_peers(self, request: PeersRequest) -> None:
        """Have it told who is connected, or somebody cut off; the reply is given by the thread that runs this."""
        with self._asking:
            if not self._ended:
                self._inbox.post(request)
                return
        self._refuse(request)

    def call(self, do: Callable[[], object]) -> None:
        """Have something done by the thread that runs this, unless it has ended; from any thread."""
        self._inbox.post(Callback(do))

    def wake_on_signals(self) -> None:
        """Wake for every signal until the end, so that handlers run at once; for the main thread, which runs it."""
        self._inbox.wake_on_signals()

    @property
    def topology(self) -> Topology:
        """What runs, as the last reload has left it."""
        return self._devices.topology

    @property
    def devices(self) -> Mapping[str, DeviceState]:
        """The devices, and what has become of them."""
        return self._devices.by_name

    @property
    def status(self) -> list[DeviceStatus]:
        """Every device as it is now, in the order of the file."""
        return statuses(self.devices.values(), self._devices.pool.pids, self._clock())

    @property
    def worker_pids(self) -> list[int]:
        """The processes of the workers."""
        return list(self._devices.pool.pids.values())

    @property
    def is_stopping(self) -> bool:
        """Whether everything is about to end."""
        return self._devices.stopping

    @property
    def context(self) -> zmq.Context[Any] | None:
        """The context of the thread devices, None without any in this process."""
        local = self._devices.pool.local
        return local.host.context if isinstance(local, LocalWorker) else None

    def start(self) -> None:
        """Start everything; returns when every socket is bound and every device runs, or a stop was requested.

        Raises StartError after taking back what had been started.
        """
        with self._abandoned_by_an_error():
            devices = self.devices.values()
            for device in devices:
                self._devices.bind(device)
            self._turn_while(lambda: any(device.phase == "binding" for device in devices), give_up=True)
            if not self._devices.stopping:
                for device in devices:
                    self._devices.connect(device)
            self._turn_while(lambda: any(device.state == "starting" for device in devices), give_up=True)
            self._devices.started = True

    def run(self) -> bool:
        """Go on until nothing runs or will run again; whether no device has failed for good."""
        with self._abandoned_by_an_error():
            self._turn_while(lambda: bool(self._reloads) or not self._devices.is_over)
            self._devices.stopping = True     # what would be started now would be told to end by nobody
            for worker in list(self._devices.pool):
                self._devices.pool.end(worker.name, self.devices.values())
            self._turn_while(lambda: bool(self._devices.pool))
        self._close()
        return not any(device.state == "failed" for device in self.devices.values())

    @contextmanager
    def _abandoned_by_an_error(self) -> Iterator[None]:
        """After an error of ours everything ends, and nobody waits for an answer without limit."""
        try:
            yield
        except StartError:
            raise       # everything has ended
        except BaseException as error:
            if not self._ended:
                self._error = f"internal error: {type(error).__name__}: {error}"
                self._devices.abandon(f"ended by an {self._error}")
                self._close()
            raise

    def _close(self) -> None:
        with self._asking:
            self._ended = True
        reason = f"{self.topology.name} {self._fate}"
        self._commands.end(reason, stops=True)
        self._commands.settle()
        self._reloads.end(reason)
        for event in (*self._asked, *self._inbox.take()):
            if isinstance(event, Command | Reload | Look | TapRequest | PeersRequest):
                self._refuse(event)
        self._devices.inquiries.end(reason)
        self._inbox.close()
        self._devices.close()

    # -- the loop ------------------------------------------------------------------------------------------------

    def _turn_while(self, condition: Callable[[], bool], *, give_up: bool = False) -> None:
        """Take events and act on time as long as the condition holds.

        With ``give_up`` a stop ends it, and so does the first failure, by StartError.
        """
        while condition() and not (give_up and self._devices.stopping):
            due = self._devices.deadlines + deadlines(self._timers)
            timeout = max(min(due) - self._clock(), 0) if due else None
            for event in self._wait(self._devices.pool, self._inbox, timeout):
                self._handle(event)
                self._tell_changes()
            self._devices.act_on_time()
            self._tell_changes()
            run_due(self._timers, self._clock())
            self._settle()
            failures = [d.error for d in self.devices.values() if d.state == "failed"] if give_up else []
            if failures:
                self._stop(force=True)
                self._tell_changes()
                self.run()
                raise StartError(failures)

    def _settle(self) -> None:
        """Go on with what was asked, as far as the devices have come."""
        was_asked = bool(self._commands or self._reloads or self._asked)
        self._advance()
        while self._asked and not self._reloads and not (self._commands and isinstance(self._asked[0], Reload)):
            asked = self._asked.popleft()
            if isinstance(asked, Reload):
                self._reloads.take(asked)
            else:
                self._commands.take(asked)
            self._tell_changes()
            self._advance()
        if was_asked and not (self._commands or self._reloads):
            self._devices.note_command()

    def _handle(self, event: Message) -> None:
        if isinstance(event, Event):
            self._devices.handle(event)
            return
        match event:
            case WorkerEnded(worker, how):
                self._devices.on_worker_ended(worker, how)
            case StopRequest(force, within, by):
                self.stop_asked_by = self.stop_asked_by or by
                self._stop(force=force, within=within)
            case Look():
                event.reply.set_result(self.status)
            case TapRequest() | EndTaps():
                self._devices.tap(event)
            case PeersRequest():
                self._devices.inquiries.take(event)
            case Callback(do):
                do()
            case Command() | Reload() if self._devices.started and not self._devices.stopping:
                self._asked.append(event)
            case Command() | Reload():
                self._refuse(event)

    def _tell_changes(self) -> None:
        """What has happened to devices, before anything else happens."""
        while self._devices.changes:
            change = self._devices.changes.popleft()
            self._tell(change)
            if change.event:
                continue
            self._commands.note(change.device.name, change.state, change.error)
            if change.state == "failed" and not change.together and self._abort_on_failure:
                self._stop(force=False)

    def _advance(self) -> None:
        self._commands.settle()
        self._reloads.advance()
        self._tell_changes()        # before the answer to what has led to them
        self._reloads.settle()

    def _stop(self, *, force: bool, within: float | None = None) -> None:
        self._devices.stopping = True
        self._commands.end(f"{self.topology.name} is stopping")
        self._reloads.end(f"{self.topology.name} is stopping")
        while self._asked:
            self._refuse(self._asked.popleft())
        self._devices.stop(self.devices.values(), force=force, within=within)
        if force:
            self._devices.pool.hurry()

    def _refuse(self, request: Command | Reload | Look | TapRequest | EndTaps | PeersRequest) -> None:
        if isinstance(request, Look):
            request.reply.set_result(self.status)
            return
        if isinstance(request, EndTaps):
            return
        request.reply.set_exception(CommandError([f"{self.topology.name} {self._fate}"]))

    @property
    def _fate(self) -> str:
        if self._ended:
            return f"has ended by an {self._error}" if self._error else "has ended"
        return "is stopping" if self._devices.stopping else "is still starting"
