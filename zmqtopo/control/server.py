"""The topology's end of the control socket: a thread that reads requests, hands them on and writes answers.

It decides nothing and never waits for a client, and nothing that a client does or leaves out reaches the devices.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from zmqtopo.control.protocol import LONGEST_LINE, ProtocolError, Request, encode, parse_request, refusal

MOST_CLIENTS: Final = 200
"""One more takes the place of an idle one: see `Server._evict_idle`."""

MOST_WAITING: Final = {"ps": 25, "down": 25}
"""Clients that wait for the answer to such a request; one more takes the place of the first of them."""

MOST_OTHERS: Final = 100
"""Clients that wait for the answer to any other request; one more is refused. With those above they leave room, so
that there is always somebody idle to make way for who asks next."""

HELD: Final = frozenset({"tap"})
"""Requests for what a client has as long as it is connected; it is not idle then, whatever it asks."""

MOST_HOLDERS: Final = 50
"""Clients that may have such a thing; one more is refused."""

SPARE_DESCRIPTORS: Final = 8
"""Kept for clients that come when the process has used up all others."""

FAREWELL: Final = 1.0
"""Seconds that clients have at the end to take their last answers."""

ACCEPT_BACKOFF: Final = 1.0
"""Seconds until the next try when the system has no descriptor for a client."""

_TURNED_AWAY: Final = encode(refusal("busy", f"it serves {MOST_CLIENTS} clients at a time, and others came; ask again"))

Respond = Callable[[dict[str, Any]], None]
"""Takes the one answer to a request, in any thread."""


class Server:
    """Serves a control socket in a thread of its own until it is closed."""

    def __init__(
        self, path: str, greeting: dict[str, Any], handle: Callable[[Request, Respond], None],
        parted: Callable[[int], None] = lambda client: None,
    ) -> None:
        """``handle`` is called in that thread with each request and must not wait. Raises OSError.

        So is ``parted`` with the number of a client that had something `HELD` and is gone.
        """
        self._greeting = encode(greeting)
        self._handle = handle
        self._parted = parted
        self._answers: deque[tuple[_Client, int, bytes]] = deque()
        self._clients: set[_Client] = set()
        self._count = 0
        self._spare: list[int] = []
        self._rests_until: float | None = None
        self._closing = False
        self._listener = _listener(path)
        self._next_listener: socket.socket | None = None
        try:
            self._woken, self._waker = socket.socketpair()
        except OSError:
            self._listener.close()
            raise
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._keep_spare()
        self._thread = threading.Thread(target=self._serve, name="zmqtopo control", daemon=True)
        self._thread.start()

    def listen_again(self, path: str) -> None:
        """Listen at another path, or at the same one whose file is gone; clients stay. Raises OSError."""
        self._next_listener = _listener(path)
        self._wake()

    def _change_listener(self) -> None:
        listener, self._next_listener = self._next_listener, None
        if listener is not None:
            if self._rests_until is None:
                self._selector.unregister(self._listener)
                self._selector.register(listener, selectors.EVENT_READ)
            self._listener.close()
            self._listener = listener

    def close(self) -> None:
        """Deliver the answers that were given, close all connections and end."""
        self._closing = True
        self._wake()
        self._thread.join()
        self._change_listener()
        for client in list(self._clients):
            self._part(client)
        self._selector.close()
        for end in (self._listener, self._woken, self._waker):
            end.close()
        while self._spare:
            os.close(self._spare.pop())

    def _wake(self) -> None:
        with contextlib.suppress(OSError):      # enough wakings wait already
            self._waker.send(b"!")

    # -- in its thread -------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        deadline = None
        while True:
            closing = self._closing     # first: what is answered before it is set is delivered
            self._deliver()
            self._change_listener()
            if closing:
                deadline = deadline or time.monotonic() + FAREWELL
                if time.monotonic() > deadline or not any(client.output for client in self._clients):
                    return
            waits = [at for at in (self._rests_until, deadline) if at is not None]
            timeout = max(min(waits) - time.monotonic(), 0) if waits else None
            for key, events in self._selector.select(timeout):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    with contextlib.suppress(OSError):
                        self._woken.recv(4096)
                elif events & selectors.EVENT_READ:
                    self._read(key.data)
                else:
                    self._write(key.data)
                    self._next(key.data)
            if self._rests_until is not None and time.monotonic() >= self._rests_until:
                self._rests_until = None
                self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        try:
            connection = self._take()
        except (BlockingIOError, ConnectionError):
            return      # it has changed its mind
        except OSError:
            # No descriptors left: it would be told of the same client again and again.
            self._evict_idle()
            self._selector.unregister(self._listener)
            self._rests_until = time.monotonic() + ACCEPT_BACKOFF
            return
        connection.setblocking(False)
        if len(self._clients) >= MOST_CLIENTS:
            self._evict_idle()
        client = _Client(connection)
        self._clients.add(client)
        client.output += self._greeting
        self._selector.register(connection, selectors.EVENT_READ, client)
        self._touch(client)
        self._write(client)

    def _take(self) -> socket.socket:
        """Accept a client, with a spare descriptor when there is no other. Raises OSError."""
        try:
            return self._listener.accept()[0]
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._spare:
                raise
        os.close(self._spare.pop())
        return self._listener.accept()[0]

    def _keep_spare(self) -> None:
        with contextlib.suppress(OSError):      # there are none to spare
            while len(self._spare) < SPARE_DESCRIPTORS:
                self._spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            self._part(client)
            return
        client.input += data
        client.has_ended = not data
        self._touch(client)
        self._next(client)

    def _next(self, client: _Client) -> None:
        """Take the next request, unless the last one has no answer yet or that is not taken."""
        while client in self._clients and not client.waits and not client.output:
            line, found, rest = client.input.partition(b"\n")
            if len(line) >= LONGEST_LINE:
                client.input.clear()
                client.has_ended = True
                client.output += encode(refusal("bad-request", f"a line has at most {LONGEST_LINE} bytes"))
            elif found:
                client.input = rest
                self._ask(client, bytes(line))
            else:
                break
            self._write(client)
        self._watch(client)

    def _ask(self, client: _Client, line: bytes) -> None:
        number = client.asked = self._touch(client)

        def respond(message: dict[str, Any]) -> None:
            self._answers.append((client, number, encode(message)))
            if threading.current_thread() is not self._thread:
                self._wake()

        client.waits = "?"
        try:
            asked = parse_request(line)
        except ProtocolError as error:
            respond(refusal(error.reason, str(error)))
            return
        if (client.holds and asked["verb"] in HELD) or self._has_room_for(asked["verb"]):
            client.waits = asked["verb"]
            asked["client"] = client.number
            asked["by"] = client.who
            client.holds = client.holds or asked["verb"] in HELD
            self._handle(asked, respond)
        else:
            respond(refusal("busy", f"{MOST_OTHERS} clients wait for answers already; nothing was done, ask again"))

    def _has_room_for(self, verb: str) -> bool:
        """Whether one more may wait for the answer to such a request; for ps and down there always is."""
        if verb in HELD:
            return sum(client.holds for client in self._clients) < MOST_HOLDERS
        same = [client for client in self._clients
                if (client.waits == verb if verb in MOST_WAITING else client.waits not in ("", "?", *MOST_WAITING))]
        if len(same) < MOST_WAITING.get(verb, MOST_OTHERS):
            return True
        if verb in MOST_WAITING:
            first = min(same, key=lambda client: client.asked)
            self._answers.append((first, first.asked, encode(refusal(
                "busy", f"too many clients wait for the answer to {verb}; what was asked is under way"))))
        return verb in MOST_WAITING

    def _deliver(self) -> None:
        while self._answers:
            client, number, line = self._answers.popleft()
            if not client.waits or client.asked != number:
                continue        # it has been told not to wait
            client.waits = ""
            if client in self._clients:
                client.output += line
                self._write(client)
                self._next(client)

    def _write(self, client: _Client) -> None:
        try:
            while client.output:
                del client.output[: client.connection.send(client.output)]
        except BlockingIOError:
            pass
        except OSError:
            self._part(client)
            return
        self._watch(client)

    def _watch(self, client: _Client) -> None:
        """Listen for what can go on; close connections that have ended and have all their answers."""
        if client not in self._clients:
            return
        if client.has_ended and not client.output and not client.waits and b"\n" not in client.input:
            self._part(client)
            return
        # Who sends more than one request ahead waits.
        reads = not client.has_ended and len(client.input) < LONGEST_LINE
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if client.output else 0)
        registered = client.connection in self._selector.get_map()
        if events and registered:
            self._selector.modify(client.connection, events, client)
        elif events:
            self._selector.register(client.connection, events, client)
        elif registered:
            self._selector.unregister(client.connection)

    def _touch(self, client: _Client) -> int:
        self._count += 1
        client.heard = self._count
        return self._count

    def _evict_idle(self) -> None:
        """Part with an idle client, of the process that has most of them: with the one silent for the longest time."""
        idle = [client for client in self._clients if not client.waits and not client.holds]
        crowd = Counter(client.pid for client in idle)
        if not idle:
            return
        client = min(idle, key=lambda client: (-crowd[client.pid], client.heard))
        with contextlib.suppress(OSError):
            client.connection.send(_TURNED_AWAY)
        self._part(client)

    def _part(self, client: _Client) -> None:
        if client not in self._clients:
            return      # somebody took its place, and it is told of in the same breath
        if client.connection in self._selector.get_map():
            self._selector.unregister(client.connection)
        client.connection.close()
        self._clients.discard(client)
        if client.holds:
            self._parted(client.number)
        self._keep_spare()


def _listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(socket.SOMAXCONN)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


_numbers = itertools.count(1)


class _Client:
    """Somebody who has connected."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.number = next(_numbers)
        self.holds = False
        """It has something as long as it is connected."""
        self.input = bytearray()
        self.output = bytearray()
        self.pid, uid = _peer(connection)
        self.who = f"pid {self.pid}, uid {uid}" if self.pid else ""
        self.waits = ""
        """The verb of what it has asked and has no answer to yet."""
        self.asked = 0
        """The number of that request."""
        self.has_ended = False
        """It sends no more."""
        self.heard = 0
        """When it last sent or asked something, in order."""


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process at the other end and its user; 0 and 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0, 0
    with contextlib.suppress(OSError):
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", peer)
        return pid, uid
    return 0, 0
