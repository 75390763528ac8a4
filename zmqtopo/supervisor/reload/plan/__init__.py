"""What a reload has to do: two topologies compared as values.

Nothing here touches a socket. A plan is made before anything is changed, shown, and then carried out step by step; the
undo of a step is a step of the same kind, so a reload that fails goes back the way it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from zmqtopo.broker.sockets import MOST_SUBSCRIPTIONS
from zmqtopo.broker.subscriptions import RCVHWM
from zmqtopo.config.dump import plain, plain_option
from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import Address, Device, File, OptionValue, Reference, Role, Socket, Topology
from zmqtopo.config.reference import chosen
from zmqtopo.config.schema.definitions import option_defaults, secret_options
from zmqtopo.config.wording import printable
from zmqtopo.supervisor.reload.plan.change import Change, Needs, differences, readable

Action = Literal["added", "removed", "replaced", "changed", "unchanged"]

LIVE_OPTIONS: Final = frozenset({
    "linger", "probe_router", "router_handover", "router_mandatory", "subscribe", "unsubscribe",
})
"""The options that libzmq applies to a socket that is bound already, by the caution at the head of zmq_setsockopt(3).

It names more: those of REQ, which no device has; xpub_verbose and xpub_verboser, of which each overwrites the other, so
that what holds at the end depends on what was set before; and sndhwm and rcvhwm, but a connection that is full when
sndhwm is raised never takes another message in libzmq 4.3.5: it waits to be told of more reads than it has messages.
"""

_HEADS: Final[Mapping[Action, str]] = {
    "added": "+ added", "removed": "- removed", "replaced": "~ changed", "changed": "~ changed",
    "unchanged": "= unchanged",
}
_HIDDEN: Final = "a secret"
_OWN: Final[Mapping[str, Needs]] = {"name": "up", "description": "nothing", "http": "nothing", "security": "nothing"}
"""What the topology says of itself; its name is that of its state folder, by which others know it while it runs."""
_DATA: Final = frozenset({"description", "graph", "restart", "stop_timeout"})


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What becomes of a device: ``old`` is None when it is added, ``new`` when it is removed."""

    old: Device | None
    new: Device | None
    changes: tuple[Change, ...] = ()

    @property
    def name(self) -> str:
        """The device's name, which is the same in both."""
        device = self.new or self.old
        assert device is not None
        return device.name

    @property
    def action(self) -> Action:
        """What happens; a device that is replaced gets new sockets."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        if any(change.needs == "sockets" for change in self.changes):
            return "replaced"
        return "changed" if self.changes else "unchanged"

    @property
    def needs(self) -> frozenset[Needs]:
        """What has to be told of the changes."""
        return frozenset(change.needs for change in self.changes)

    def settings(self) -> Iterator[tuple[Role, str, OptionValue]]:
        """For a device that is changed: the options to set on its sockets, one value each, in order."""
        assert self.old is not None
        assert self.new is not None
        for before, after in zip(self.old.sockets, self.new.sockets, strict=True):
            yield from _settings(before, after)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a plan, for several devices at once.

    ``stop`` passes on what the devices have received and closes their sockets, and ends ``processes``, which nothing
    that stays is in; the own one, whose context others may use, is among them only when the context changes.
    ``change`` goes to the new values on the sockets that are there. ``start`` binds and connects, in new processes
    where there are none, and connects again whose changes need connections.
    """

    do: Literal["stop", "change", "start"]
    devices: tuple[str, ...]
    processes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How to go from ``old`` to ``new``. ``devices`` has those of the new file in its order, then the removed ones.

    ``changes`` are those of the topology itself.
    """

    old: Topology
    new: Topology
    changes: tuple[Change, ...]
    devices: Mapping[str, DevicePlan] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes) or any(device.action != "unchanged" for device in self.devices.values())

    @property
    def steps(self) -> tuple[Step, ...]:
        """What to do, in order. Who takes a port of a device that goes finds it free."""
        stay = {self.new.devices[name].process for name in those(self.devices, "changed", "unchanged")}
        gone = those(self.devices, "removed", "replaced")
        ended = dict.fromkeys(self.old.devices[name].process for name in gone)
        anew = any(change.path.startswith("context.") for change in self.changes)
        steps = (
            Step("stop", gone, tuple(name for name in ended if name not in stay and (name or anew))),
            Step("change", those(self.devices, "changed")),
            Step("start", those(self.devices, "added", "replaced")),
        )
        return tuple(step for step in steps if step.devices)

    def undo(self, failed: Step) -> tuple[Step, ...]:
        """What to do when ``failed`` has not succeeded, or not for each of its devices: back to ``old``.

        To stop what does not run, or to start what does, is nothing.
        """
        back = self.reversed().steps
        return back[-1 - self.steps.index(failed):]

    def reversed(self) -> Plan:
        """The way from ``new`` to ``old``, with the same devices replaced."""
        names = [*self.old.devices, *(name for name in self.new.devices if name not in self.old.devices)]
        back = {
            name: DevicePlan(device.new, device.old, tuple(change.reversed() for change in device.changes))
            for name, device in ((name, self.devices[name]) for name in names)
        }
        return Plan(self.new, self.old, tuple(change.reversed() for change in self.changes), back)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The plan for people, a line for each change."""
        for change in self.changes:
            yield f"~ changed: {change}{' (not before the next up)' if change.needs == 'up' else ''}"
        for name, device in self.devices.items():
            head = f"{_HEADS[device.action]}: {name}"
            if not device.changes:
                yield head
            for change in device.changes:
                yield f"{head}.{change}{' (new sockets)' if change.needs == 'sockets' else ''}"

    def plain(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return {
            "topology": self.new.name,
            "changes": [change.plain() for change in self.changes],
            "devices": [
                {"name": name, "action": device.action, "changes": [change.plain() for change in device.changes]}
                for name, device in self.devices.items()
            ],
        }


def those(devices: Mapping[str, DevicePlan], *actions: Action) -> tuple[str, ...]:
    """The devices with one of these actions."""
    return tuple(name for name, device in devices.items() if device.action in actions)


def option_files(topology: Topology) -> tuple[str, ...]:
    """The files that have values of options, such as secrets; each once, in order."""
    return tuple(dict.fromkeys(
        value.path for device in topology.devices.values() for socket in device.sockets
        for value in socket.options.values() if isinstance(value, File)
    ))


def plan(old: Topology, new: Topology, rewritten: Collection[str] = ()) -> Plan:
    """Compare two topologies without errors. Another order of devices, or a default in writing, is no change.

    ``rewritten`` are those of the `option_files` that have another content now: topologies know only their paths.
    """
    told_old, told_new = plain(old), plain(new)
    own = [Change(*found, needs=needs) for key, needs in _OWN.items()
           for found in differences(told_old.get(key), told_new.get(key), (key,))]
    context = [Change(*found) for found in differences(told_old["context"], told_new["context"], ("context",))]
    devices: dict[str, DevicePlan] = {}
    for name in [*new.devices, *(name for name in old.devices if name not in new.devices)]:
        before, after = old.devices.get(name), new.devices.get(name)
        changes: list[Change] = []
        if before is not None and after is not None:
            changes += _changes(before, after, told_old["devices"][name], told_new["devices"][name])
            changes += _reread(after, rewritten)
            if context:
                changes.append(Change("run", because="the context of its process is made anew"))
        devices[name] = DevicePlan(before, after, tuple(changes))
    for name in those(devices, "changed", "unchanged"):
        _add(devices, name, _moved(old, new, name))
    binders = _inproc(old)
    for name in those(devices, "changed", "unchanged"):
        _add(devices, name, _cut_off(new, devices, binders, name))
    return Plan(old, new, (*own, *context), devices)


def kept_addresses(new: Socket, old: Socket, bound: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses for ``new`` to bind, where ``old`` has ``bound`` its own, in their order.

    A port that the system has chosen stays as long as the file asks for it in the same words: others have connected.
    """
    kept = [(before.text, real) for before, real in zip(old.bind, bound, strict=False)]
    addresses = []
    for address in new.bind:
        match = next((pair for pair in kept if pair[0] == address.text), None)
        if match is None or address.endpoint is None or not address.endpoint.is_system_port:
            addresses.append(address.text)
        else:
            kept.remove(match)
            addresses.append(match[1])
    return tuple(addresses)


# -- one device ------------------------------------------------------------------------------------------------------


def _changes(old: Device, new: Device, told_old: Any, told_new: Any) -> Iterator[Change]:
    for told in (told_old, told_new):
        for role in ("in", "out", "mon"):
            told.get(role, {}).pop("options", None)
    for path, before, after in differences(told_old, told_new):
        yield Change(path, before, after, _needs(path))
    for role in ("in", "out", "mon"):
        one, other = old.socket(role), new.socket(role)     # type: ignore[arg-type]  # mypy widens the literals
        if one is not None and other is not None:
            yield from _option_changes(role, one, other)


def _needs(path: str) -> Needs:
    if path.startswith(("mon.prefix.", "mon.overflow")):
        return "loop"
    return "nothing" if path.partition(".")[0] in _DATA else "sockets"


def _option_changes(role: str, old: Socket, new: Socket) -> Iterator[Change]:
    for name in dict.fromkeys((*old.options, *new.options)):
        before, after = _effective(old, name), _effective(new, name)
        if before != after:
            told = _told(name, before), _told(name, after)
            because = "it is another secret" if told == (_HIDDEN, _HIDDEN) else ""
            yield Change(f"{role}.options.{name}", *told, "options" if name in LIVE_OPTIONS else "sockets", because)


def _reread(device: Device, rewritten: Collection[str]) -> Iterator[Change]:
    for socket in device.sockets:
        for name, value in socket.options.items():
            if isinstance(value, File) and value.path in rewritten:
                yield Change(f"{socket.role}.options.{name}", because=f"the file {printable(value.path)} has changed")


def _effective(socket: Socket, name: str) -> OptionValue | None:
    if name == "rcvhwm" and socket.type in ("PUB", "XPUB"):
        return socket.options.get(name, RCVHWM)
    usual = MOST_SUBSCRIPTIONS if name == "sndhwm" and socket.type in ("SUB", "XSUB") else option_defaults().get(name)
    found: OptionValue | None = socket.options.get(name, usual)
    return found


def _told(name: str, value: OptionValue | None) -> Any:
    if value is None:
        return None
    if name in secret_options() and not isinstance(value, File):
        return _HIDDEN
    return readable(plain_option(name, value))


def _settings(old: Socket, new: Socket) -> Iterator[tuple[Role, str, OptionValue]]:
    wanted, held = _subscriptions(new), _subscriptions(old)
    # A prefix is taken off once for each time that it was put on; new ones first, so that nothing falls in between.
    yield from ((new.role, "subscribe", prefix) for prefix in (wanted - held).elements())
    yield from ((new.role, "unsubscribe", prefix) for prefix in (held - wanted).elements())
    for change in _option_changes(new.role, old, new):
        name = change.path.rpartition(".")[2]
        if name in LIVE_OPTIONS - {"subscribe", "unsubscribe"}:
            value = _effective(new, name)
            assert value is not None
            yield new.role, name, value


def _subscriptions(socket: Socket) -> Counter[Any]:
    def prefixes(name: str) -> Counter[Any]:
        value = socket.options.get(name, ())
        assert isinstance(value, tuple)
        return Counter(value)

    return prefixes("subscribe") - prefixes("unsubscribe")


# -- what follows for others -----------------------------------------------------------------------------------------


def _add(devices: dict[str, DevicePlan], name: str, changes: Iterable[Change]) -> None:
    device = devices[name]
    devices[name] = DevicePlan(device.old, device.new, (*device.changes, *changes))


def _moved(old: Topology, new: Topology, name: str) -> Iterator[Change]:
    """Those connections whose other end will be elsewhere, where the addresses in the file do not show it."""
    for socket in new.devices[name].sockets:
        for connect in socket.connect:
            if _met(connect, old, name) != _met(connect, new, name):
                yield Change(f"{socket.role}.connect", because=f"{connect.text} is bound elsewhere")


def _cut_off(new: Topology, devices: Mapping[str, DevicePlan],
             binders: Mapping[tuple[str, Endpoint | None], str], name: str) -> Iterator[Change]:
    """Those connections over inproc whose other end is closed and bound again, which libzmq does not connect again."""
    device = new.devices[name]
    for socket in device.sockets:
        for connect in socket.connect:
            met = _met(connect, new, name)
            binder = binders.get((device.process, met))
            if binder is not None and devices[binder].action in ("removed", "replaced"):
                yield Change(f"{socket.role}.connect", needs="connections",
                             because=f"{binder}, which binds {met}, is {devices[binder].action}")


def _inproc(topology: Topology) -> dict[tuple[str, Endpoint | None], str]:
    """Who binds each inproc name of each process."""
    return {
        (device.process, address.endpoint): device.name
        for device in topology.devices.values() for socket in device.sockets for address in socket.bind
        if address.endpoint is not None and address.endpoint.transport == "inproc"
    }


def _met(connect: Address | Reference, topology: Topology, name: str) -> Endpoint | None:
    """What it connects to; of an address that the system chooses, the part that the file says."""
    if isinstance(connect, Address):
        return connect.endpoint
    met = chosen(connect, topology.devices[name], topology)
    return met and met.reachable()
