"""What is done to a topology under traffic. Each returns who may have lost messages by it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import zmq

import zmqtopo
from chaos_parts.publishing import Publish
from chaos_parts.topology import ANY
from chaos_parts.world import ANSWERS, Excuse, World
from zmqtopo.supervisor.status import DeviceStatus

Disturbance = Callable[[World], list[Excuse]]


def kill(world: World) -> list[Excuse]:
    """SIGKILL a worker; its devices come back."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"SIGKILL of {_names(devices)}")
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: all(s.pid != pid and s.state == "running" for s in _of(world, devices)), "they are back")
    return [Excuse(devices)]


def abort(world: World) -> list[Excuse]:
    """SIGABRT, as when libzmq finds a fault of its own: the devices come back, and the cause is told."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"SIGABRT of {_names(devices)}")
    # How a process has ended is told to its parent alone, which may have been killed before.
    told = _parent(_parent(pid)) == os.getpid()
    os.kill(pid, signal.SIGABRT)
    world.until(lambda: all(s.pid != pid and s.state == "running" for s in _of(world, devices)), "they are back")
    for name in devices:
        if told and "SIGABRT" not in world.running.errors.get(name, ""):
            world.fault(f"{name} has ended by SIGABRT and says {world.running.errors.get(name)!r}")
    return [Excuse(devices)]


def freeze(world: World) -> list[Excuse]:
    """SIGSTOP a worker, let the others go on, and SIGCONT it: nothing is lost."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"SIGSTOP of {_names(devices)}")
    os.kill(pid, signal.SIGSTOP)
    try:
        world.flow(but=_beside(world, devices))
    finally:
        os.kill(pid, signal.SIGCONT)
    return []


def kill_forkserver(world: World) -> list[Excuse]:
    """SIGKILL the process that has started the workers: they end with it, and all comes back."""
    before = world.processes()
    starters = {parent for parent in map(_parent, before) if parent > 1 and _parent(parent) == os.getpid()}
    gone = {pid: devices for pid, devices in before.items() if _parent(pid) in starters}
    world.story.append("SIGKILL of the forkserver")
    for starter in starters:
        os.kill(starter, signal.SIGKILL)
    devices = frozenset().union(*gone.values())
    world.until(lambda: all(s.pid not in gone and s.state == "running" for s in _of(world, devices)), "they are back")
    return [Excuse(devices)]


def pause(world: World) -> list[Excuse]:
    """Pause a device, see that it moves nothing while others do, and resume it."""
    device = world.random.choice(world.devices)
    world.story.append(f"pause of {device}")
    world.running.pause(device)
    before = world.running.counters()[device]
    world.flow(but=_beside(world, frozenset({device})))
    after = world.running.counters()[device]
    if (before.in_to_out.messages, before.out_to_in.messages) != (after.in_to_out.messages, after.out_to_in.messages):
        world.fault("it moves messages while it is paused")
    world.running.resume(device)
    return []


def kill_paused(world: World) -> list[Excuse]:
    """SIGKILL a worker whose devices are paused: they come back and are paused."""
    pid, devices = world.random.choice(sorted(world.processes().items()))
    world.story.append(f"SIGKILL of {_names(devices)}, paused")
    world.running.pause(*devices)
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: all(s.pid != pid and s.state == "paused" for s in _of(world, devices)),
                "they are back, and paused")
    world.running.resume(*devices)
    return [Excuse(devices)]


def hold(world: World) -> list[Excuse]:
    """All receivers stand still for a while: queues run full, and senders wait."""
    world.story.append("receivers stand still")
    world.hold()
    return []


def replace_sender(world: World) -> list[Excuse]:
    """A client says what it has to say and goes; another comes."""
    path = world.random.choice([path for path in world.traffic.paths if path.ends > 1])
    world.story.append(f"another sender for {path.name}")
    world.traffic.call(lambda: path.replace_sender(world.random.choice(sorted(path.senders))))
    return []


def replace_receiver(world: World) -> list[Excuse]:
    """A receiver goes with all that waits in it; another comes. Other subscribers lose nothing by it."""
    path = world.random.choice([path for path in world.traffic.paths if path.ends > 1])
    world.story.append(f"another receiver for {path.name}")
    world.traffic.call(lambda: path.replace_receiver(world.random.choice(sorted(path.receivers))))
    return [] if isinstance(path, Publish) else [Excuse(path.devices)]


def restart_in_between(world: World) -> list[Excuse]:
    """Restart a device while senders send: what they had sent and it had not received when it closed is lost.

    Unless they are devices too, which are quiesced meanwhile.
    """
    device = world.random.choice(world.devices)
    world.story.append(f"restart of {device}")
    world.running.restart(device)
    return _of_inner(world, device) if device in world.inner else [Excuse(frozenset({device}))]


def stop_inner(world: World) -> list[Excuse]:
    """Stop a device that gets all from other devices while they send, and start it again.

    Nothing is lost but the answers that come back to it, and what is published before it has subscribed again.
    """
    device = world.random.choice(world.inner)
    one = frozenset({device})
    excuses = _of_inner(world, device)
    if world.random.random() < 0.5:
        world.story.append(f"restart of {device} in its chain")
        world.running.restart(device)
        return excuses
    world.story.append(f"stop of {device} in its chain")
    world.running.stop_devices(device)
    world.flow(but=_beside(world, one))
    world.running.start(device)
    return excuses


def restart(world: World) -> list[Excuse]:
    """Restart a device that has received and passed on nothing yet: all of it is delivered.

    Answers come to a queue that has stopped, and reach nobody.
    """
    device = world.random.choice(world.devices)
    world.story.append(f"restart of {device}")
    world.fill([device])
    world.running.restart(device)
    world.running.resume(*_beside(world, frozenset({device})))
    return _of_stop(world, [device])


def stop_and_start(world: World) -> list[Excuse]:
    """Stop some devices and start them again, as `restart`."""
    devices = sorted(world.random.sample(world.devices, 3))
    world.story.append(f"stop and start of {', '.join(devices)}")
    world.fill(devices)
    world.running.stop_devices(*devices)
    world.running.start(*devices)
    world.running.resume(*_beside(world, frozenset(devices)))
    return _of_stop(world, devices)


def reload(world: World) -> list[Excuse]:
    """Reload with changes for which nobody but a device of the chain gets other sockets: nothing is lost."""
    extra = "" if world.variant.extra else ANY
    changes = world.random.choice([
        {"description": f"episode {world.episodes}, after {len(world.story)} others"},
        {"rcvhwm": 3000 - world.variant.rcvhwm}, {"extra": extra},
    ])
    world.story.append(f"reload with {changes}")
    world.reload(**changes)
    return []


def reload_in_vain(world: World) -> list[Excuse]:
    """Reload what cannot start; all is as it was before, and the chain has got its sockets twice."""
    with world.context.socket(zmq.PULL) as taken:
        taken.bind(ANY)
        changes = {"rcvhwm": 3000 - world.variant.rcvhwm, "extra": taken.getsockopt_string(zmq.LAST_ENDPOINT)}
        world.story.append(f"reload with {changes}, which is taken")
        before = set(world.devices)
        try:
            world.reload(**changes)
        except zmqtopo.CommandError:
            pass
        else:
            world.fault("a reload has succeeded with an address that is taken")
    if set(world.devices) != before or any(state != "running" for state in world.running.states.values()):
        world.fault(f"it is not as it was: {world.running.states}")
    return []


def stop_all(world: World) -> list[Excuse]:
    """Stop the whole topology and start it again, as `restart`."""
    world.story.append("stop and start of everything")
    world.fill(world.devices)
    world.running.stop()
    bad = {name: state for name, state in world.running.states.items() if state != "stopped"}
    if bad:
        world.fault(f"not stopped: {bad}")
    world.start()
    return _of_stop(world, world.devices)


USUAL: dict[str, Disturbance] = {
    "kill": kill,
    "abort": abort,
    "freeze": freeze,
    "kill-starter": kill_forkserver,
    "pause": pause,
    "kill-paused": kill_paused,
    "restart-between": restart_in_between,
    "stop-inner": stop_inner,
    "hold": hold,
    "reload": reload,
    "reload-in-vain": reload_in_vain,
    "sender": replace_sender,
    "receiver": replace_receiver,
}
"""While senders send."""

WITH_MESSAGES_UNDER_WAY: dict[str, Disturbance] = {
    "restart": restart,
    "stop-and-start": stop_and_start,
    "stop-all": stop_all,
}
"""While senders are silent and the devices have received what was sent: a graceful stop loses none of it."""


def _names(devices: frozenset[str]) -> str:
    return ", ".join(sorted(devices))


def _of_stop(world: World, devices: list[str]) -> list[Excuse]:
    """Answers to what has stopped reach nobody; a forwarder in a chain misses what the one in front had received."""
    published = [name for name in devices if name in world.inner
                 and world.running.topology.devices[name].type == "forwarder"]
    return [Excuse(frozenset(devices), ANSWERS), Excuse(frozenset(published))]


def _of_inner(world: World, device: str) -> list[Excuse]:
    """What a device in a chain loses when it is stopped, while those in front of it wait."""
    one = frozenset({device})
    excuses = {"queue": [Excuse(one, ANSWERS)], "forwarder": [Excuse(one)]}
    return excuses.get(world.running.topology.devices[device].type, [])


def _of(world: World, devices: frozenset[str]) -> list[DeviceStatus]:
    status = world.status
    return [status[name] for name in devices]


def _beside(world: World, devices: frozenset[str]) -> frozenset[str]:
    """All devices of the paths that go through these."""
    return frozenset().union(*(path.devices for path in world.traffic.paths if path.devices & devices))


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
