"""Going over from the topology that runs to another one, step by step, and back when a step fails.

What to do stands in a plan; here it is done, in the supervisor's thread, which goes on with everything else meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.config.certificate import read_file
from zmqtopo.config.model import Topology
from zmqtopo.supervisor.commands import CommandError
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.supervisor.devices import Devices
from zmqtopo.supervisor.losses import StopReport
from zmqtopo.supervisor.reload.plan import DevicePlan, Plan, Step, kept_addresses, option_files, plan
from zmqtopo.supervisor.requests import Request


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

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._contents = _contents(devices.topology)
        self._reload: Reload | None = None

    def __bool__(self) -> bool:
        return self._reload is not None

    def take(self, reload: Reload) -> None:
        """Begin with a reload while there is no other, or refuse it."""
        # What it is known by, to its owner and in its state folder, does not change while it runs.
        new = replace(reload.topology, name=self._devices.topology.name)
        contents = _contents(new)
        unreadable = [f"cannot read {path}: {why}" for path, why in contents.items() if isinstance(why, str)]
        if unreadable:
            reload.reply.set_exception(CommandError(unreadable))
            return
        try:
            made = plan(self._devices.topology, reload.topology,
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
        self._done = False
        self._failures: list[str] = []
        self._restarted: list[str] = []
        self._devices.reloading = True
        # The way holds the devices that were there before, and ends with its last step.
        way = _Way(self._devices, replace(made, new=new), self._failures, self._restarted, reload.stops)
        self._progress = way.go()

    def advance(self) -> None:
        """Go on as far as the devices have come."""
        if self._reload is not None:
            for _ in self._progress:
                return      # it waits for something
            self._done = True

    def settle(self) -> None:
        """Answer a reload that has come to its end."""
        if self._reload is None or not self._done:
            return
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
        self._devices.reloading = False
        return reply


class _Way:
    """The way from one topology to another, and back. Its generators yield whenever they have to wait for devices."""

    def __init__(
        self, devices: Devices, made: Plan, failures: list[str], restarted: list[str],
        stops: dict[str, StopReport | None],
    ) -> None:
        """``failures`` takes what goes wrong, ``restarted`` who had to stop for it, ``stops`` the reports of stops."""
        self._devices = devices
        self._plan = made
        self._failures = failures
        self._restarted = restarted
        self._stops = stops
        self._before = devices.by_name
        self._desired = {name: device.desired_state for name, device in devices.by_name.items()}
        self._over = {name for name, device in devices.by_name.items() if device.over}

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
        devices = self._devices.by_name
        self._devices.adopt(self._plan.new, {name: devices[name] for name in self._plan.new.devices})

    def _back(self, failed: Step) -> Iterator[None]:
        """What failed is known; what does not come back is added to it."""
        back = self._plan.reversed()
        for step in self._plan.undo(failed):
            match step.do:
                case "stop":
                    now = self._devices.by_name
                    yield from self._stop(
                        [now[name] for name in step.devices if now.get(name) is not self._before.get(name)], step
                    )
                case "change":
                    yield from self._change(step, back)
                case "start":
                    yield from self._start_again(step)
        self._devices.adopt(self._plan.old, self._before)

    def _stop(self, devices: list[DeviceState], step: Step) -> Iterator[None]:
        ran = {device.name for device in devices if not device.over}
        self._devices.stop(devices)
        yield from _until(lambda: all(device.over for device in devices))
        for device in devices:
            self._note_stop(device.name, device.last_stop if device.name in ran else None)
        for process in step.processes:
            self._devices.pool.end(process, self._devices.by_name.values())
        yield from _until(lambda: not any(process in self._devices.pool for process in step.processes))

    def _note_stop(self, name: str, report: StopReport | None) -> None:
        """A device stops twice when it is stopped as it was, and then as it was to be."""
        before = self._stops.get(name)
        self._stops[name] = before + report if before is not None and report is not None else report or before

    def _change(self, step: Step, made: Plan) -> Iterator[None]:
        """Let devices be others with the sockets that they have; one that is so already is left alone."""
        devices = [self._devices.by_name[name] for name in step.devices]
        yield from _until(lambda: not any(device.state == "starting" for device in devices))
        asked = []
        for device in devices:
            planned = made.devices[device.name]
            assert planned.new is not None
            if device.spec == planned.new:
                continue
            if device.works and planned.needs & {"loop", "options"}:
                self._devices.adapt(device, planned.new, planned.settings())
                asked.append((device, planned.new, device.closed))
            else:
                device.spec = planned.new
        yield from _until(lambda: all(device.spec == new or device.closed != closed for device, new, closed in asked))
        self._failures += [f"{new.name} ended while it was changed: {device.error.removeprefix(f'{new.name}: ')}"
                           for device, new, _ in asked if device.spec != new]

    def _start(self, step: Step) -> Iterator[None]:
        """Start those that are new or replaced: all are bound before the first connects."""
        try:
            fresh = self._fresh([self._plan.devices[name] for name in step.devices])
        except OSError as error:
            self._failures.append(f"cannot keep counters for {len(step.devices)} devices: {error.strerror}")
            return
        there = {**self._devices.by_name, **fresh}
        self._devices.adopt(self._plan.new, {name: there[name] for name in self._plan.new.devices})
        begun = [device for device in fresh.values() if device.desired_state != "stop"]
        for device in begun:
            self._devices.begin(device)
        yield from _until(lambda: not any(device.phase in ("queued", "binding") for device in begun))
        if all(device.state == "starting" for device in begun):
            for device in begun:
                self._devices.connect(device)
            yield from _until(lambda: not any(device.state == "starting" for device in begun))
        self._failures += [device.error for device in begun if device.over]

    def _fresh(self, planned: Iterable[DevicePlan]) -> dict[str, DeviceState]:
        """Devices that are to be started: their counters go on, and they are stopped or paused where the old ones were.

        Raises OSError when there are no descriptors left for new counters.
        """
        made = [one for one in planned if one.new is not None]
        moved = [one.new for one in made
                 if one.new is not None and (one.old is None or one.old.process != one.new.process)]
        blocks = self._devices.blocks(moved)
        return {one.name: self._device(one, blocks.get(one.name)) for one in made}

    def _device(self, planned: DevicePlan, block: CounterBlock | None) -> DeviceState:
        assert planned.new is not None
        if planned.old is None:
            assert block is not None
            # Those that were connected to another device where this one will be have to connect again.
            closed = self._devices.connections.next_turn()
            return DeviceState(planned.new, block, "stopped", starts_together=True, closed=closed)
        old, desired_state = self._before[planned.name], self._desired[planned.name]
        if block is not None:
            block.memory[:] = old.block.memory
        kept = {}
        for socket in planned.new.sockets:
            before = planned.old.socket(socket.role)
            kept[socket.role] = tuple(address.text for address in socket.bind) if before is None else kept_addresses(
                socket, before, old.endpoints.get(socket.role, ())
            )
        return DeviceState(planned.new, block or old.block, "stopped", desired_state, kept, restarts=old.restarts,
                           closed=old.closed, starts_together=desired_state != "stop", last_stop=old.last_stop)

    def _start_again(self, step: Step) -> Iterator[None]:
        """Start those that were stopped, as a restart does, with the addresses that they had."""
        self._devices.adopt(self._plan.old, self._before)
        devices = [self._before[name] for name in step.devices]
        for device in devices:
            device.desired_state = self._desired[device.name]
        begun = [device for device in devices if device.name not in self._over]
        for device in begun:
            if device.over:
                self._restarted.append(device.name)
            self._devices.begin(device)
        yield from _until(lambda: not any(device.state == "starting" for device in begun))
        self._failures += [f"{device.error}; {device.name} did not come back at once"
                           for device in begun if not device.works]


def _until(condition: Callable[[], bool]) -> Iterator[None]:
    while not condition():
        yield


def _contents(topology: Topology) -> Mapping[str, int | str]:
    """What is in the files of options, so that a change can be told; in words why one cannot be read."""
    return {path: _content(path) for path in option_files(topology)}


def _content(path: str) -> int | str:
    try:
        return hash(read_file(path))      # keyed anew in each process; the content itself is kept by nobody
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:         # a zero byte in the path
        return str(error)
