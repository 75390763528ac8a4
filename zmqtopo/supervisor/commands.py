"""What an operator asks of a running topology, and how far that has got.

This module knows no ZeroMQ and no sockets: a command is a value with a future, and it is done when the devices have
come to the state that it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from zmqtopo.config.wording import closest, quote
from zmqtopo.supervisor.requests import Request

if TYPE_CHECKING:       # a client of the control socket needs no loop
    from zmqtopo.supervisor.device_state import DeviceState, State
    from zmqtopo.supervisor.status import DeviceStatus

Verb = Literal["start", "stop", "restart", "pause", "resume"]

VERBS: Final[tuple[Verb, ...]] = get_args(Verb)

# A device that waits to start again is as good as paused or resumed: it will come back as it is wanted.
_GOALS: Final[Mapping[Verb, frozenset[str]]] = {
    "start": frozenset({"running", "paused"}),
    "stop": frozenset({"stopped", "failed"}),
    "restart": frozenset({"stopped", "failed"}),
    "pause": frozenset({"paused", "backoff"}),
    "resume": frozenset({"running", "backoff"}),
}

# A stop is overtaken by nothing: what is to start afterwards, or to start again, stops first.
_OVERTAKES: Final[Mapping[Verb, frozenset[Verb]]] = {
    "start": frozenset(),
    "stop": frozenset({"start", "restart", "pause", "resume"}),
    "restart": frozenset({"start", "restart", "pause", "resume"}),
    "pause": frozenset({"resume"}),
    "resume": frozenset({"pause"}),
}


class CommandError(RuntimeError):
    """A command that was refused, that a later one has overtaken, or whose state some devices did not come to.

    ``failures`` has a text for each; ``states`` are those that the devices of the command have come to.
    """

    def __init__(self, failures: Sequence[str], states: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(failures))
        self.failures = list(failures)
        self.states = dict(states or {})


class UnknownDeviceError(CommandError):
    """A name that no device of the topology has."""


@dataclass(frozen=True, slots=True, eq=False)
class Command(Request):
    """Bring devices (none named: all for which it makes sense) to another state.

    ``reply`` gives by name the states that they came to, once all have, whatever has become of them since; its
    exception is a `CommandError`.
    """

    verb: Verb
    devices: tuple[str, ...] = ()
    within: float | None = None
    """Seconds that a stop may take, None for the ``stop_timeout`` of each device."""
    by: str = ""
    """Who asks, in words; empty where nobody knows."""
    reply: Future[dict[str, str]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class Look(Request):
    """Ask for the status of every device, in the order of the file."""

    reply: Future[list[DeviceStatus]] = field(default_factory=Future)


class Steps(Protocol):
    """What can be done to devices; their states change when the workers say so."""

    @property
    def by_name(self) -> Mapping[str, DeviceState]:
        """The devices that there are; a reload changes which."""

    def begin(self, device: DeviceState) -> None:
        """Start a device that does not run, at once or as soon as it has stopped."""

    def stop(self, devices: Iterable[DeviceState], *, within: float | None = None) -> None:
        """Stop devices, those that feed others first, within so many seconds or the ``stop_timeout`` of each."""

    def pause(self, device: DeviceState) -> None:
        """Pause a device now, or when it runs."""

    def resume(self, device: DeviceState) -> None:
        """Let a device go on."""


class Commands:
    """The commands that are under way."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._tasks: list[_Task] = []

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def take(self, command: Command) -> None:
        """Begin with a command, or refuse it."""
        try:
            devices = self._targets(command)
        except CommandError as error:
            command.reply.set_exception(error)
            return
        names = [device.name for device in devices]
        for other in self._tasks:
            other.give_way(command.verb, names)
        task = _Task(command, names, _GOALS[command.verb])
        self._tasks.append(task)
        for device in devices:
            if device.state not in task.goal:
                device.asked_by = command.by
        self._do("stop" if command.verb == "restart" else command.verb, devices, command.within)
        for device in devices:
            task.note(device.name, device.state, device.error)

    def note(self, name: str, state: State, error: str) -> None:
        """A device has come to another state."""
        for task in self._tasks:
            task.note(name, state, error)

    def settle(self) -> None:
        """Answer the commands that are done, and let the restarts whose devices have all stopped start them."""
        for task in self._tasks[:]:
            for name in [name for name in task.left if self._steps.by_name[name].state == "stopped"]:
                task.fail(name, f"{name} has stopped by itself")    # else it would have gone on from there by now
            if task.left:
                continue
            if task.stops_to_start and task.reached:
                # All of them have stopped, so that none feeds another one that is about to stop.
                devices = [self._steps.by_name[name] for name in task.names if name in task.reached]
                task.left, task.goal = set(task.reached), _GOALS["start"]
                task.reached.clear()
                self._do("start", devices)
                for device in devices:
                    task.note(device.name, device.state, device.error)
            else:
                self._tasks.remove(task)
                self._answer(task)

    def end(self, reason: str, *, stops: bool = False) -> None:
        """Nothing is started any more: refuse all commands but the stops, which come to their end by themselves.

        With ``stops`` they do not, and are refused too.
        """
        for task in self._tasks:
            if stops or task.command.verb != "stop":
                task.failures.append(reason)
                task.left.clear()
                task.goal = _GOALS["start"]

    def _targets(self, command: Command) -> list[DeviceState]:
        for name in command.devices:
            if name not in self._steps.by_name:
                raise UnknownDeviceError([unknown(name, self._steps.by_name)])
        # Each once, in the order of the file.
        devices = [m for name, m in self._steps.by_name.items() if not command.devices or name in command.devices]
        if command.verb in ("pause", "resume"):
            ended = [m for m in devices if m.over or m.state == "stopping"]
            if ended and command.devices:
                raise CommandError([f"{m.name} is {m.state}; start it first" for m in ended])
            devices = [m for m in devices if m not in ended]
        return devices

    def _do(self, verb: Verb, devices: Sequence[DeviceState], within: float | None = None) -> None:
        if verb == "stop":
            self._steps.stop(devices, within=within)
            return
        step = {"start": self._steps.begin, "pause": self._steps.pause, "resume": self._steps.resume}[verb]
        for device in devices:
            step(device)

    def _answer(self, task: _Task) -> None:
        states = {name: task.reached.get(name) or self._steps.by_name[name].state for name in task.names}
        if task.failures:
            task.command.reply.set_exception(CommandError(task.failures, states))
        else:
            task.command.reply.set_result(states)


class _Task:
    """A command and the devices that it still waits for."""

    def __init__(self, command: Command, names: list[str], goal: frozenset[str]) -> None:
        self.command = command
        self.names = names
        self.left = set(names)
        self.goal = goal
        self.reached: dict[str, str] = {}
        """The states that devices have come to: by the time of the answer they may be on their way to another one."""
        self.failures: list[str] = []

    @property
    def stops_to_start(self) -> bool:
        """Whether it is a restart whose devices have yet to stop."""
        return self.command.verb == "restart" and self.goal == _GOALS["stop"]

    def note(self, name: str, state: State, error: str) -> None:
        if name not in self.left:
            return
        if state in self.goal:
            self.left.discard(name)
            self.reached[name] = state
        elif "stopped" not in self.goal and state in ("backoff", "failed"):
            self.fail(name, error)

    def give_way(self, verb: Verb, names: Iterable[str]) -> None:
        """A later command wants some devices elsewhere, and it is the last word that counts."""
        if self.command.verb not in _OVERTAKES[verb] or (self.stops_to_start and verb == "restart"):
            return
        for name in names:
            # One that has stopped for a restart would still be started.
            if name in self.left or (self.stops_to_start and name in self.reached):
                self.reached.pop(name, None)
                self.fail(name, f"{name} was told to {verb} meanwhile")

    def fail(self, name: str, failure: str) -> None:
        self.left.discard(name)
        self.failures.append(failure)


def unknown(name: str, known: Iterable[str]) -> str:
    """What to say of a name that no device has."""
    near = closest(name, known)
    return f"there is no device {quote(name)}" + (f"; did you mean {near}?" if near else "")
