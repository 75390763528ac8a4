"""Histories: workers that only record, events in a given order, and a clock that only tests move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from zmqtopo.checks import examine_text
from zmqtopo.config.model import Topology
from zmqtopo.supervisor.requests import StopRequest
from zmqtopo.supervisor.supervisor import Supervisor
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED
from zmqtopo.supervisor.workers.inbox import Inbox, Message, WorkerEnded
from zmqtopo.supervisor.workers.pool import Environment
from zmqtopo.worker.protocol import (
    Adapt,
    Adapted,
    Bind,
    Bound,
    Connect,
    End,
    Order,
    Pause,
    Paused,
    Quiesce,
    Quiesced,
    Ready,
    Reconnect,
    Resume,
    Resumed,
    Stop,
    Stopped,
)


class Recorder:
    """A worker that does as it is told at once, unless the world says otherwise."""

    connection = None
    pid = 77

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world

    def order(self, order: Order) -> None:
        name = order.device.name if isinstance(order, Bind) else getattr(order, "name", self.name)
        self.world.log.append((type(order).__name__, name))
        # The counters' memory goes with the supervisor.
        self.world.orders.append(replace(order, block=None) if isinstance(order, Bind) else order)
        for event in self.world.answer(self, order):
            self.world.events.append(event)

    def receive(self) -> Message:
        raise NotImplementedError

    def kill(self, why: str = NOT_STOPPED) -> bool:
        self.world.log.append(("kill", self.name))
        if self.name:
            self.world.events.append(WorkerEnded(self.name, f"process 1 {why}"))
        return bool(self.name)

    def abandon(self) -> None:
        self.world.log.append(("abandon", self.name))


class World:
    """Time, workers and events."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.jitter = 1.0
        self.log: list[tuple[str, str]] = []
        self.orders: list[Order] = []
        self.events: list[Message] = []
        self.later: list[tuple[float, Message | Callable[[], None]]] = []
        self.answers: dict[tuple[str, str], Iterator[list[Message]]] = {}
        self.refused: dict[str, Exception] = {}
        self.told: list[tuple[str, str, float]] = []

    def supervisor(self, topology: Topology, *, at_once: bool = False, **options: Any) -> Supervisor:
        """``at_once`` lets all events that there are come in one go, instead of one by one."""
        self.at_once = at_once
        return Supervisor(
            topology, environment=Environment(lambda: self.now, lambda: self.jitter, self.make, self.wait),
            tell=lambda change: self.told.append((change.device.name, change.state, self.now)), **options,
        )

    def make(self, name: str, *rest: object, isolated: bool) -> Recorder:
        if name in self.refused:
            raise self.refused.pop(name)
        return Recorder(name, self)

    def wait(self, workers: Iterable[Any], inbox: Inbox, timeout: float | None) -> list[Message]:
        """The next event, or the time that passes without one."""
        assert self.now < 2000, "goes on and on"
        self.events += inbox.take()
        if self.events:
            now = self.events[:] if self.at_once else self.events[:1]
            del self.events[: len(now)]
            return now
        until = None if timeout is None else self.now + timeout
        self.later.sort(key=lambda item: item[0])
        if self.later and (until is None or self.later[0][0] <= until):
            self.now, event = self.later.pop(0)
            if callable(event):
                event()
                return []
            return [event]
        assert until is not None, f"waits without limit after {self.log}"
        self.now = until
        return []

    def after(self, seconds: float, event: Message | Callable[[], None]) -> None:
        self.later.append((self.now + seconds, event))

    def answers_to(self, order: type, name: str, *answers: list[Message]) -> None:
        """What happens instead for the next orders of that kind, once each."""
        self.answers[order.__name__, name] = iter(answers)

    def answer(self, worker: Recorder, order: Order) -> list[Message]:
        name = order.device.name if isinstance(order, Bind) else getattr(order, "name", worker.name)
        scripted = next(self.answers.get((type(order).__name__, name), iter(())), None)
        if scripted is not None:
            return scripted
        match order:
            case Bind(device, binds):
                return [Bound(device.name, {
                    role: tuple(text.replace("*", "1234") for text in texts) for role, texts in binds.items()
                })]
            case Connect():
                return [Ready(name, 78)]
            case Stop():
                return [Stopped(name)]
            case Pause():
                return [Paused(name)]
            case Quiesce():
                return [Quiesced(name)]
            case Resume():
                return [Resumed(name)]
            case Reconnect():
                return []
            case Adapt(name, device):
                return [Adapted(name, device)]
            case End():
                return [WorkerEnded(worker.name, "end")]

    def ordered(self, kind: str) -> list[str]:
        return [name for what, name in self.log if what == kind]

    def times(self, name: str, state: str) -> list[float]:
        """When a device came to a state."""
        return [when for who, what, when in self.told if (who, what) == (name, state)]


def topology(*names: str, **settings: str) -> Topology:
    """Streamers; ``settings`` are YAML by key, of all of them."""
    ports = itertools.count(5000)
    more = "".join(f"    {key}: {value}\n" for key, value in settings.items())
    text = "devices:\n" + "".join(
        f"  {name}:\n    type: streamer\n{more}"
        f"    in: {{bind: tcp://127.0.0.1:{next(ports)}}}\n    out: {{bind: tcp://127.0.0.1:{next(ports)}}}\n"
        for name in names
    )
    checked = examine_text(text)
    assert checked.topology is not None
    assert not checked.has_errors, checked.problems
    return checked.topology


def chain(**connects: str) -> Topology:
    """Streamers that bind their out; what each one's in connects to."""
    text = "devices:\n" + "".join(
        f"  {name}: {{type: streamer, in: {{connect: {source}}}, out: {{bind: 'tcp://127.0.0.1:{5000 + number}'}}}}\n"
        for number, (name, source) in enumerate(connects.items())
    )
    found = examine_text(text).topology
    assert found is not None
    return found


def run_until(world: World, supervisor: Supervisor, seconds: float) -> bool:
    world.after(seconds, StopRequest())
    return supervisor.run()


def gaps(times: list[float]) -> list[float]:
    return [round(b - a, 6) for a, b in itertools.pairwise(times)]
