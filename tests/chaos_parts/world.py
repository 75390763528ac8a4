"""A running topology under traffic, and the account that is made of it when all is quiet."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

import zmq

import zmqtopo
from chaos_parts import paths, topology
from chaos_parts.ledger import Ledger
from chaos_parts.paths import Path
from chaos_parts.traffic import Traffic
from zmqtopo.supervisor.status import DeviceStatus

DEADLINE = 30.0
"""Seconds after which what is waited for will not come any more."""

ANSWERS = frozenset({"answers", "copies out"})


@dataclass(frozen=True)
class Excuse:
    """Devices that may have lost messages, up to the window of each sender; of these kinds, or (empty) of any."""

    devices: frozenset[str]
    kinds: frozenset[str] = frozenset()

    def covers(self, ledger: Ledger) -> bool:
        return bool(self.devices & ledger.devices) and (not self.kinds or ledger.kind in self.kinds)


@dataclass
class Loss:
    """What was lost in the episodes with one kind of disturbance, alone or together with others."""

    times: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    """By the kind of what it was."""
    most_of_one_sender: int = 0


@dataclass
class World:
    """All that a disturbance may disturb."""

    folder: FilePath
    random: random.Random
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    """What has been done in this episode, and to whom."""
    excuses: list[Excuse] = field(default_factory=list)
    """Of this episode."""
    losses: dict[str, Loss] = field(default_factory=dict)
    episodes: int = 0
    strangers_speak: bool = False
    """Whether messages may come in this episode that none of our senders has sent."""

    def __post_init__(self) -> None:
        self._ports: dict[str, str] = {}
        self._dropped: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self.reloads = threading.Lock()
        self.context: zmq.Context[Any] = zmq.Context()
        self.start()
        self.traffic = Traffic()
        self.traffic.call(self._open)

    # -- the topology --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it; the second time with the ports of the first."""
        self._written = self._ports
        self.variant = topology.Variant()
        self.running = zmqtopo.up(self._write(self.variant))
        self._ports = {
            name: address for name, sockets in self.running.endpoints.items() for bound in sockets.values()
            for address in bound if address.startswith("tcp:")
        }

    def reload(self, *, vain: bool = False, **changes: Any) -> None:
        """Go over to another variant; raises CommandError when that has failed. Only a vain one may change nothing."""
        variant = replace(self.variant, **changes)
        if not self.running.reload(self._write(variant)) and not vain:
            self.fault(f"a reload finds nothing to do for {changes}")
        self.variant = variant

    def _write(self, variant: topology.Variant) -> FilePath:
        file = self.folder / "chaos.yaml"
        file.write_text(topology.text(self.folder, self._written, variant))
        return file

    def _open(self) -> None:
        for stream in topology.streams():
            first, last = (self.running.endpoints[name] for name in (stream.devices[0], stream.devices[-1]))
            addresses = {str(role): bound[0] for role, bound in first.items() if bound}
            addresses["out"] = last["out"][0]
            if stream.is_mirrored:
                addresses["in"], addresses["out"] = addresses["out"], addresses["in"]
            path = stream.path(self.context, frozenset(stream.devices), addresses, self.faults, stream.path_options)
            self.traffic.paths.append(path)

    def close(self) -> None:
        """End everything; nothing of it may be left."""
        self.traffic.end()
        self.running.stop()
        self.context.term()

    # -- what runs -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> dict[str, DeviceStatus]:
        return {status.name: status for status in self.running.status}

    @property
    def devices(self) -> list[str]:
        return list(self.running.topology.devices)

    @property
    def inner(self) -> list[str]:
        """The devices that get all their messages from other devices."""
        return [name for name, device in self.running.topology.devices.items() if not device.in_.bind]

    def processes(self) -> dict[int, frozenset[str]]:
        """The devices of each worker process that runs."""
        found: dict[int, set[str]] = {}
        for status in self.status.values():
            if status.pid not in (None, os.getpid()):
                found.setdefault(status.pid or 0, set()).add(status.name)
        return {pid: frozenset(names) for pid, names in found.items()}

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Ask the supervisor again and again; a fault when it does not become true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                self.fault(f"not within {DEADLINE:g} s: {what}")
                return

    # -- the traffic ---------------------------------------------------------------------------------------------

    def flow(self, but: Iterable[str] = (), messages: int = 30) -> None:
        """Let traffic pass until every path, but those through some devices, has moved so many messages.

        Senders for whom messages have been lost have no room for more: all that may be under way may have been lost.
        """
        still = frozenset(but).union(*(excuse.devices for excuse in self.excuses))

        def start() -> dict[Path, int]:
            self.traffic.sending = True
            return {
                path: path.moved for path in self.traffic.paths
                if not path.devices & still and any(sender.counts for sender in path.senders.values())
            }

        before = self.traffic.call(start)

        def late() -> list[str]:
            return [path.name for path, moved in before.items() if path.moved < moved + messages]

        if not self.traffic.until(lambda: not late(), DEADLINE):
            self.fault(f"stands still: {', '.join(self.traffic.call(late))}")

    def hold(self) -> None:
        """Let receivers take nothing, until senders have sent all that may be under way."""
        self.traffic.receiving = False
        self._send_all([path for path in self.traffic.paths if not path.narrow])
        self.traffic.receiving = True

    def deepen(self) -> None:
        """Until the end of the episode, let the senders of one path have far more messages under way."""
        path = self.random.choice([path for path in self.traffic.paths if path.roomy])
        self.story.append(f"a backlog on {path.name}")
        self.traffic.call(lambda: path.widen(paths.DEEP_WINDOW))

    def _send_all(self, paths: list[Path]) -> None:
        """Let the senders of these paths alone send all that may be under way."""
        def start() -> None:
            self.traffic.silent = [path for path in self.traffic.paths if path not in paths]
            self.traffic.sending = True

        def short() -> list[str]:
            return [f"s{s.id} of {path.name}" for path in paths for s in path.senders.values() if s.room() > 0]

        self.traffic.call(start)
        if not self.traffic.until(lambda: not short(), DEADLINE):
            self.fault(f"cannot send what the queues have room for: {', '.join(self.traffic.call(short))}")
        self.traffic.silent = []

    def fill(self, devices: list[str]) -> None:
        """From silence, pause devices and send them, by wide paths, all that may be under way, until they have it.

        In a chain the first one is paused: only there can be seen what has been received.
        """
        touched = [path for path in self.traffic.paths if path.devices & frozenset(devices)]
        self.running.pause(*{*devices, *(path.name for path in touched)})
        wide = [path for path in touched if not path.narrow]
        self._send_all(wide)

        def stop() -> None:
            self.traffic.sending = False

        self.traffic.call(stop)
        self.flush()
        ports = {int(path.addresses["in"].rpartition(":")[2]) for path in wide}
        self.until(lambda: not _bytes_under_way(ports), "paused devices have received what was sent")

    def flush(self) -> None:
        """Wait until what has been sent is in the buffers of the system.

        The one I/O thread of the context works in the order in which sockets have called for it.
        """
        with self.context.socket(zmq.PAIR) as one, self.context.socket(zmq.PAIR) as other:
            one.bind("tcp://127.0.0.1:*")
            other.connect(one.getsockopt_string(zmq.LAST_ENDPOINT))
            one.send(b"")
            other.recv()
            other.send(b"")
            one.recv()

    # -- the account ---------------------------------------------------------------------------------------------

    def fault(self, what: str) -> None:
        """Something is not as it should be."""
        self.faults.append(f"episode {self.episodes}, {', '.join(self.story) or 'the start'}: {what}")

    def settle(self, names: list[str]) -> None:
        """Wait until nothing is under way and account for every message; ``names`` are of what has been done."""
        self.episodes += 1
        self.traffic.begin_quiet()
        if not self.traffic.quiet.wait(DEADLINE):
            stuck = self.traffic.call(lambda: [str(ledger) for ledger in self.traffic.ledgers if not ledger.is_quiet])
            self.fault(f"no marker comes: {'; '.join(stuck)}")
        lost = self.traffic.call(lambda: {ledger: ledger.write_off() for ledger in self.traffic.ledgers})
        for ledger, numbers in lost.items():
            if numbers and not ledger.may_drop and not any(excuse.covers(ledger) for excuse in self.excuses):
                self.fault(f"{ledger}: {len(numbers)} lost, {numbers[0]} to {numbers[-1]} of {ledger.sent}")
        self._account_for_drops({ledger: len(numbers) for ledger, numbers in lost.items() if ledger.may_drop})
        self._account_for_ends()
        if self.traffic.foreign and not self.strangers_speak:
            self.fault(f"{len(self.traffic.foreign)} messages from nobody, the first {self.traffic.foreign[0]}")
        self.traffic.call(lambda: [path.settle() for path in self.traffic.paths])
        for name in names:
            self.losses.setdefault(name, Loss()).times += 1
        for name in set(names):
            loss = self.losses[name]
            for ledger, numbers in lost.items():
                loss.lost[ledger.kind] = loss.lost.get(ledger.kind, 0) + len(numbers)
                if not ledger.may_drop:
                    loss.most_of_one_sender = max(loss.most_of_one_sender, len(numbers))
        self.story.clear()
        self.excuses.clear()
        self.traffic.foreign.clear()
        self.strangers_speak = False

    def _account_for_drops(self, lost: dict[Ledger, int]) -> None:
        """What a monitor has missed must have been counted as dropped, unless it was lost otherwise.

        Of a PUB the number is a lower bound, and says so: then it has at least grown.
        """
        for device in {min(ledger.devices) for ledger in lost}:
            count = sum(number for ledger, number in lost.items() if device in ledger.devices)
            mon = self.running.counters()[device].mon
            new, self._dropped[device] = mon.dropped - self._dropped.get(device, 0), mon.dropped
            excused = any(device in excuse.devices for excuse in self.excuses)
            counted = new >= count if mon.dropped_exact else new > 0 or not count
            if not counted and not excused:
                self.fault(f"{device}: {count} copies are missing and {new} were dropped")

    def _account_for_ends(self) -> None:
        """No device ends, or is started once more, unless something was done to it."""
        for name, status in self.status.items():
            new = status.restarts - self._restarts.get(name, 0)
            self._restarts[name] = status.restarts
            if new > 0 and not any(name in excuse.devices for excuse in self.excuses):
                self.fault(f"{name} has been started again: {status.error or 'no error'}")
            if status.state != "running":
                self.fault(f"{name} is {status.state}: {status.error or 'no error'}")


def _bytes_under_way(ports: set[int]) -> int:
    """What is in the system's buffers of the connections to these tcp ports: proc_net_tcp(5)."""
    found = 0
    for line in FilePath("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if {int(address.rpartition(":")[2], 16) for address in (local, remote)} & ports:
            found += sum(int(queue, 16) for queue in queues.split(":"))
    return found
