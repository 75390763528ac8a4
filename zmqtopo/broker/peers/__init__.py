"""Who is connected to the sockets of a process, heard from libzmq's monitors by one thread.

A monitor that nobody reads stops libzmq's I/O thread and all that passes through it, as soon as the queue to its reader
is full (libzmq's issue 3575). So that queue is without limit here, and what a single event may cost is bounded.

libzmq lets a socket of any type read a monitor, which is the end of a PAIR over inproc. A ROUTER reads all of them: one
socket in the place of one for each, and it says which monitor an event is from.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import zmq

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.peers.connections import EVENTS, History, SocketPeers, count_nothing
from zmqtopo.broker.sockets import AnySocket

BURST: Final = 500
"""Events after which the thread looks what else there is to do."""

HURRY: Final = 2000
"""Events in a row after which no more is found out of each connection than is needed to count it."""

CONNECT_TIMEOUT: Final = 5.0
"""Seconds that a device waits until its monitors are read; then it goes on without them."""

JOB_RETRY: Final = 0.02
"""Seconds until a report goes on for which there was no room."""

_EVENT: Final = struct.Struct("=HI")

_numbers: Final = itertools.count(1)

MOST_PAST: Final = 100
"""Devices that do not run and of which it is remembered who was connected."""

Job = Iterator[bool]
"""A report in steps, each of which says whether the next one can follow at once."""


class _Outcome:
    """Whether another thread has done something; `concurrent.futures` would bring `logging` into every worker."""

    def __init__(self) -> None:
        self._is_known = threading.Event()
        self._error: Exception | None = None

    def set(self, error: Exception | None = None) -> None:
        """Say that it is done, or why not; what was said first holds."""
        if not self._is_known.is_set():
            self._error = error
            self._is_known.set()

    def wait(self, timeout: float) -> None:
        """Wait until it is done. Raises what kept it from that, and TimeoutError."""
        if not self._is_known.wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error


class Watched(NamedTuple):
    """A device that runs, and the connections of its sockets by role."""

    history: History
    tables: dict[str, SocketPeers]
    keys: tuple[bytes, ...]


class PeerMonitor:
    """Notes who is connected to the sockets of devices in one context.

    `attach` and `detach` are called by the thread that has the sockets at the time, everything else by any thread.
    """

    def __init__(
        self, context: zmq.Context[Any], note: Callable[[str, str, str], None],
        tick: Callable[[], float | None] = lambda: None,
    ) -> None:
        """``note`` is called in the thread of the monitor with a device, a word for an event, and a sentence.

        ``tick`` is called there between events, and returns after how many seconds it is to be again at the latest.
        """
        self._context = context
        self._note = note
        self._tick = tick
        self._lock = threading.Lock()
        self._requests: deque[Callable[[], object]] = deque()
        self._tables: dict[bytes, SocketPeers] = {}
        self._devices: dict[str, Watched] = {}
        self._past: dict[str, History] = {}
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._closing = False
        self._in_a_row = 0

    # -- from outside ------------------------------------------------------------------------------------------------

    def attach(self, device: str, sockets: Mapping[str, AnySocket], block: CounterBlock) -> bool:
        """Note from now on who is connected to sockets that have neither bound nor connected; whether it can be.

        A device whose monitors cannot be made, for want of room for sockets or descriptors, runs without.
        """
        count_nothing(block, off=False)
        connected = _Outcome()
        addresses: dict[str, str] = {}
        handshakes: dict[str, float] = {}
        try:
            if not self._start():
                raise OSError(errno.EPIPE, "the thread has ended")
            for role, socket in sockets.items():
                addresses[role] = f"inproc://zmqtopo-peers-{os.getpid()}-{next(_numbers)}"
                socket.monitor(addresses[role], EVENTS)
                handshakes[role] = int(socket.getsockopt(zmq.HANDSHAKE_IVL)) / 1000
            self._request(lambda: self._connect(connected, device, addresses, block, handshakes), connected)
            connected.wait(CONNECT_TIMEOUT)
        except (OSError, zmq.ZMQError, TimeoutError):
            self._disable(sockets.values())
            self._request(lambda: self._forget(device))
            count_nothing(block, off=True)
            return False
        return True

    def connecting(self, device: str, connects: Mapping[Any, tuple[str, ...]]) -> None:
        """The device is about to connect its sockets to these addresses, by role."""
        def note() -> None:
            watched = self._devices.get(device)
            if watched is not None:
                for role, addresses in connects.items():
                    watched.tables[role].connect(addresses)

        self._request(note)

    def detach(self, device: str, sockets: Mapping[str, AnySocket]) -> None:
        """Hear no more of sockets that are about to be closed."""
        self._disable(sockets.values())
        self._request(lambda: self._forget(device))

    def note_user(self, device: str, role: str, address: str, user: str) -> None:
        """Who comes from this address, as ZAP has it (RFC 27), has that name."""
        def note() -> None:
            watched = self._devices.get(device)
            if watched is not None and role in watched.tables:
                watched.tables[role].note_user(address, user)

        self._request(note)

    def cut_refused(self, device: str) -> None:
        """Let those try again who were refused by a device, since others may connect now."""
        def look() -> None:
            watched = self._devices.get(device)
            for table in watched.tables.values() if watched is not None else ():
                table.cut_refused()

        self._request(look)

    def call(self, do: Callable[[], object]) -> bool:
        """Have something done in the thread of the monitor, which alone has the tables; False when there is none."""
        return self._request(do)

    def close(self) -> None:
        """End the thread, unless a device is left whose monitors it has to go on reading."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return

        def end() -> None:
            self._closing = not self._devices

        self._request(end)
        thread.join(CONNECT_TIMEOUT)

    # -- in the thread of the monitor --------------------------------------------------------------------------------

    @property
    def devices(self) -> Mapping[str, Watched]:
        """The devices that run, by name."""
        return self._devices

    @property
    def histories(self) -> dict[str, History]:
        """What is remembered of each device, of those that do not run too."""
        return {**self._past, **{name: watched.history for name, watched in self._devices.items()}}

    def add_job(self, job: Job) -> None:
        """Take the steps of a report in turn with events."""
        self._jobs.append(job)

    def _connect(
        self, done: _Outcome, device: str, addresses: Mapping[str, str], block: CounterBlock,
        handshakes: Mapping[str, float],
    ) -> None:
        history = self._past.pop(device, None) or History(device)
        tables, keys = {}, []
        try:
            for role, address in addresses.items():
                key = b"m" + address.rpartition("-")[2].encode()
                self._reader.setsockopt(zmq.CONNECT_ROUTING_ID, key)
                self._reader.connect(address)
                tables[role] = self._tables[key] = SocketPeers(
                    device, role, block, history, lambda event, text: self._note(device, event, text), handshakes[role])
                keys.append(key)
        except zmq.ZMQError as error:
            done.set(error)
        self._devices[device] = Watched(history, tables, tuple(keys))
        done.set()

    def _forget(self, device: str) -> None:
        watched = self._devices.pop(device, None)
        if watched is None:
            return
        for key, table in zip(watched.keys, watched.tables.values(), strict=True):
            table.forget()
            del self._tables[key]
        self._past[device] = watched.history
        if len(self._past) > MOST_PAST:
            del self._past[next(iter(self._past))]

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._reader, zmq.POLLIN)
        poller.register(self._woken, zmq.POLLIN)
        wait: float | None = None
        try:
            while not self._closing:
                poller.poll(None if wait is None else int(wait * 1000))
                self._obey()
                more = self._drain()
                waits = [0 if more else self._step(), self._tick()]
                wait = min((at for at in waits if at is not None), default=None)
        except zmq.ContextTerminated:
            pass
        finally:
            self._end()

    def _obey(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        while self._requests:
            self._requests.popleft()()

    def _drain(self) -> bool:
        """Take the events that there are; whether there may be more."""
        receive, tables = self._reader.recv, self._tables
        for _ in range(BURST):
            try:
                key = receive(zmq.DONTWAIT)
            except zmq.Again:
                self._in_a_row = 0
                return False
            event, value = _EVENT.unpack(receive())
            address = receive()
            self._in_a_row += 1
            table = tables.get(key)
            if table is not None:       # else its device has been closed
                table.take(event, value, address.decode(errors="replace"), hurry=self._in_a_row > HURRY)
        return True

    def _step(self) -> float | None:
        """Go on with a report; the seconds until the next step, None without any."""
        if not self._jobs:
            return None
        job = self._jobs.popleft()
        at_once = next(job, None)
        if at_once is not None:
            self._jobs.append(job)
        return None if not self._jobs else 0 if at_once is not False else JOB_RETRY

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            requests = list(self._requests)
            self._requests.clear()
            self._reader.close(0)
            os.close(self._woken)
            os.close(self._waker)
        for request in requests:
            with contextlib.suppress(zmq.ZMQError):
                request()

    # -- the thread itself -------------------------------------------------------------------------------------------

    def _start(self) -> bool:
        """Begin the thread with the first device; whether it runs."""
        with self._lock:
            if self._thread is not None:
                return not self._ended
            with contextlib.ExitStack() as undo:
                self._reader = self._context.socket(zmq.ROUTER)
                undo.callback(self._reader.close)
                self._reader.setsockopt(zmq.RCVHWM, 0)
                self._reader.setsockopt(zmq.LINGER, 0)
                self._woken, self._waker = os.pipe()
                for end in (self._woken, self._waker):
                    undo.callback(os.close, end)
                    os.set_blocking(end, False)
                thread = threading.Thread(target=self._run, name="zmqtopo peers", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:       # the system has no room for it
                    raise OSError(errno.EAGAIN, str(error)) from None
                self._thread = thread
                undo.pop_all()
            return True

    def _request(self, do: Callable[[], object], done: _Outcome | None = None) -> bool:
        with self._lock:
            if self._thread is None or self._ended:
                if done is not None:
                    done.set(OSError(errno.EPIPE, "the thread has ended"))
                return False
            self._requests.append(do)
            with contextlib.suppress(BlockingIOError):      # enough wakings wait already
                os.write(self._waker, b"!")
            return True

    def _disable(self, sockets: Any) -> None:
        for socket in sockets:
            with contextlib.suppress(zmq.ZMQError):     # its context has ended
                socket.disable_monitor()
