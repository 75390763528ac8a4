"""Going over from the topology that runs to another one, step by step, and back when a step fails.

What to do stands in a plan; here it is done, in the supervisor's thread, which goes on with everything else meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.config.model import Topology
from zmqtopo.runtime.commands import CommandError
from zmqtopo.runtime.fleet import Fleet
from zmqtopo.runtime.losses import StopReport
from zmqtopo.runtime.member import Member
from zmqtopo.runtime.options import read_option
from zmqtopo.runtime.plan import DevicePlan, Plan, Step, kept_addresses, option_files, plan
from zmqtopo.runtime.requests import Request


class ReloadError(CommandError):
    """A reload that could not be done and was taken back; ``plan`` is what it was to do.

    ``failures`` has a text for each device that could not start or change, and for each that did not come back;
    ``restarted`` has the names of those that were stopped on the way and started again.
    """

    def __init__(self, failures: list[str], plan: Plan, restarted: Sequence[str] = ()) -> None:
        super().__init__(failures)
        self.plan = plan
        self.restarted = tuple(restarted)


def _silent(plan: Plan) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Reload(Request):
    """Go over to a topology that has no errors; with ``dry_run`` only find out what that takes.

    ``tell`` is called with the plan before anything is done, in the supervisor's thread. ``reply`` gives the plan once
    it is carried out; its exception is a `ReloadError`, or another `CommandError` when nothing was begun.
    """

    topology: Topology
    dry_run: bool = False
    tell: Callable[[Plan], object] = _silent
    reply: Future[Plan] = field(default_factory=Future)
    stops: dict[str, StopReport | None] = field(default_factory=dict)


class Reloads:
    """The reload that is under way, if there is one."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._contents = _contents(fleet.topology)
        self._reload: Reload | None = None

    def __bool__(self) -> bool:
        return self._reload is not None

    def take(self, reload: Reload) -> None:
        """Begin with a reload while there is no other, or refuse it."""
        # What it is known by, to its owner and in its state folder, does not change while it runs.
        new = replace(reload.topology, name=self._fleet.topology.name)
        contents = _contents(new)
        unreadable = [f"cannot read {path}: {why}" for path, why in contents.items() if isinstance(why, str)]
        if unreadable:
            reload.reply.set_exception(CommandError(unreadable))
            return
        try:
            made = plan(self._fleet.topology, reload.topology,
                        [path for path, content in contents.items() if self._contents.get(path, content) != content])
            reload.tell(made)
        except Exception as error:      # nothing has been touched yet
            reload.reply.set_exception(CommandError([f"internal error: {type(error).__name__}: {error}"]))
            return
        if reload.dry_run:
            reload.reply.set_result(made)
            return
        self._reload = reload
        self._plan = made
        self._new_contents = contents
        self._failures: list[str] = []
        self._restarted: list[str] = []
        self._fleet.reloading = True
        # The way holds the devices that were there before, and ends with its last step.
        way = _Way(self._fleet, replace(made, new=new), self._failures, self._restarted, reload.stops)
        self._progress = way.go()

    def settle(self) -> None:
        """Go on as far as the devices have come."""
        if self._reload is None:
            return
        for _ in self._progress:
            return      # it waits for something
        if self._failures:
            self._over().set_exception(ReloadError(self._failures, self._plan, self._restarted))
        else:
            self._contents = self._new_contents
            self._over().set_result(self._plan)

    def end(self, reason: str) -> None:
        """Leave it where it is: everything is about to end."""
        if self._reload is not None:
            self._over().set_exception(CommandError([reason]))

    def _over(self) -> Future[Plan]:
        assert self._reload is not None
        reply, self._reload = self._reload.reply, None
        self._fleet.reloading = False
        return reply


class _Way:
    """The way from one topology to another, and back. Its generators yield whenever they have to wait for devices."""

    def __init__(
        self, fleet: Fleet, made: Plan, failures: list[str], restarted: list[str], stops: dict[str, StopReport | None]
    ) -> None:
        """``failures`` takes what goes wrong, ``restarted`` who had to stop for it, ``stops`` the reports of stops."""
        self._fleet = fleet
        self._plan = made
        self._failures = failures
        self._restarted = restarted
        self._stops = stops
        self._before = fleet.members
        self._wishes = {name: member.wish for name, member in fleet.members.items()}
        self._over = {name for name, member in fleet.members.items() if member.over}

    def go(self) -> Iterator[None]:
        """All steps of the plan; when one fails, those that lead back."""
        for step in self._plan.steps:
            match step.do:
                case "stop":
                    yield from self._stop([self._before[name] for name in step.devices], step)
                case "change":
                    yield from self._change(step, self._plan)
                case "start":
                    yield from self._start(step)
            if self._failures:
                yield from self._back(step)
                return
        members = self._fleet.members
        self._fleet.adopt(self._plan.new, {name: members[name] for name in self._plan.new.devices})

    def _back(self, failed: Step) -> Iterator[None]:
        """What failed is known; what does not come back is added to it."""
        back = self._plan.reversed()
        for step in self._plan.undo(failed):
            match step.do:
                case "stop":
                    now = self._fleet.members
                    yield from self._stop(
                        [now[name] for name in step.devices if now.get(name) is not self._before.get(name)], step
                    )
                case "change":
                    yield from self._change(step, back)
                case "start":
                    yield from self._start_again(step)
        self._fleet.adopt(self._plan.old, self._before)

    def _stop(self, members: list[Member], step: Step) -> Iterator[None]:
        ran = {member.device.name for member in members if not member.over}
        self._fleet.stop(members)
        yield from _until(lambda: all(member.over for member in members))
        for member in members:
            self._note_stop(member.device.name, member.last_stop if member.device.name in ran else None)
        for process in step.processes:
            self._fleet.end_worker(process)
        yield from _until(lambda: not any(process in self._fleet.crew for process in step.processes))

    def _note_stop(self, name: str, report: StopReport | None) -> None:
        """A device stops twice when it is stopped as it was, and then as it was to be."""
        before = self._stops.get(name)
        self._stops[name] = before + report if before is not None and report is not None else report or before

    def _change(self, step: Step, made: Plan) -> Iterator[None]:
        """Let devices be others with the sockets that they have; one that is so already is left alone."""
        members = [self._fleet.members[name] for name in step.devices]
        yield from _until(lambda: not any(member.state == "starting" for member in members))
        asked = []
        for member in members:
            device = made.devices[member.device.name]
            assert device.new is not None
            if member.device == device.new:
                continue
            if member.works and device.needs & {"loop", "options"}:
                self._fleet.adapt(member, device.new, device.settings())
                asked.append((member, device.new, member.closed))
            else:
                member.device = device.new
        yield from _until(lambda: all(member.device == new or member.closed != closed for member, new, closed in asked))
        self._failures += [f"{new.name} ended while it was changed: {member.error.removeprefix(f'{new.name}: ')}"
                           for member, new, _ in asked if member.device != new]

    def _start(self, step: Step) -> Iterator[None]:
        """Start those that are new or replaced: all are bound before the first connects."""
        try:
            fresh = self._fresh([self._plan.devices[name] for name in step.devices])
        except OSError as error:
            self._failures.append(f"cannot keep counters for {len(step.devices)} devices: {error.strerror}")
            return
        there = {**self._fleet.members, **fresh}
        self._fleet.adopt(self._plan.new, {name: there[name] for name in self._plan.new.devices})
        begun = [member for member in fresh.values() if member.wish != "stop"]
        for member in begun:
            self._fleet.begin(member)
        yield from _until(lambda: not any(m.state == "starting" and m.trial == "binds" for m in begun))
        if all(member.state == "starting" for member in begun):
            for member in begun:
                self._fleet.connect(member)
            yield from _until(lambda: not any(member.state == "starting" for member in begun))
        self._failures += [member.error for member in begun if member.over]

    def _fresh(self, devices: Iterable[DevicePlan]) -> dict[str, Member]:
        """Devices that are to be started: their counters go on, and they are stopped or paused where the old ones were.

        Raises OSError when there are no descriptors left for new counters.
        """
        made = [device for device in devices if device.new is not None]
        moved = [device.new for device in made
                 if device.new is not None and (device.old is None or device.old.process != device.new.process)]
        blocks = self._fleet.blocks(moved)
        return {device.name: self._member(device, blocks.get(device.name)) for device in made}

    def _member(self, device: DevicePlan, block: CounterBlock | None) -> Member:
        assert device.new is not None
        if device.old is None:
            assert block is not None
            # Those that were connected to another device where this one will be have to connect again.
            return Member(device.new, block, "stopped", trial="binds", closed=self._fleet.turn())
        old, wish = self._before[device.name], self._wishes[device.name]
        if block is not None:
            block.memory[:] = old.block.memory
        kept = {}
        for socket in device.new.sockets:
            before = device.old.socket(socket.role)
            kept[socket.role] = tuple(address.text for address in socket.bind) if before is None else kept_addresses(
                socket, before, old.endpoints.get(socket.role, ())
            )
        return Member(device.new, block or old.block, "stopped", wish, kept, restarts=old.restarts, closed=old.closed,
                      trial="" if wish == "stop" else "binds", last_stop=old.last_stop)

    def _start_again(self, step: Step) -> Iterator[None]:
        """Start those that were stopped, as a restart does, with the addresses that they had."""
        self._fleet.adopt(self._plan.old, self._before)
        members = [self._before[name] for name in step.devices]
        for member in members:
            member.wish = self._wishes[member.device.name]
        begun = [member for member in members if member.device.name not in self._over]
        for member in begun:
            if member.over:
                self._restarted.append(member.device.name)
            self._fleet.begin(member)
        yield from _until(lambda: not any(member.state == "starting" for member in begun))
        self._failures += [f"{member.error}; {member.device.name} did not come back at once"
                           for member in begun if not member.works]


def _until(condition: Callable[[], bool]) -> Iterator[None]:
    while not condition():
        yield


def _contents(topology: Topology) -> Mapping[str, int | str]:
    """What is in the files of options, so that a change can be told; in words why one cannot be read."""
    return {path: _content(path) for path in option_files(topology)}


def _content(path: str) -> int | str:
    try:
        return hash(read_option(path))      # keyed anew in each process; the content itself is kept by nobody
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:         # a zero byte in the path
        return str(error)
