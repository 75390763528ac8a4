"""The process that serves HTTP: started, watched, and started again when it has ended or hangs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from zmqtopo.broker.counters import anonymous_file
from zmqtopo.broker.ipc import Access, listen
from zmqtopo.checks.machine.hosts import socket_address
from zmqtopo.checks.machine.http import http_addresses
from zmqtopo.config.endpoint import EndpointError
from zmqtopo.config.http import Listen, parse_listen
from zmqtopo.config.model import Device, File, Http, Socket, Topology
from zmqtopo.config.schema.definitions import secret_options
from zmqtopo.config.wording import printable
from zmqtopo.supervisor.timers import Timer

MODULE: Final = "zmqtopo.observe.web"

CHECK_INTERVAL: Final = 1.0
"""Seconds from one look at the process to the next; it gives a sign of life as often."""

MOST_MISSED: Final = 8
"""Looks without a sign of life after which it counts as hung; starting on a busy machine takes it two or three."""

BACKOFF: Final = (0.2, 30.0)
"""Seconds until it is started again: at first, and at most, when it ends again and again."""

STABLE_AFTER: Final = 10.0
"""Seconds after which one that ended had run well."""

MOST_SAID: Final = 10
"""Lines that it may have said in its name between two looks."""

BACKLOG: Final = 128
"""Connections that wait while it is started again."""

_PACKAGES: Final = ("starlette", "uvicorn", "prometheus_client")
_UNIX_MODE: Final = 0o660     # what any user may connect to on loopback, its user and group may here


def missing_extra(what: str) -> str:
    """What to do before ``what`` can be had; empty when the packages of the extra are there."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return f"{what} needs the package {missing[0]}, which is not installed; install it with: pip install 'zmqtopo[web]'"


class HttpError(Exception):
    """The HTTP server cannot be had; says why, and what to do."""


def with_address(topology: Topology, address: str | None) -> Topology:
    """The topology with the HTTP server at another address. Raises HttpError for one that cannot be used."""
    if address is None:
        return topology
    try:
        where = parse_listen(address)
    except EndpointError as error:
        raise HttpError(f"--http: {error}{f'; {error.hint}' if error.hint else ''}") from None
    http = replace(topology.http or Http(), listen=address)
    if not where.is_loopback and http.token is None:
        raise HttpError(f"--http {printable(address)} is reached by other machines, which needs a token: "
                        "write http: {token: {file: PATH}} into the file, or use 127.0.0.1")
    return replace(topology, http=http)


@dataclass
class Listener:
    """The sockets of an HTTP server, bound; they stay open while its process is started again."""

    listen: Listen
    sockets: list[socket.socket]
    port: int | None
    """The one that it has, where the system has chosen it too."""

    @classmethod
    def bind(cls, http: Http) -> Listener:
        """Bind the address. Raises HttpError."""
        where = parse_listen(http.listen)
        try:
            if where.path:
                return cls(where, [listen(f"ipc://{where.path}", BACKLOG, Access(_UNIX_MODE, None))], None)
            sockets = _bind_all(where)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HttpError(f"http cannot listen at {http.listen}: {reason}") from None
        return cls(where, sockets, sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        return self.listen.url(self.port)

    def close(self) -> None:
        """Listen no more."""
        for one in self.sockets:
            one.close()
        if self.listen.path:
            with contextlib.suppress(OSError):
                os.unlink(self.listen.path)     # noqa: PTH108 - a path of the file, which may have any form


def _bind_all(where: Listen) -> list[socket.socket]:
    """Bind every address of the host, which are two for localhost. Raises OSError when none can be bound."""
    found: list[socket.socket] = []
    failure: OSError | None = None
    port = where.endpoint.port or 0
    for family, address in dict.fromkeys(http_addresses(where.endpoint)):
        one = None
        try:
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
            one.bind(socket_address(address, port))
            one.listen(BACKLOG)
        except OSError as error:
            if one is not None:
                one.close()
            failure = failure or error
            continue
        found.append(one)
        port = port or one.getsockname()[1]
    if not found:
        raise failure or OSError(0, "the name has no address")
    return found


class Web:
    """The HTTP server of a topology; all of it is done in the supervisor's thread, which it never keeps waiting."""

    def __init__(self, topology: Topology, say: Callable[..., None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Bind its address, if the topology has one. ``say`` is as in `EventLog.say`. Raises HttpError."""
        self._topology = topology
        self._say = say
        self._clock = clock
        self._process: _Process | None = None
        self._backoff = BACKOFF[0]
        self._due: float | None = None
        self.listener = Listener.bind(topology.http) if topology.http is not None else None

    @property
    def timer(self) -> Timer:
        """To look at the process from time to time, and to start it."""
        return Timer(lambda: self._due, self._act)

    @property
    def status(self) -> dict[str, Any] | None:
        """Where it listens, and its process; None without one."""
        if self.listener is None:
            return None
        return {"url": self.listener.url, "pid": self._process.pid if self._process is not None else None}

    @property
    def addresses(self) -> list[str]:
        """What it has bound, as an address of ZeroMQ."""
        if self.listener is None:
            return []
        where = self.listener.listen.endpoint
        return [str(where if where.path else replace(where, port=self.listener.port))]

    def start(self) -> None:
        """Start its process, if the topology has one."""
        if self.listener is not None:
            self._say(f"http at {self.listener.url}", event="http")
            self._act()

    def prepare(self, topology: Topology) -> Callable[[bool], None]:
        """Bind what another topology wants; the result is called with whether that one runs now. Raises HttpError."""
        old, new = self._topology.http, topology.http
        if new is not None and (missing := missing_extra("http")):
            raise HttpError(missing)
        moves = (old and old.listen) != (new and new.listen)
        # From loopback to every interface, say, it is the same port, which is free when the old one is closed.
        same_port = new is not None and self.listener is not None and self.listener.port is not None and (
            parse_listen(new.listen).endpoint.port == self.listener.port)
        listener = Listener.bind(new) if new is not None and moves and not same_port else None

        def settle(runs: bool) -> None:
            if runs:
                self._go_to(topology, self.listener if not moves else listener)
            elif listener is not None:
                listener.close()

        return settle

    def _go_to(self, topology: Topology, listener: Listener | None) -> None:
        before, self._topology = self._topology, topology
        if listener is not self.listener or before.http != topology.http:
            self._end()
            if self.listener is not None and listener is not self.listener:
                self.listener.close()
            moved, self.listener = listener is not self.listener, listener
            self._backoff = BACKOFF[0]
            if moved and listener is not None:
                self._say(f"http at {listener.url}", event="http")
            elif topology.http is None:
                self._say("http has ended", event="http")
            self._act()
        elif self._process is not None:
            self._process.tell(topology)

    def close(self) -> None:
        """End it, and listen no more."""
        self._end()
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def _end(self) -> None:
        self._due = None
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _act(self) -> None:
        if self._topology.http is None:
            self._due = None
        elif self.listener is None:
            self._bind(self._topology.http)
        elif self._process is None:
            self._start(self.listener.sockets)
        else:
            self._look(self._process)

    def _bind(self, http: Http) -> None:
        try:
            self.listener = Listener.bind(http)
        except HttpError as error:
            self._wait(str(error))
        else:
            self.start()

    def _start(self, sockets: Sequence[socket.socket]) -> None:
        try:
            self._process = _Process(self._topology, sockets, self._clock())
        except OSError as error:
            self._wait(f"its process could not be started: {error.strerror}")
        else:
            self._due = self._clock() + CHECK_INTERVAL

    def _look(self, process: _Process) -> None:
        """Say what it has to say, and see whether it lives."""
        for line in process.look():
            self._say(printable(line), event="http")
        how = process.how_ended()
        if how is None and process.missed >= MOST_MISSED:
            how = f"gave no sign of life for {MOST_MISSED * CHECK_INTERVAL:g} s, and was killed"
        if how is None:
            self._due = self._clock() + CHECK_INTERVAL
            return
        if self._clock() - process.since >= STABLE_AFTER:
            self._backoff = BACKOFF[0]
        process.kill()
        self._process = None
        self._wait(f"its process {process.pid} {how}")

    def _wait(self, why: str) -> None:
        self._say(f"http: {why}; started again in {self._backoff:g} s", event="http")
        self._due = self._clock() + self._backoff
        self._backoff = min(self._backoff * 2, BACKOFF[1])


class _Process:
    """A process that serves HTTP."""

    def __init__(self, topology: Topology, sockets: Sequence[socket.socket], now: float) -> None:
        """Start it. Raises OSError."""
        self.since = now
        self.missed = 0
        """Looks since the last sign of life."""
        self._rest = b""
        self._end, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                # -P: whatever lies in the working directory is not a module of it.
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), topology.name],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()], process_group=0,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        except BaseException:
            self._end.close()
            raise
        finally:
            theirs.close()
        self._end.setblocking(False)
        self.tell(topology, sockets)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def tell(self, topology: Topology, sockets: Sequence[socket.socket] = ()) -> None:
        """Tell it what runs, and at the beginning what to listen to; one that does not listen will be killed."""
        with contextlib.suppress(OSError):
            fd = anonymous_file(0)
            try:
                with os.fdopen(os.dup(fd), "wb") as file:
                    pickle.dump(without_secrets(topology), file)
                os.lseek(fd, 0, os.SEEK_SET)
                socket.send_fds(self._end, [b"t"], [fd, *(one.fileno() for one in sockets)])
            finally:
                os.close(fd)

    def look(self) -> list[str]:
        """The lines that it wants to have said; an empty line is a sign of life."""
        received = b""
        with contextlib.suppress(OSError):
            received = self._end.recv(1 << 16)
        self.missed = 0 if received else self.missed + 1
        *lines, self._rest = (self._rest + received).split(b"\n")
        self._rest = self._rest[-4096:]
        return [line.decode(errors="replace") for line in lines if line][:MOST_SAID]

    def how_ended(self) -> str | None:
        """How it has ended, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"was ended by signal {-code}" if code < 0 else f"has ended with code {code}"

    def kill(self) -> None:
        """End it at once: it holds nothing that could be lost."""
        self._end.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)


def without_secrets(topology: Topology) -> Topology:
    """The topology as a process may have it that answers strangers."""
    def shown(socket: Socket) -> Any:
        secret = [name for name in socket.options if name in secret_options() and not
                  isinstance(socket.options[name], File)]
        kept = {name: value for name, value in socket.options.items() if name not in secret}
        return replace(socket, options=kept) if secret else socket

    def cleaned(device: Device) -> Device:
        return replace(device, in_=shown(device.in_), out=shown(device.out),
                       mon=shown(device.mon) if device.mon is not None else None)

    return replace(topology, devices={name: cleaned(device) for name, device in topology.devices.items()})
