"""Who may connect to which device, as files and folders say it now: they are looked at again and again."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zmqtopo.broker.zap import Policy
from zmqtopo.config.certificate import PUBLIC, CertificateError, read, read_file, users
from zmqtopo.config.model import Device, Profile, Socket, Topology
from zmqtopo.config.security import callers, domain, profile_of
from zmqtopo.config.wording import printable

INTERVAL: Final = 0.4
"""Seconds from one look to the next, so that a key that was added lets its owner in within a second."""

SHARE: Final = 10
"""How many times longer than a look the pause before the next is at least: a folder may have many files."""

MOST_KEYS: Final = 100_000
"""Files of a folder of which keys are read."""

Policies = Mapping[str, Policy]
"""By domain of ZAP."""


class Admission:
    """Reads the files of profiles, and tells when another set of people may connect.

    What cannot be read any more is told, and stays as it was; what was removed is gone.
    """

    def __init__(self, topology: Topology, changed: Callable[[], None], tell: Callable[[str, str], None]) -> None:
        """``changed`` is called in a thread when `policies` of some device would return others.

        ``tell`` is called in any thread with the name of a device and what is wrong with its files, once.
        """
        self._files = _Files()
        self._tell = tell
        self._topology = topology
        self._changed = changed
        self._wake = threading.Event()
        self._ended = False
        self._seen: dict[str, Policies] = {}
        self._thread: threading.Thread | None = None
        self._start()

    def adopt(self, topology: Topology) -> None:
        """Go over to another topology."""
        self._topology = topology
        self._start()
        self._wake.set()

    def policies(self, device: Device) -> Policies:
        """Who may connect to the sockets of a device."""
        found = self._of(device, self._topology)
        self._seen[device.name] = found
        return found

    def close(self) -> None:
        """Look no more."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None and any(socket.security for device in self._topology.devices.values()
                                        for socket in device.sockets):
            self._thread = threading.Thread(target=self._watch, name="zmqtopo keys", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        pause = INTERVAL
        while not self._ended:
            self._wake.wait(pause)
            self._wake.clear()
            began = time.monotonic()
            topology = self._topology
            if any(self._of(device, topology) != self._seen.get(device.name)
                   for device in topology.devices.values() if device.name in self._seen) and not self._ended:
                self._changed()
            pause = max(INTERVAL, SHARE * (time.monotonic() - began))

    def _of(self, device: Device, topology: Topology) -> Policies:
        found: dict[str, Policy] = {}
        for socket in device.sockets:
            profile = profile_of(socket, topology)
            if profile is not None and "zap_domain" in socket.secured_by:
                policy = self._policy(device, socket, profile, topology)
                found[domain(topology.name, device.name, socket.role)] = policy
        for problem in self._files.news():
            self._tell(device.name, problem)
        return found

    def _policy(self, device: Device, socket: Socket, profile: Profile, topology: Topology) -> Policy:
        keys = None
        if profile.curve:
            keys = self._files.keys(profile.allow or ())
            for caller in callers(device, socket, topology):
                if caller.curve and (key := self._files.key(caller.curve)) is not None:
                    keys.setdefault(key, Path(caller.curve).stem)
        return Policy(
            keys, profile.allow_any, self._files.users(profile.plain) if profile.plain and not profile.curve else None,
            profile.allow_ips or None, frozenset(profile.allow_uids) or None,
            f"in {printable(', '.join(profile.allow))}" if profile.allow else "that of a device of this topology",
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file had when it was read, by what tells one state of it from another."""

    state: tuple[int, ...]
    content: bytes | Mapping[str, str] | None
    """A key, or passwords by name; None for what was never right."""


class _Files:
    """Keys and users in files; a file is read again when it has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}
        self._told: dict[str, str] = {}
        self._news: deque[str] = deque()

    def news(self) -> Iterator[str]:
        """What has been found wrong since the last time."""
        with contextlib.suppress(IndexError):
            while True:
                yield self._news.popleft()

    def keys(self, paths: tuple[str, ...]) -> dict[bytes, str]:
        """The names by key in files and folders; a name is that of the file without its ending."""
        found: dict[bytes, str] = {}
        for path in paths:
            for file in self._files(path):
                if (key := self.key(file)) is not None:
                    found.setdefault(key, Path(file).stem)
        return found

    def key(self, path: str) -> bytes | None:
        """The public key of a certificate; None where there is none."""
        content = self._content(path, lambda: read(path).public)
        return content if isinstance(content, bytes) else None

    def users(self, path: str) -> Mapping[str, str]:
        """The passwords by name."""
        content = self._content(path, lambda: users(read_file(path)))
        return content if isinstance(content, Mapping) else {}

    def _files(self, path: str) -> list[str]:
        try:
            with os.scandir(path) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(PUBLIC))
        except NotADirectoryError:
            return [path]
        except OSError as error:
            self._say(path, f"nobody of {printable(path)} may connect: {error.strerror}")
            return []
        more = f"only {MOST_KEYS} of the keys of {printable(path)} are used" if len(names) > MOST_KEYS else ""
        self._say(path, more)
        return [os.path.join(path, name) for name in names[:MOST_KEYS]]  # noqa: PTH118 - a hundred thousand of them

    def _content(self, path: str, take: Callable[[], bytes | Mapping[str, str]]) -> bytes | Mapping[str, str] | None:
        with self._lock:
            before = self._read.get(path)
            try:
                found = os.stat(path)  # noqa: PTH116 - of a hundred thousand files
                state = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
                if before is not None and before.state == state:
                    return before.content
                if stat.S_ISDIR(found.st_mode):
                    raise CertificateError("it is a folder")
                content: bytes | Mapping[str, str] | None = take()
                why = ""
            except FileNotFoundError as error:
                self._read.pop(path, None)
                self._say(path, f"{printable(path)} is not used: {error.strerror}")
                return None
            except (OSError, ValueError) as error:
                content = before.content if before is not None else None
                kept = "; what it had before still holds" if content is not None else ""
                why = f"{printable(path)} is not used: {error.strerror if isinstance(error, OSError) else error}{kept}"
                if isinstance(error, OSError):
                    self._say(path, why)
                    return content
            self._read[path] = _Read(state, content)
            self._say(path, why)
            return content

    def _say(self, path: str, why: str) -> None:
        """Tell what is wrong, once."""
        if why and self._told.get(path) != why:
            self._news.append(why)
        self._told[path] = why
