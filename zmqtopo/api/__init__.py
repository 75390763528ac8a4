"""A topology in the background of a Python program."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self, cast

import zmq

from zmqtopo.api import arguments
from zmqtopo.api.names import ByName, device_and_role
from zmqtopo.broker.counters import Counters
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import Role, Topology
from zmqtopo.supervisor.commands import Command, CommandError, Look, Verb
from zmqtopo.supervisor.device_state import StateChange
from zmqtopo.supervisor.event_log import BackgroundEventLog, EventReporter
from zmqtopo.supervisor.reload import Reload
from zmqtopo.supervisor.reload.plan import Plan
from zmqtopo.supervisor.status import DeviceStatus
from zmqtopo.supervisor.supervisor import Supervisor
from zmqtopo.worker.protocol import Endpoints


class Running:
    """A running topology, as `zmqtopo.up` gives it; as a context manager it stops at the end.

    What happens to it is logged on the standard logger ``zmqtopo.NAME``: restarts as warnings, failures as errors, all
    else as INFO; records have ``topology``, ``device``, ``event`` and ``state``. Handlers run in a thread of their own.

    It belongs to the process that has started it: in one that was forked from there everything but `topology` raises
    RuntimeError, and the end of a with block does nothing.
    """

    def __init__(
        self, topology: Topology, context: zmq.Context[Any] | None = None, *, isolated: bool = False
    ) -> None:
        """Start every device. Raises `zmqtopo.StartError` after undoing what had been started."""
        self._pid = os.getpid()
        self._event_log = BackgroundEventLog(topology.name)
        self._reporter = EventReporter(self._event_log.say, stopping="stopping")
        self._any_process = Supervisor(topology, context=context, tell=self._tell, isolated=isolated)
        started = threading.Event()
        self._start_failure: BaseException | None = None

        def supervise() -> None:
            try:
                self._start()
            except BaseException as error:     # raised again in the thread that waits
                self._start_failure = error
                return
            finally:
                started.set()
            self._run()

        self._thread = threading.Thread(target=supervise, name="zmqtopo supervisor", daemon=True)
        self._thread.start()
        try:
            started.wait()
        except BaseException:       # Ctrl-C: nobody would have this object to stop it
            self.stop(0)
            raise
        self._event_log.flush()
        if self._start_failure is not None:
            self._thread.join()
            raise self._start_failure

    # -- in the thread of the supervisor -------------------------------------------------------------------------

    def _start(self) -> None:
        began = time.monotonic()
        supervisor = self._any_process
        try:
            supervisor.start()
        except BaseException as error:
            for failure in getattr(error, "failures", [f"internal error: {type(error).__name__}: {error}"]):
                self._event_log.say(failure, event="error")
            self._event_log.say("not started; what had been started is undone", event="not-started")
            self._event_log.close()
            raise
        if not supervisor.is_stopping:
            self._reporter.ready(supervisor.devices.values(), time.monotonic() - began)

    def _run(self) -> None:
        try:
            self._any_process.run()
        except BaseException as error:
            self._event_log.say(f"ended by an internal error: {type(error).__name__}: {error}", event="error")
            raise
        else:
            self._event_log.say("stopped", event="stopped")
        finally:
            self._event_log.close()

    def _tell(self, change: StateChange) -> None:
        all_stop = self._any_process.is_stopping
        ended = change.state in ("stopped", "failed") and not change.event
        if all_stop and ended and self._reporter.is_ready:      # no farewell follows, as in the command
            self._event_log.say(change.text, device=change.device.name, state=change.state)
        else:
            self._reporter.changed(change, all_stop=all_stop)

    # -- in any thread -------------------------------------------------------------------------------------------

    @property
    def _supervisor(self) -> Supervisor:
        """The supervisor, for its own process only: a fork takes no threads along, and nobody would answer."""
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"this topology belongs to process {self._pid}, and this is process {os.getpid()}, which was forked "
                "from it: control the topology there, and ask for addresses before the fork"
            )
        return self._any_process

    @property
    def topology(self) -> Topology:
        """What runs, as the last `reload` has left it."""
        return self._any_process.topology

    @property
    def context(self) -> zmq.Context[Any] | None:
        """The context of the thread devices, for sockets that use their inproc addresses; None without any here.

        Close those sockets before `stop`, which ends the context unless it came from outside.
        """
        return self._supervisor.context

    @property
    def endpoints(self) -> Mapping[str, Endpoints]:
        """The addresses as really bound: ``running.endpoints["ingest"]["in"]`` is a tuple."""
        return ByName({name: cast("Endpoints", ByName(_by_role(device.endpoints), f"socket of {name}"))
                       for name, device in self._supervisor.devices.items()})

    def address(self, socket: str) -> str:
        """An address to connect to for ``DEVICE.SOCKET``: the first it has bound, with ``0.0.0.0`` made reachable.

        Raises KeyError, which says what is near, for a device or socket that is not there, and LookupError when it has
        bound nothing.
        """
        if not isinstance(socket, str):
            raise TypeError(f"a socket is named by a str such as 'ingest.in', not {type(socket).__name__}")
        name, role = device_and_role(socket, self._supervisor.devices)
        bound = self.endpoints[name][cast("Role", role)]
        if not bound:
            raise LookupError(f"{socket} binds nothing")
        return str(parse(bound[0]).reachable())

    @property
    def states(self) -> Mapping[str, str]:
        """The state of each device: starting, running, paused, backoff, stopping, stopped or failed."""
        return ByName({name: device.state for name, device in self._supervisor.devices.items()})

    @property
    def errors(self) -> Mapping[str, str]:
        """The last error of each device that had one."""
        return {name: device.error for name, device in self._supervisor.devices.items() if device.error}

    def __repr__(self) -> str:
        """Such as ``<zmqtopo.Running 'pipeline': 2 running, 1 failed>``, from any process and at any time."""
        if os.getpid() != self._pid:
            words = f"of process {self._pid}"
        elif not self._thread.is_alive():
            words = "stopped"
        else:
            count = Counter(device.state for device in list(self._any_process.devices.values()))
            words = ", ".join(f"{number} {state}" for state, number in count.items()) or "no devices"
        return f"<zmqtopo.{type(self).__name__} {self._any_process.topology.name!r}: {words}>"

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: threads and sockets stay where they are."""
        raise TypeError(
            "a running topology cannot be pickled or copied: its devices belong to this process; give others the "
            "addresses to connect to, such as running.address('DEVICE.SOCKET')"
        )

    @property
    def status(self) -> Sequence[DeviceStatus]:
        """All that is known of each device at this moment, as ``zmqtopo ps`` shows it."""
        look = Look()
        self._supervisor.ask(look)
        return look.reply.result()

    def counters(self) -> Mapping[str, Counters]:
        """What has passed through each device since it first started."""
        return ByName({name: device.block.read() for name, device in self._supervisor.devices.items()})

    def pause(self, *devices: str) -> None:
        """Let devices take no more messages; what comes waits in their in sockets, and then where it comes from.

        Without a name this is for all that run, and so with the other commands. They return when it is done, and raise
        CommandError for an unknown name, a device that has stopped, and one that fails meanwhile; TypeError for a name
        that is not a str.
        """
        self._command("pause", devices)

    def resume(self, *devices: str) -> None:
        """Let devices go on where they were paused. Raises CommandError."""
        self._command("resume", devices)

    def stop_devices(self, *devices: str) -> None:
        """Let devices pass on what they have received and end; they can be started again. Raises CommandError."""
        self._command("stop", devices)

    def start(self, *devices: str) -> None:
        """Start devices that have stopped or failed, with the addresses that they had. Raises CommandError."""
        self._command("start", devices)

    def restart(self, *devices: str) -> None:
        """Stop devices and start them again, in a new process where they have their own. Raises CommandError."""
        self._command("restart", devices)

    def reload(self, topology: str | os.PathLike[str] | Mapping[str, Any] | Topology) -> Plan:
        """Become what a file, or a loaded topology, says; return what that took. It touches only what has changed.

        Raises TopologyError for a file with errors, and CommandError when a device cannot start, or can no more because
        everything is about to end; nothing is changed then; TypeError or ValueError for what is not a topology. The
        name stays what it is.
        """
        supervisor = self._supervisor
        reload = Reload(arguments.topology(topology))
        supervisor.ask(reload)
        try:
            made = reload.reply.result()
        except CommandError as error:
            self._event_log.say(f"not reloaded; {error}", event="not-reloaded")
            raise
        self._event_log.say("reloaded" if made else "reloaded; nothing has changed", event="reloaded")
        return made

    def _command(self, verb: Verb, devices: tuple[str, ...]) -> None:
        command = Command(verb, arguments.device_names(devices))
        self._supervisor.ask(command)
        command.reply.result()

    def stop(self, timeout: float | None = None) -> None:
        """Pass on what has been received and end everything, as SIGTERM does to ``zmqtopo up``.

        It takes the longest ``stop_timeout`` at most; after ``timeout`` seconds what is left is ended at once. Does
        nothing when all has ended. Raises TypeError, and ValueError for a negative timeout or NaN.
        """
        limit = arguments.seconds(timeout)
        supervisor = self._supervisor
        if self._thread.is_alive():
            supervisor.request_stop()
            self._thread.join(limit)
            if self._thread.is_alive():
                supervisor.request_stop(force=True)
                self._thread.join()
        self._event_log.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() == self._pid:
            self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, while the event loop of asyncio goes on; a task that is cancelled meanwhile does not drain."""
        import asyncio

        if os.getpid() != self._pid:
            return
        try:
            await asyncio.to_thread(self.stop)
        except asyncio.CancelledError:
            await asyncio.to_thread(self.stop, 0)
            raise


def _by_role(endpoints: Endpoints) -> dict[str, tuple[str, ...]]:
    return {str(role): addresses for role, addresses in endpoints.items()}


def up(
    topology: str | os.PathLike[str] | Mapping[str, Any] | Topology, *, context: zmq.Context[Any] | None = None,
    isolated: bool = False,
) -> Running:
    """Start a topology from a file, a dict with its keys or a loaded one, and return when every device is ready.

    Thread devices run in this process, in ``context`` or in a new one, so that it can use their inproc addresses. With
    ``isolated`` they run together in a worker process of their own, as with the command: nothing that happens to them,
    not even an assertion of libzmq, ends this program. Raises TopologyError for a file with errors, StartError when a
    device cannot start, TypeError or ValueError for what is not a topology or a context, and ValueError for a
    ``context`` with ``isolated``.
    """
    if isolated and context is not None:
        raise ValueError("a context of this process is of no use to devices that are isolated from it")
    return Running(arguments.topology(topology), arguments.context(context), isolated=bool(isolated))
