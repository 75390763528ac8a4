"""The connections of a socket, as the events of its monitor tell of them."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import zmq

from zmqtopo.broker.counters import REASONS, CounterBlock, Reason
from zmqtopo.broker.peers.causes import UNSAID, cause
from zmqtopo.broker.peers.descriptors import UNKNOWN, OtherEnd, bytes_of, cut, figures, other_end

EVENTS: Final = (
    zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
"""The events that are asked for. Not among them: a failed accept, which comes again and again, as fast as a processor
can, while there is no descriptor for it, and each attempt to connect where nobody is, ten a second for each address."""

MOST_KEPT: Final = 100
"""Of each device, connections that went and handshakes that failed, which are remembered."""

_MOST_COMPARED: Final = 64
"""Connections in their handshake at a time among which those are sought whose handshake is complete."""

_GREETING: Final = 64
"""Bytes of a ZMTP greeting: who has not sent as many has not completed a handshake."""

_LATE: Final = 2.0
"""Seconds by which the name of who was let in may come behind the event that they are."""

_NO_BYTES: Final = (0, 0)

_serials: Final = itertools.count(1)

Note = Callable[[str, str], None]
"""Called with a word for an event and a sentence that says what has happened."""


@dataclass(slots=True, eq=False)
class Connection:
    """A connection that libzmq has told of; ``group`` is None once its handshake is complete."""

    fd: int
    endpoint: str
    accepted: bool
    end: OtherEnd
    group: _Group | None
    serial: int = field(default_factory=lambda: next(_serials))
    since: float = field(default_factory=time.time)
    begun: float = field(default_factory=time.monotonic)
    dropped: bool = False
    user: str = ""
    """The name by which it was let in."""
    failure: tuple[Reason, str] | None = None
    """Why its handshake has failed, where that is known before its end."""

    @property
    def id(self) -> str:
        """A name that no other connection of this machine has while it runs."""
        return f"{os.getpid()}.{self.serial}"

    @property
    def name(self) -> str:
        """Its other end, in words."""
        end = self.end
        if end.pid is None:
            return end.address or "an unknown peer"
        return f"{end.program or 'a process'} (pid {end.pid})"


@dataclass(slots=True, eq=False)
class _Group:
    """The connections in their handshake at one address, whose events carry no descriptor."""

    pending: dict[int, Connection] = field(default_factory=dict)
    succeeded: int = 0
    failed: deque[tuple[Reason, str]] = field(default_factory=deque)
    """Failures of which it is not known whose they are."""

    def undecided(self, most: int) -> list[Connection]:
        """Those of whom no failure is known; of up to ``most`` only those who have sent more than a greeting."""
        pending = [one for one in self.pending.values() if one.failure is None]
        if 1 < len(pending) <= most:
            pending = [one for one in pending if (bytes_of(one.fd) or _NO_BYTES)[1] > _GREETING]
        return pending

    def completed(self, most: int) -> list[Connection]:
        """Those whose handshake is complete, none where that is not certain; ``most`` as for `undecided`.

        The last command of a handshake goes to who is let in alone: where some were refused, they were sent less.
        """
        undecided = self.undecided(0 if len(self.pending) <= self.succeeded else most)
        if len(undecided) <= self.succeeded:
            return [] if self.failed else undecided
        if not 0 < len(undecided) <= most:
            return []
        taken = sorted(((bytes_of(one.fd) or _NO_BYTES)[0], one.serial, one) for one in undecided)
        rest, first = taken[:-self.succeeded], taken[-self.succeeded:]
        return [one for *_, one in first] if rest[-1][0] < first[0][0] else []


@dataclass(slots=True, eq=False)
class _Target:
    """An address that the socket connects to: as it was given, and as events tell it, and since when it is tried."""

    given: str
    told: str = ""
    since: float = field(default_factory=time.time)
    up: int = 0


@dataclass(frozen=True, slots=True)
class _Ended:
    """A connection that is no more: why, and until when it was there."""

    connection: Connection | None
    role: str
    reason: str
    text: str
    until: float = field(default_factory=time.time)


class History:
    """What a device remembers of connections that are no more."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.gone: deque[_Ended] = deque(maxlen=MOST_KEPT)
        self.failed: deque[_Ended] = deque(maxlen=MOST_KEPT)

    def rows(self) -> Iterator[dict[str, Any]]:
        """In JSON's types, those that went and then those that failed, the last ones last."""
        for state, kept in (("closed", self.gone), ("failed", self.failed)):
            for ended in list(kept):
                yield row(self._device, ended.role, state, ended.connection) | {
                    "reason": ended.reason, "text": ended.text, "until": round(ended.until, 3),
                }


def row(device: str, role: str, state: str, connection: Connection | None) -> dict[str, Any]:
    """What is known of a connection in any state, in JSON's types."""
    told: dict[str, Any] = {
        "id": None, "device": device, "socket": role, "side": None, "endpoint": None, "peer": None,
        "pid": None, "program": None, "uid": None, "user": None, "since": None, "state": state,
    }
    if connection is not None:
        end = connection.end
        told |= {
            "id": connection.id, "side": "bind" if connection.accepted else "connect",
            "endpoint": connection.endpoint, "peer": end.address or None, "pid": end.pid or None,
            "program": end.program or None, "uid": end.uid, "user": connection.user or None,
            "since": round(connection.since, 3),
        }
    return told


class SocketPeers:
    """The connections of one socket. For one thread; its counts may be read by anybody."""

    def __init__(
        self, device: str, role: str, block: CounterBlock, history: History, note: Note, handshake: float
    ) -> None:
        """``handshake`` are the seconds that one may take, 0 for any."""
        self.device = device
        self.role = role
        self._words = block.peer_words(role)
        self._words[0] = 0
        self._history = history
        self._note = note
        self._handshake = handshake
        self._all: dict[int, Connection] = {}
        self._groups: dict[str, _Group] = {}
        self._users: deque[tuple[str, str, float]] = deque(maxlen=MOST_KEPT)
        """Addresses and names of those who were let in while nothing was known of their connection, and when."""
        self._targets: list[_Target] = []
        self._established = 0

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, event: int, value: int, address: str, *, hurry: bool) -> None:
        """Take an event of the monitor. In a ``hurry`` no more is asked than who is there."""
        if event in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
            self._begin(value, address, accepted=event == zmq.EVENT_ACCEPTED, hurry=hurry)
        elif event == zmq.EVENT_DISCONNECTED:
            self._end(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._words[1] += 1
            group = self._groups.get(address)
            if group is not None:
                group.succeeded += 1
                self._settle(group, address)
        else:
            self._fail(event, value, address)
        self._words[0] = self._established + sum(group.succeeded for group in self._groups.values())

    def connect(self, addresses: Iterable[str]) -> None:
        """The socket is about to connect to these."""
        self._targets += [_Target(address) for address in addresses if not address.startswith("inproc:")]

    def note_user(self, address: str, user: str) -> None:
        """Somebody from this address is let in under a name; ZAP does not say by which connection.

        libzmq answers them in the order in which it completes handshakes.
        """
        for connection in self._all.values():
            if connection.group is None and connection.accepted and not connection.user and _comes_from(
                    connection.end, address) and time.monotonic() - connection.begun < _LATE:
                connection.user = user
                return
        self._users.append((address, user, time.monotonic()))

    def forget(self) -> None:
        """The socket is closed, and with it all connections."""
        for connection in self._all.values():
            if connection.group is None:
                self._history.gone.append(_Ended(connection, self.role, "stopped", "the device has stopped"))
        self._words[0] = 0

    def _begin(self, fd: int, address: str, *, accepted: bool, hurry: bool) -> None:
        if fd in self._all:
            # libzmq says nothing when it ends a connection itself, as that of a second peer of a PAIR.
            self._end(fd)
        group = self._groups.setdefault(address, _Group())
        end = other_end(fd, with_program=not hurry) or UNKNOWN
        self._all[fd] = group.pending[fd] = Connection(fd, address, accepted, end, group)
        if not accepted:
            self._target(address).told = address

    def _fail(self, event: int, value: int, address: str) -> None:
        group = self._groups.get(address)
        oldest = next(iter(group.pending.values()), None) if group is not None else None
        took = time.monotonic() - oldest.begun if oldest is not None else None
        reason, words = cause(event, value, took, self._handshake)
        self._words[2 + REASONS.index(reason)] += 1
        if group is None or oldest is None:
            self._failed(None, reason, words)
            return
        # libzmq may hold who was refused for as long as a handshake may take.
        undecided = group.undecided(_MOST_COMPARED) if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH else []
        if len(undecided) == 1 and not group.succeeded:
            undecided[0].failure = reason, words
        else:
            group.failed.append((reason, words))

    def _end(self, fd: int) -> None:
        connection = self._all.pop(fd, None)
        if connection is None:
            return
        group = connection.group
        if group is None:
            self._established -= 1
            self._went(connection)
            return
        del group.pending[fd]
        if connection.failure is not None:
            self._failed(connection, *connection.failure)
        elif group.failed:
            self._failed(connection, *group.failed.popleft())
        elif group.succeeded:
            group.succeeded -= 1
            connection.group = None
            self._went(connection)
        else:
            self._words[2 + REASONS.index("protocol")] += 1
            self._failed(connection, "protocol", UNSAID)
        self._settle(group, connection.endpoint)

    def _settle(self, group: _Group, address: str, *, most: int = _MOST_COMPARED) -> None:
        """Find out whose handshake is complete, where that can be, among ``most`` connections."""
        if group.succeeded:
            for connection in group.completed(most):
                del group.pending[connection.fd]
                connection.group = None
                group.succeeded -= 1
                self._established += 1
                self._came(connection)
        if not group.pending:
            self._groups.pop(address, None)

    def _came(self, connection: Connection) -> None:
        if not connection.accepted:
            target = self._target(connection.endpoint)
            target.up += 1
        elif self._users:
            connection.user = self._take_user(connection)
        self._note("peer-connected", f"{self.role}: {connection.name} is connected")

    def _take_user(self, connection: Connection) -> str:
        for entry in list(self._users):
            address, user, when = entry
            if time.monotonic() - when > _LATE:
                self._users.remove(entry)       # of a connection that did not come so far
            elif _comes_from(connection.end, address):
                self._users.remove(entry)
                return user
        return ""

    def _went(self, connection: Connection) -> None:
        reason, why = ("dropped", "cut off by peers --drop") if connection.dropped else ("disconnected", "disconnected")
        self._history.gone.append(_Ended(connection, self.role, reason, why))
        if not connection.accepted:
            target = self._target(connection.endpoint)
            target.up = max(target.up - 1, 0)
            target.since = time.time()
        self._note("peer-disconnected", f"{self.role}: {connection.name} {why}")

    def _failed(self, connection: Connection | None, reason: Reason, words: str) -> None:
        if connection is not None:
            connection.group = None
        self._history.failed.append(_Ended(connection, self.role, reason, words))
        name = connection.name if connection is not None else "an unknown peer"
        self._note("handshake-failed", f"{self.role}: handshake with {name} failed: {words}")

    def _target(self, address: str) -> _Target:
        """The address that was given where events tell of this one: names have become numbers."""
        port = address.rpartition(":")[2]
        tests: tuple[Callable[[_Target], bool], ...] = (
            lambda one: address in (one.told, one.given), lambda one: one.given.rpartition(":")[2] == port,
            lambda one: not one.told, lambda one: True,
        )
        for test in tests:
            for target in self._targets:
                if test(target):
                    return target
        self._targets.append(_Target(address))
        return self._targets[-1]

    # -- what is told ------------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[dict[str, Any]]:
        """What there is now, in JSON's types: connections, and addresses where nobody is yet."""
        for address, group in list(self._groups.items()):
            self._settle(group, address, most=len(group.pending))
        for connection in list(self._all.values()):
            said = figures(connection.fd, connection.end)
            if self._all.get(connection.fd) is connection and said is not None:
                state = "connected" if connection.group is None else "handshake"
                yield row(self.device, self.role, state, connection) | said
        for target in self._targets:
            if not target.up:
                yield row(self.device, self.role, "connecting", None) | {
                    "side": "connect", "endpoint": target.given, "since": round(target.since, 3),
                }

    def cut_refused(self) -> None:
        """Cut the connections in their handshake where one has failed.

        libzmq holds who was refused for the whole time that a handshake may take, and only then they try again.
        """
        for address, group in list(self._groups.items()):
            self._settle(group, address, most=len(group.pending))
            for connection in group.pending.values():
                if group.failed or connection.failure is not None:
                    cut(connection.fd, connection.end)

    def drop(self, id: str) -> bool | None:
        """Cut a connection off; None when there is none of that id, False when it is just ending by itself."""
        for connection in self._all.values():
            if connection.id == id:
                connection.dropped = True
                return cut(connection.fd, connection.end)
        return None


def _comes_from(end: OtherEnd, address: str) -> bool:
    """Whether it may be who ZAP has at an address, which is without port, and over ipc ``localhost:UID:GID:PID``."""
    if end.pid is not None:
        return address.rpartition(":")[2] == str(end.pid)
    host = end.address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return host == address.removeprefix("::ffff:")


def count_nothing(block: CounterBlock, *, off: bool, roles: Iterable[str] = ("in", "out", "mon")) -> None:
    """Begin with no peers, or say with ``off`` that nobody notes them."""
    for role in roles:
        block.peer_words(role)[0] = -1 if off else 0
