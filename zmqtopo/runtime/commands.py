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

if TYPE_CHECKING:
    from zmqtopo.runtime.member import Member
    from zmqtopo.runtime.status import DeviceStatus

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


class CommandError(RuntimeError):
    """A command that was refused, or whose state some devices did not come to.

    ``failures`` has a text for each; ``states`` are those that the devices of the command have come to.
    """

    def __init__(self, failures: Sequence[str], states: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(failures))
        self.failures = list(failures)
        self.states = dict(states or {})


class UnknownDeviceError(CommandError):
    """A name that no device of the topology has."""


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """Bring devices (none named: all for which it makes sense) to another state.

    ``reply`` gives the states by name once all have come there; its exception is a `CommandError`.
    """

    verb: Verb
    devices: tuple[str, ...] = ()
    reply: Future[dict[str, str]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Ask for the status of every device, in the order of the file."""

    reply: Future[list[DeviceStatus]] = field(default_factory=Future)


class Steps(Protocol):
    """What can be done to devices; their states change when the workers say so."""

    @property
    def members(self) -> Mapping[str, Member]:
        """The devices that there are; a reload changes which."""

    def begin(self, member: Member) -> None:
        """Start a device that does not run, at once or as soon as it has stopped."""

    def stop(self, members: Iterable[Member]) -> None:
        """Stop devices, those that feed others first."""

    def pause(self, member: Member) -> None:
        """Pause a device now, or when it runs."""

    def resume(self, member: Member) -> None:
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
            members = self._targets(command)
        except CommandError as error:
            command.reply.set_exception(error)
            return
        task = _Task(command, [member.device.name for member in members], _GOALS[command.verb])
        self._tasks.append(task)
        self._do("stop" if command.verb == "restart" else command.verb, members)
        for member in members:
            task.note(member)

    def note(self, member: Member) -> None:
        """A device has come to another state."""
        for task in self._tasks:
            task.note(member)

    def settle(self) -> None:
        """Answer the commands that are done, and let the restarts whose devices have all stopped start them."""
        for task in self._tasks[:]:
            for name in [name for name in task.left if self._steps.members[name].state == "stopped"]:
                task.fail(name, f"{name} has stopped by itself")    # else it would have gone on from there by now
            if task.left:
                continue
            if task.command.verb == "restart" and task.goal == _GOALS["stop"]:
                # All of them have stopped, so that none feeds another one that is about to stop.
                members = [self._steps.members[name] for name in task.names]
                task.left, task.goal = set(task.names), _GOALS["start"]
                self._do("start", members)
                for member in members:
                    task.note(member)
            else:
                self._tasks.remove(task)
                self._answer(task)

    def end(self, reason: str) -> None:
        """Nothing is started any more: refuse all commands but the stops, which come to their end by themselves."""
        for task in self._tasks:
            if task.command.verb != "stop":
                task.failures.append(reason)
                task.left.clear()
                task.goal = _GOALS["start"]

    def _targets(self, command: Command) -> list[Member]:
        for name in command.devices:
            if name not in self._steps.members:
                raise UnknownDeviceError([_unknown(name, self._steps.members)])
        # Each once, in the order of the file.
        members = [m for name, m in self._steps.members.items() if not command.devices or name in command.devices]
        if command.verb in ("pause", "resume"):
            ended = [m for m in members if m.over or m.state == "stopping"]
            if ended and command.devices:
                raise CommandError([f"{m.device.name} is {m.state}; start it first" for m in ended])
            members = [m for m in members if m not in ended]
        return members

    def _do(self, verb: Verb, members: Sequence[Member]) -> None:
        if verb == "stop":
            self._steps.stop(members)
            return
        step = {"start": self._steps.begin, "pause": self._steps.pause, "resume": self._steps.resume}[verb]
        for member in members:
            step(member)

    def _answer(self, task: _Task) -> None:
        states = {name: self._steps.members[name].state for name in task.names}
        if task.failures:
            task.command.reply.set_exception(CommandError(task.failures, states))
        else:
            task.command.reply.set_result({**states})


class _Task:
    """A command and the devices that it still waits for."""

    def __init__(self, command: Command, names: list[str], goal: frozenset[str]) -> None:
        self.command = command
        self.names = names
        self.left = set(names)
        self.goal = goal
        self.failures: list[str] = []

    def note(self, member: Member) -> None:
        name, stops = member.device.name, "stopped" in self.goal
        if name not in self.left:
            return
        if member.state in self.goal:
            self.left.discard(name)
        elif not stops and member.wish == "stop":
            self.fail(name, f"{name} was told to stop meanwhile")
        elif not stops and member.state in ("backoff", "failed"):
            self.fail(name, member.error)

    def fail(self, name: str, failure: str) -> None:
        self.left.discard(name)
        self.failures.append(failure)


def _unknown(name: str, known: Iterable[str]) -> str:
    near = closest(name, known)
    return f"there is no device {quote(name)}" + (f"; did you mean {near}?" if near else "")
