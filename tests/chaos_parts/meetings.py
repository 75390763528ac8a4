"""Two commands at once, each from a client of its own. Both are answered, and all runs in the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import zmqtopo
from chaos_parts.topology import ANY
from chaos_parts.world import DEADLINE, Excuse, World

AddressNode = Callable[[World], list[Excuse]]


def restart_restart(world: World) -> list[Excuse]:
    """Of one device, or of two."""
    first, second = _two(world)
    return _meet(world, {first, second}, restart=lambda: world.running.restart(first),
                 other=lambda: world.running.restart(second))


def stop_reload(world: World) -> list[Excuse]:
    """A device stops while others change."""
    first, _ = _two(world)
    return _meet(world, {first}, stop=lambda: world.running.stop_devices(first), reload=_reload(world))


def restart_reload(world: World) -> list[Excuse]:
    """A device restarts while others change."""
    first, _ = _two(world)
    return _meet(world, {first}, restart=lambda: world.running.restart(first), reload=_reload(world))


def pause_restart(world: World) -> list[Excuse]:
    """One device is to stand still and to start again."""
    first, _ = _two(world)
    return _meet(world, {first}, pause=lambda: world.running.pause(first),
                 restart=lambda: world.running.restart(first))


def stop_start(world: World) -> list[Excuse]:
    """One client stops what the other starts."""
    first, second = _two(world)
    return _meet(world, {first, second}, stop=lambda: world.running.stop_devices(first, second),
                 start=lambda: world.running.start(first, second))


def kill_restart(world: World) -> list[Excuse]:
    """A worker is killed while its device restarts."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    name = world.random.choice(sorted(devices))
    return _meet(world, set(devices), kill=lambda: os.kill(pid, signal.SIGKILL),
                 restart=lambda: world.running.restart(name))


def reload_reload(world: World) -> list[Excuse]:
    """Two files, one after the other as it happens."""
    return _meet(world, set(), reload=_reload(world), other=_reload(world))


MEETINGS: dict[str, AddressNode] = {
    "meet-restart-restart": restart_restart,
    "meet-restart-reload": restart_reload,
    "meet-stop-reload": stop_reload,
    "meet-pause-restart": pause_restart,
    "meet-stop-start": stop_start,
    "meet-kill-restart": kill_restart,
    "meet-reload-reload": reload_reload,
}


def _two(world: World) -> tuple[str, str]:
    """Two devices that are joined, as often as two that are not or one twice."""
    if world.random.random() < 0.5:
        chain = sorted(world.random.choice([path.devices for path in world.traffic.paths if len(path.devices) > 1]))
        place = world.random.randrange(len(chain) - 1)
        pair = chain[place:place + 2]
        world.random.shuffle(pair)
        return pair[0], pair[1]
    return world.random.choice(world.devices), world.random.choice(world.devices)


def _reload(world: World) -> Callable[[], None]:
    """A reload by which only a device in the chain gets another socket, or one more comes."""
    changes: dict[str, Any] = world.random.choice([
        {"description": f"by {world.random.random()}"}, {"rcvhwm": 3000 - world.variant.rcvhwm},
        {"extra": "" if world.variant.extra else ANY},
    ])
    lock = world.reloads

    def reload() -> None:
        with lock:      # the file is one
            world.reload(**changes, vain=True)

    return reload


def _meet(world: World, devices: set[str], **commands: Callable[[], None]) -> list[Excuse]:
    """Give the commands at the same moment, then see that all runs; a refusal is an answer."""
    world.story.append(f"{' meets '.join(commands)} of {', '.join(sorted(devices)) or 'the file'}")
    start = threading.Barrier(len(commands))
    answers = [Future[None]() for _ in commands]

    def give(command: Callable[[], None], answer: Future[None]) -> None:
        start.wait(DEADLINE)
        try:
            answer.set_result(command())
        except BaseException as error:
            answer.set_exception(error)

    for command, answer in zip(commands.values(), answers, strict=True):
        threading.Thread(target=give, args=(command, answer), name="a client", daemon=True).start()
    for name, answer in zip(commands, answers, strict=True):
        try:
            error = answer.exception(DEADLINE)
        except TimeoutError:
            world.fault(f"{name} has no answer within {DEADLINE:g} s")
            continue
        if error is not None and not isinstance(error, zmqtopo.CommandError | ProcessLookupError):
            world.fault(f"{name}: {error!r}")
    world.until(lambda: {s.state for s in world.running.status} <= {"running", "paused", "stopped"}, "all have settled")
    for status in world.running.status:
        if status.state == "stopped":
            world.running.start(status.name)
        elif status.state == "paused":
            world.running.resume(status.name)
    return [Excuse(frozenset(devices))] if devices else []
