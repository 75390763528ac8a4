"""The workers of a topology, by name: made when they are needed, told to end, and killed when they do not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from zmqtopo.config.model import Device
from zmqtopo.supervisor.device_state import KILL_AFTER, DeviceState
from zmqtopo.supervisor.workers import Worker, make_worker, ready
from zmqtopo.supervisor.workers.exit_reason import NOT_STOPPED
from zmqtopo.supervisor.workers.inbox import Inbox, Message
from zmqtopo.worker.protocol import End, Order


@dataclass(frozen=True, slots=True)
class Environment:
    """All that reaches outside: the time in seconds, chance (0 to 1), a new worker, and waiting for events."""

    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    make: Callable[..., Worker] = make_worker
    wait: Callable[[Iterable[Worker], Inbox, float | None], list[Message]] = ready


class WorkerPool:
    """Workers and what they have been told about their end."""

    def __init__(self, make: Callable[[str], Worker], clock: Callable[[], float]) -> None:
        """``make`` makes the worker of a name."""
        self._make = make
        self._clock = clock
        self._workers: dict[str, Worker] = {}
        self._kill_at: dict[str, float] = {}
        """Those that have been told to end, and when they are killed if they have not."""

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def __bool__(self) -> bool:
        return bool(self._workers)

    def __contains__(self, name: str) -> bool:
        return name in self._workers

    @property
    def local(self) -> Worker | None:
        """The supervisor's own process, if it has devices."""
        return self._workers.get("")

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of each, as far as they are known."""
        return {name: worker.pid for name, worker in self._workers.items() if worker.pid is not None}

    @property
    def deadlines(self) -> list[float]:
        """When somebody is to be killed."""
        return list(self._kill_at.values())

    def is_ending(self, name: str) -> bool:
        """Whether it has been told to end and has not yet, so that it takes no more orders."""
        return name in self._kill_at

    def need(self, device: Device) -> Worker:
        """The worker of a device, made if there is none. Raises OSError, or zmq.ZMQError, when there is no room."""
        name = device.process
        if name not in self._workers:
            self._workers[name] = self._make(name)
        return self._workers[name]

    def order(self, device: Device, order: Order) -> None:
        """Give an order to a device's worker, if there is one: what has become of it is an event on its way."""
        if device.process in self._workers:
            self._workers[device.process].order(order)

    def end(self, name: str, devices: Iterable[DeviceState]) -> None:
        """Tell a worker to end whose ``devices`` have all ended; the second time does nothing."""
        if name in self._workers and name not in self._kill_at:
            # Its context waits for the LINGER of its sockets, which is bounded by what was left of their stops.
            longest = max((device.spec.stop_timeout for device in devices if device.spec.process == name), default=0.0)
            self._kill_at[name] = self._clock() + longest + KILL_AFTER
            self._workers[name].order(End())

    def hurry(self) -> None:
        """Let nobody who has been told to end take any more time."""
        self._kill_at = dict.fromkeys(self._kill_at, self._clock())

    def kill(self, name: str, why: str = NOT_STOPPED) -> bool:
        """End a worker at once, which is told with ``why``; whether its end will be heard of. A thread has none."""
        return name in self._workers and self._workers[name].kill(why)

    def abandon(self) -> None:
        """End at once what can be ended; nobody waits for it any more."""
        for worker in self._workers.values():
            worker.abandon()
        self._workers.clear()
        self._kill_at.clear()

    def kill_overdue(self) -> None:
        """Kill those whose time is over."""
        now = self._clock()
        for name in [name for name, due in self._kill_at.items() if due <= now]:
            if self._workers[name].kill():
                self._kill_at[name] = now + KILL_AFTER
            else:       # its threads are daemons: this process can end without them
                self.remove(name)

    def remove(self, name: str) -> bool:
        """Forget a worker that has ended; whether it had been told to."""
        self._workers.pop(name, None)
        return self._kill_at.pop(name, None) is not None
