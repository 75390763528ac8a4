"""Copies of the messages that pass devices, for programs.

    with connect("pipeline") as client, TapReader(client, ["collect"]) as reader:
        while not reader.ended:
            for tapped in reader.receive(1.0):
                ...

The devices do not wait for a reader (``overflow="drop"``): each keeps about a thousand copies for it, beside what the
kernel holds, and a reader that is slower misses some; `TapReader.left_out` says exactly how many. With ``"block"`` a
device waits for its readers, as it does for its own peers, until they have gone or it is told to stop.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self

import zmq

from zmqtopo.control.client import Client
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.tap.changes import Changes

FLOWS: Final = ("in_to_out", "out_to_in")

WATCH_INTERVAL: Final = 1.0
"""Seconds between two looks at what has become of the devices."""

SETTLE_TIMEOUT: Final = 1.0
"""Seconds that devices have to say how much has passed; one that moves messages takes milliseconds."""

_MOST: Final = 1000
"""Messages that are taken from a device before the next one has its turn."""

_HEAD: Final = 16
"""Bytes of the first frame by which libzmq filters: HEAD of zmqtopo/loop/state.pxd, where the other bytes are too."""

_FLOW: Final = {b"\1": FLOWS[0], b"\2": FLOWS[1]}
_PRESENCE: Final = b"\3"
_MARKER: Final = b"\4"
_NUMBERS: Final = struct.Struct("=qq")
"""At the end of a header: the message's number and the time in nanoseconds, as this machine writes numbers."""


class Tapped(NamedTuple):
    """A message that has passed a device.

    ``number`` is the counter of its flow for this message, from 1, and goes on when the device starts again; ``time``
    is when it passed, in nanoseconds since 1970.
    """

    device: str
    flow: str
    number: int
    time: int
    frames: list[bytes]


class TapReader:
    """Reads what passes devices, or all devices of a topology, those too that a reload brings.

    It holds the connection of ``client``, which it uses alone until it is closed, and lives in one thread. Nothing of
    it is left in the topology when it ends, however that is.
    """

    def __init__(
        self, client: Client, devices: Sequence[str] = (), *, flow: str | None = None,
        overflow: Literal["drop", "block"] = "drop", prefix: bytes = b"",
    ) -> None:
        """Look on from now on: returns when the devices that run have taken it in.

        Only messages whose first frame begins with ``prefix`` are received. Raises UnknownTapError for a device that is
        not there, and ControlError for a topology that does not answer and a device that cannot be tapped.
        """
        self._client = client
        self._named = tuple(devices)
        self._overflow = overflow
        self._prefix = prefix
        self._topics = [
            byte + prefix[:_HEAD] for byte, name in _FLOW.items() if flow in (None, name)
        ]
        self._context: zmq.Context[Any] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, 65535)
        self._poller = zmq.Poller()
        self._sources: dict[str, _Source] = {}
        self._folders: list[int] = []
        """Descriptors of the folders in which devices are looked at."""
        self._waiting: list[Tapped] = []
        self._tokens = 0
        self.shown = 0
        """Messages that `receive` has returned."""
        self.ended = ""
        """Why nothing more will come, in words; empty before."""
        try:
            self._changes = Changes(client.devices(), self._named)
            self._watch_at = time.monotonic() + WATCH_INTERVAL
            self._ask()
            self._settle(begins=True)
        except BaseException:
            self.close()
            raise

    # -- messages ----------------------------------------------------------------------------------------------------

    def receive(self, timeout: float) -> list[Tapped]:
        """What has arrived, in the order of each flow; waits ``timeout`` seconds for the first, and returns none then.

        Returns none at once when `ended`. Keeps an eye on the devices meanwhile, see `notes`.
        """
        deadline = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if now >= self._watch_at and not self.ended:
                self._watch()
            self._take(0 if self._waiting or self.ended else max(0.0, min(deadline, self._watch_at) - now))
            if self._waiting or self.ended or time.monotonic() >= deadline:
                taken, self._waiting = self._waiting, []
                self.shown += len(taken)
                return taken

    @property
    def devices(self) -> list[str]:
        """Those that are looked at."""
        return list(self._sources)

    @property
    def passed(self) -> int:
        """Messages that have passed the devices since this began to look on, as far as is known: see `settle`."""
        return sum(flow.passed for source in self._sources.values() for flow in source.flows.values())

    @property
    def left_out(self) -> int:
        """Messages that have passed and were not received: for want of room, or since ``prefix`` does not fit."""
        return self.passed - self.shown - len(self._waiting)

    def settle(self) -> None:
        """Bring `passed` up to date; what was on its way is returned by the next `receive`.

        Then ``shown`` and ``left_out`` are exactly what has passed, up to one moment for each device.
        """
        if not self.ended:
            self._settle(begins=False)

    def notes(self) -> list[str]:
        """What has become of the devices since this was last asked, a line each: restarted, paused, removed, added.

        The first time also which of them nothing passes: those that are stopped, paused or failed.
        """
        return self._changes.take()

    def close(self) -> None:
        """Look on no more; the connection of the client, which holds the taps, is closed too."""
        self._client.close()
        for source in self._sources.values():
            source.socket.close(0)
        self._context.term()
        while self._folders:
            os.close(self._folders.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, seconds: float) -> None:
        """Take what has arrived, and wait for something."""
        ready = dict(self._poller.poll(int(seconds * 1000 + 0.999)))
        for source in self._sources.values():
            if source.socket in ready:
                self._waiting += source.take(_MOST, self._prefix)

    # -- the devices -------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have the devices opened, and connect to those that are not yet."""
        response = self._client.ask("tap", *self._named, overflow=self._overflow, timeout=SETTLE_TIMEOUT * 5)
        if not response.get("ok"):
            errors = [str(error) for error in response.get("errors", ())]
            kind = UnknownTapError if response.get("reason") == "unknown-device" else ControlError
            raise kind("; ".join(errors) or f"{self._client.name} does not let anybody look on")
        for tap in response["taps"]:
            source = self._sources.get(tap["device"])
            if source is None:
                try:
                    source = _Source(tap["device"], self._context, self._topics, self._overflow)
                except zmq.ZMQError as error:       # each takes two descriptors
                    raise ControlError(f"cannot look at {len(response['taps'])} devices: {error.strerror}; name fewer, "
                                       "or raise the limit of open files (ulimit -n)") from None
                self._sources[source.device] = source
                self._poller.register(source.socket, zmq.POLLIN)
            source.runs = tap["state"] in ("running", "paused")
            source.error = tap.get("error") or ""
            source.connect(self._address(tap["folder"], tap["file"]))

    def _address(self, folder: str, file: str) -> str:
        """An address that is short enough whatever the path of the folder."""
        if sys.platform != "linux" or not Path("/proc/self/fd").exists():
            return f"ipc://{folder}/{file}"
        try:
            there = Path(folder).stat()     # it may have been removed and made again
            held = next((fd for fd in self._folders if os.path.samestat(os.fstat(fd), there)), None)
            if held is None:
                held = os.open(folder, os.O_DIRECTORY | os.O_CLOEXEC)
                self._folders.append(held)
        except OSError as error:
            raise ControlError(f"cannot look into {folder}: {error.strerror}") from None
        return f"ipc:///proc/self/fd/{held}/{file}"

    def _settle(self, *, begins: bool) -> None:
        """Have each device say its numbers, behind the copies that it has sent."""
        if not begins:
            self._tokens += 1
            token = _MARKER + self._tokens.to_bytes(8) + os.urandom(8)
            for source in self._sources.values():
                source.request(token)
        deadline = time.monotonic() + SETTLE_TIMEOUT
        ask_at = time.monotonic() + SETTLE_TIMEOUT / 8
        while any(source.runs and source.waits for source in self._sources.values()):
            now = time.monotonic()
            if now >= deadline:
                break
            if begins and now >= ask_at:
                ask_at = now + SETTLE_TIMEOUT / 8
                self._ask()
                failed = next((source.error for source in self._sources.values() if source.error), "")
                if failed:
                    raise ControlError(failed)
            self._take(min(deadline, ask_at if begins else deadline) - now)
        if begins:
            for source in self._sources.values():
                if source.runs and source.waits:
                    self._changes.say(f"{source.device}: does not answer; what passes until it does is left out")
            return
        for source in self._sources.values():
            source.forget()
        # Those that did not answer, because they do not run or have no room, are asked by the way of `ps`.
        if any(source.waits for source in self._sources.values()):
            self._count()

    def _count(self) -> None:
        with contextlib.suppress(ControlError):
            for device in self._client.devices():
                source = self._sources.get(device["name"])
                if source is not None and source.waits:
                    for flow, counted in source.flows.items():
                        counted.count(device["counters"][flow]["messages"])
            return
        self.ended = self.ended or f"{self._client.name} has ended"

    def _watch(self) -> None:
        """See what has become of the devices."""
        self._watch_at = time.monotonic() + WATCH_INTERVAL
        try:
            devices = self._client.devices()
            if self._changes.note(devices, self._named):
                there = {device["name"] for device in devices}
                for name in self._sources.keys() - there:
                    self._sources[name].runs = False
                if not self._named or set(self._named) <= there:
                    self._ask()
        except ControlError as error:
            self._take(0)
            self.ended = str(error)


class UnknownTapError(ControlError):
    """A device that the topology does not have."""


class _Flow:
    """What has passed one way, as far as is known."""

    def __init__(self) -> None:
        self.start: int | None = None
        """The number of the last message before this began."""
        self.last = 0
        """The highest number that is known of."""
        self.seen = 0
        """That of what has come from the device; what `ps` says may be ahead of it."""
        self.before = 0
        """What had passed when the numbers began anew, with a device of the same name."""

    @property
    def passed(self) -> int:
        return self.before + (self.last - self.start if self.start is not None else 0)

    def note(self, number: int) -> None:
        """The device says that so many have passed."""
        if self.start is None:
            self.start = self.last = number
        elif number < self.seen:
            self.before, self.start, self.last = self.passed, 0, number
        self.seen = number
        self.last = max(self.last, number)

    def count(self, number: int) -> None:
        """Others say so."""
        if self.start is None:
            self.start = number
        self.last = max(self.last, number)


class _Source:
    """The tap of one device."""

    def __init__(self, device: str, context: zmq.Context[Any], topics: Sequence[bytes], overflow: str) -> None:
        self.device = device
        self.flows = {name: _Flow() for byte, name in _FLOW.items() if any(topic[:1] == byte for topic in topics)}
        self.runs = False
        self.waits = True
        """It has not said its numbers yet."""
        self.error = ""
        self._token = b""
        self._address = ""
        self.socket: zmq.Socket[Any] = context.socket(zmq.SUB)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RECONNECT_IVL, 20)
        self.socket.set(zmq.RECONNECT_IVL_MAX, 500)
        # libzmq sends them again in the order of their bytes after each disconnect, so the marker comes last.
        for topic in (*topics, _PRESENCE, _MARKER):
            self.socket.subscribe(topic)

    def connect(self, address: str) -> None:
        """Connect to where the device is to be seen; with two connections everything would come twice."""
        if address == self._address:
            return
        if self._address:
            self.socket.disconnect(self._address)
        self.socket.connect(address)
        self._address = address

    def request(self, token: bytes) -> None:
        """Have the device say its numbers."""
        self.waits = True
        self._token = token
        self.socket.subscribe(token)

    def forget(self) -> None:
        if self._token:
            self.socket.unsubscribe(self._token)
            self._token = b""

    def take(self, most: int, prefix: bytes) -> Iterator[Tapped]:
        """Yield what has arrived."""
        with contextlib.suppress(zmq.Again):
            for _ in range(most):
                header, *frames = self.socket.recv_multipart(zmq.DONTWAIT)
                if header[:1] == _MARKER:
                    forward, back, _ = struct.unpack("=qqq", frames[0])
                    self.waits = self.waits and bool(self._token) and header != self._token
                    self.note_numbers(forward, back)
                    continue
                flow = _FLOW[header[:1]]
                number, passed_at = _NUMBERS.unpack_from(header, len(header) - _NUMBERS.size)
                counted = self.flows[flow]
                if counted.start is None:
                    counted.note(number - 1)
                counted.note(number)
                if not prefix or frames[0].startswith(prefix):
                    yield Tapped(self.device, flow, number, passed_at, frames)

    def note_numbers(self, *numbers: int) -> None:
        """As many messages have passed, in to out and out to in."""
        for name, number in zip(FLOWS, numbers, strict=True):
            if name in self.flows:
                self.flows[name].note(number)
