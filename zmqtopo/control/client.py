"""A client's end of the control socket."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from zmqtopo.config.names import DEFAULT_FILE, ENDINGS, is_topology_name
from zmqtopo.config.wording import closest, printable
from zmqtopo.control.errors import AmbiguousError, ControlError, NotRunningError
from zmqtopo.control.folder import Folder, names, open_all, open_named, unusable
from zmqtopo.control.places import places
from zmqtopo.control.protocol import VERSION, ProtocolError, decode, encode

ANSWER_TIMEOUT: Final = 5.0
"""Seconds after which a topology that does not answer what needs no time is said to be stuck."""


class Client:
    """A connection to a running topology."""

    def __init__(self, folder: Folder) -> None:
        """Connect and be greeted. Raises NotRunningError and ControlError."""
        self.path = folder.path
        self.name = folder.path.name
        self.pid = folder.pid
        self.source = folder.read("source")
        """The path of its file, ``-`` for standard input."""
        self._open(folder)

    def _open(self, folder: Folder) -> None:
        self._rest = bytearray()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_TIMEOUT)
        try:
            try:
                self._socket.connect(folder.socket_path())
            except (FileNotFoundError, ConnectionRefusedError):
                raise NotRunningError(f"{self.name} is not running") from None
            except OSError:     # its queue is full: nobody takes anybody out
                raise self._stuck() from None
            greeting = self._receive(ANSWER_TIMEOUT)
            version, release = greeting.get("zmqtopo"), str(greeting.get("release", "?"))
            if not isinstance(version, int) or isinstance(version, bool):
                raise self._foreign()
            if version != VERSION:
                raise ControlError(
                    f"{self.name} runs zmqtopo {printable(release)}, whose control protocol has version {version}; "
                    f"this one speaks version {VERSION}: use the command of the same release"
                )
        except BaseException:
            self.close()
            raise

    def ask(self, verb: str, *devices: str, timeout: float | None = None, **more: Any) -> dict[str, Any]:
        """Ask and wait for the answer, ``timeout`` seconds at most; ``more`` is what a verb takes besides devices.

        Raises ControlError when there is none.
        """
        with contextlib.suppress(OSError):      # if it has turned this client away, it has said so
            self._socket.sendall(encode({"zmqtopo": VERSION, "verb": verb, "devices": list(devices), **more}))
        return self._receive(timeout)

    def status(self) -> dict[str, Any]:
        """What runs, as ``ps --format json`` shows it: ``topology, file, pid, devices`` and what else there is to say.

        Raises ControlError when the topology says nothing in time.
        """
        response = self.ask("ps", timeout=ANSWER_TIMEOUT)
        if not response.pop("ok", False):
            raise ControlError(f"{self.name} does not tell: {'; '.join(map(str, response.get('errors', ())))}")
        devices = response.pop("devices", [])
        return {"topology": self.name, "file": self.source, "pid": self.pid, **response, "devices": devices}

    def devices(self) -> list[dict[str, Any]]:
        """What ``ps`` says of each device. Raises ControlError when it says nothing in time."""
        devices: list[dict[str, Any]] = self.status()["devices"]
        return devices

    def wait_for_the_end(self) -> None:
        """Wait until the topology has parted with everybody, which is the last that it does, and its process is gone.

        For that it waits `ANSWER_TIMEOUT` at most, and only on Linux, which tells of it.
        """
        process = self._process()
        self._socket.settimeout(None)
        with contextlib.suppress(OSError):
            while self._socket.recv(4096):
                continue
        if process is not None:
            select.select([process], [], [], ANSWER_TIMEOUT)
            os.close(process)

    @property
    def shares_numbers(self) -> bool:
        """Whether the numbers of its processes mean the same here; in a container of its own they do not."""
        return self.pid is not None and self.pid == self._peer()

    def _peer(self) -> int | None:
        """The process at the other end, by its number here; None where the system does not tell (unix(7))."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                peer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                return int(struct.unpack("3i", peer)[0])
        return None

    def _process(self) -> int | None:
        """A descriptor that can be read once the process at the other end has ended (pidfd_open(2))."""
        peer = self._peer()
        if peer is not None:
            with contextlib.suppress(OSError):      # it is gone, or out of sight in a container of its own
                return os.pidfd_open(peer)
        return None

    def has_ended(self, within: float) -> bool:
        """Whether the topology closes this connection within so many seconds, as it does at its end."""
        self._socket.settimeout(within)
        try:
            if self._socket.recv(4096):
                return False
        except TimeoutError:
            return False
        except OSError:
            pass
        # It may have made way for others.
        self.close()
        try:
            with open_named(self.name) as folder:
                self._open(folder)
        except (NotRunningError, FileNotFoundError):
            return True
        except (ControlError, OSError):
            time.sleep(within)
        return False

    def _receive(self, timeout: float | None) -> dict[str, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._rest:
            if deadline is not None and time.monotonic() >= deadline:
                raise self._stuck()
            self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                raise self._stuck() from None
            except OSError:
                raise self._gone() from None
            if not data:
                raise self._gone()
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            return decode(bytes(line))
        except ProtocolError:
            raise self._foreign() from None

    def _foreign(self) -> ControlError:
        return ControlError(f"what listens at {self.path}/control does not speak as zmqtopo does")

    def _stuck(self) -> ControlError:
        return ControlError(f"{self.name}{f', process {self.pid},' if self.pid else ''} does not answer")

    def _gone(self) -> ControlError:
        """Why it has parted: at its end its socket goes first."""
        try:
            with open_named(self.name) as folder:
                there = folder.is_listened_in()
        except (OSError, ControlError):
            there = False
        if there:
            return ControlError(f"{self.name} runs, and has closed the connection: too many ask it at once; try again")
        return NotRunningError(f"{self.name} has ended")

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def find(target: str) -> Folder:
    """The state folder of a topology by its name or its file, with or without its ending, running or not.

    Raises NotRunningError, which names what is near, AmbiguousError where several copies of a file run, and
    ControlError.
    """
    try:
        if is_topology_name(target):
            return open_named(target)
    except FileNotFoundError:
        pass        # it may be a file without an ending
    except OSError as error:
        raise unusable("look into", Path(error.filename or target), error) from None
    found = _of_file(target) or [path for ending in ENDINGS for path in _of_file(target + ending)]
    if found:
        return Folder(found[0])
    known = names()
    near = closest(target, known) or closest(Path(target).stem, known)     # what was meant to be its file
    raise NotRunningError(f"'{printable(target)}' is not running" + (f"; did you mean {near}?" if near else ""))


def _of_file(file: str) -> list[Path]:
    """The state folder of the topology of a file, running or not. Raises AmbiguousError where more than one runs."""
    found: dict[Path, bool] = {}
    for folder in open_all():
        if _is_same(folder.read("source"), file):
            found[folder.path] = folder.is_listened_in()
    listening = [path for path, is_listened_in in found.items() if is_listened_in]
    if len(listening) > 1:
        raise AmbiguousError(f"'{printable(file)}' runs as", [path.name for path in listening])
    return listening or list(found)[:1]


def the_one() -> tuple[str, str]:
    """The topology that is meant where none is named, and why: that of the file in this folder, else the only one.

    Raises NotRunningError, AmbiguousError and ControlError.
    """
    if os.path.lexists(DEFAULT_FILE):
        with find(DEFAULT_FILE) as folder:
            return folder.path.name, f"that of ./{DEFAULT_FILE}"
    sources = {folder.path.name: folder.read("source") for folder in open_all() if folder.is_listened_in()}
    here = [name for name, source in sources.items() if _is_same(str(Path(source).parent), ".") and source != "-"]
    if len(here) > 1:
        raise AmbiguousError("several topologies of this folder run:", here)
    if here:
        return here[0], "the one of this folder that runs"
    if len(sources) > 1:
        raise AmbiguousError("several topologies run:", list(sources))
    if not sources:
        raise NotRunningError(f"no topology is running; looked in {', '.join(map(str, places()))}")
    return next(iter(sources)), "the only one that runs"


def connect(target: str) -> Client:
    """Connect to a running topology by its name or file. Raises NotRunningError and ControlError."""
    with find(target) as folder:
        return Client(folder)


def running() -> list[str]:
    """The names of the topologies that run. Raises ControlError when it cannot be known."""
    found = []
    for folder in open_all():
        try:
            Client(folder).close()
        except NotRunningError:
            continue
        except ControlError:
            pass        # it is there, whatever is wrong with it
        found.append(folder.path.name)
    return found


def _is_same(source: str, wanted: str) -> bool:
    # The path as it was given comes first: behind a symbolic link there may be another file by now.
    try:
        return source == os.path.abspath(wanted) or Path(source).samefile(wanted)  # noqa: PTH100 - follows no links
    except OSError:
        return False
