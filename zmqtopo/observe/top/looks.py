"""Looks at running topologies, each by a thread of its own: one that does not answer keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from zmqtopo.control.client import Client, connect
from zmqtopo.control.errors import ControlError, NotRunningError
from zmqtopo.control.folder import names, open_all
from zmqtopo.observe.processes import processor_time, resident_memory

END_TIMEOUT: Final = 0.5
"""Seconds that a thread has to end when nobody looks any more; one that waits for an answer ends with the process."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A topology at one moment: ``at`` is the monotonic clock of who looks, 0 before it has answered for once.

    ``processor`` are the seconds that the threads of its devices have computed, ``memory`` the bytes of its processes;
    both only of what the system tells. ``problem`` says why there is no answer newer than this.
    """

    topology: str
    at: float = 0.0
    devices: list[dict[str, Any]] = field(default_factory=list)
    processor: dict[str, tuple[int, float]] = field(default_factory=dict)
    memory: dict[int, int] = field(default_factory=dict)
    problem: str = ""


class Looking(Protocol):
    """Who looks at topologies."""

    def look(self, within: float) -> list[Seen]:
        """Each topology as it is now, or as it was last seen when it does not answer within so many seconds."""

    def close(self) -> None:
        """Look no more."""


class Watch:
    """Looks at one topology, by its name or file, or at all that run."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._changed = threading.Condition()
        self._followers: dict[str, _Follower] = {}
        self._is_closed = False

    def look(self, within: float) -> list[Seen]:
        """Each topology as it is now, by name; one that has ended is not there.

        Raises ControlError when it cannot be known which topologies there are.
        """
        self._find_more()
        followers = list(self._followers.values())
        for follower in followers:
            follower.ask()
        deadline = time.monotonic() + within
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not any(one.is_asked for one in followers),
                                   max(deadline - time.monotonic(), 0))
        if self._target is None:
            for name in [name for name, one in self._followers.items() if one.has_ended]:
                self._followers.pop(name).close()
        there = [follower.seen for follower in followers if not follower.has_ended]
        return sorted(there, key=lambda seen: seen.topology)

    def close(self) -> None:
        """Disconnect from all, and let nobody wait for an answer any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for follower in self._followers.values():
            follower.close()
        deadline = time.monotonic() + END_TIMEOUT
        for follower in self._followers.values():
            follower.join(max(deadline - time.monotonic(), 0))

    def _find_more(self) -> None:
        if self._target is not None:
            if not self._followers:
                self._followers[self._target] = _Follower(self._target, self._target, self._changed)
            return
        if set(names()) <= set(self._followers):
            return
        for folder in open_all():
            name = folder.path.name
            if name not in self._followers and folder.is_listened_in():
                self._followers[name] = _Follower(name, name, self._changed)


class _Follower:
    """A thread that asks one topology whenever it is told to."""

    def __init__(self, target: str, name: str, changed: threading.Condition) -> None:
        self.seen = Seen(name)
        self.has_ended = False
        self.is_asked = False
        self._target = target
        self._changed = changed
        self._client: Client | None = None
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"zmqtopo top {name}", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Let it look, unless it still waits for the last answer."""
        self.is_asked = True
        self._wake.set()

    def close(self) -> None:
        """Let its thread end."""
        self._closed = True
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for that."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while self._wake.wait() and not self._closed:
                self._wake.clear()
                seen, has_ended = self._look()
                with self._changed:
                    self.seen, self.has_ended, self.is_asked = seen, has_ended, False
                    self._changed.notify_all()
        finally:
            self._disconnect()

    def _look(self) -> tuple[Seen, bool]:
        """What it is like, and whether it has ended."""
        before = self.seen
        try:
            if self._client is None:
                self._client = connect(self._target)
            devices = self._client.devices()
        except NotRunningError:
            self._disconnect()
            return Seen(before.topology), True
        except ControlError as error:
            self._disconnect()      # a late answer would be taken for the next one
            return Seen(before.topology, before.at, before.devices, before.processor, before.memory, str(error)), False
        at = time.monotonic()
        return Seen(self._client.name, at, devices, *_system(self._client, devices)), False

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _system(client: Client, devices: list[dict[str, Any]]) -> tuple[dict[str, tuple[int, float]], dict[int, int]]:
    """What the system says of the threads and processes of devices; nothing where their numbers mean others here."""
    processor: dict[str, tuple[int, float]] = {}
    memory: dict[int, int] = {}
    if not client.shares_numbers:
        return processor, memory
    for device in devices:
        pid, thread = device["pid"], device.get("thread")
        if pid is None:
            continue
        if pid not in memory and (resident := resident_memory(pid)) is not None:
            memory[pid] = resident
        if thread is not None and (seconds := processor_time(pid, thread)) is not None:
            processor[device["name"]] = thread, seconds
    return processor, memory
