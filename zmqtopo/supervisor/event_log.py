"""What happens to a topology and its devices, on the standard logger ``zmqtopo.NAME``.

The command attaches handlers of its own to it (see `zmqtopo.service.log.messages`); a Python program attaches what it
likes.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable, Collection
from typing import Final

from zmqtopo.config.endpoint import ordinary
from zmqtopo.config.wording import count, printable
from zmqtopo.supervisor.device_state import DeviceState, StateChange

HANDLER_TIMEOUT: Final = 1.0
"""Seconds that a start and a stop wait until the program's handlers have taken what was logged; most take less than a
millisecond, and one that hangs must not keep a topology from starting or ending."""

MOST_WAITING: Final = 1000
"""Records that wait for handlers that are slower than what happens; what comes after them is left out and counted."""

_LEVELS: Final = {
    "failed": logging.ERROR, "error": logging.ERROR,
    "backoff": logging.WARNING, "not-reloaded": logging.WARNING, "open-files": logging.WARNING,
    "state-folder": logging.WARNING, "left-out": logging.WARNING, "handshake-failed": logging.WARNING,
    "peer-connected": logging.DEBUG, "peer-disconnected": logging.DEBUG,
}
"""By state or event; everything else is INFO."""


class EventLog:
    """Logs what happens, in the thread that says it.

    A record has, beside its message, ``topology``, ``device`` (empty when all of the topology is meant), ``event`` (a
    word; ``state`` when a device has changed its state), ``state`` (the new one, or empty) and ``text``: the message as
    it is without the device's name, which may have control characters in it.
    """

    def __init__(self, topology: str) -> None:
        self._topology = topology
        self.logger = logging.getLogger(f"zmqtopo.{topology}")
        if not self.logger.handlers:
            # Without any handler Python prints warnings on standard error.
            self.logger.addHandler(logging.NullHandler())

    def say(self, text: str, *, device: str = "", event: str = "", state: str = "") -> None:
        """Log that something happened: to ``device``, or to the topology, as ``event`` or change to ``state``."""
        level = _LEVELS.get(state or event, logging.INFO)
        if self.logger.isEnabledFor(level):
            self._deliver(self._record(level, text, device, event or ("state" if state else ""), state))

    def _record(self, level: int, text: str, device: str, event: str, state: str) -> logging.LogRecord:
        about = {"topology": self._topology, "device": device, "event": event, "state": state, "text": text}
        message = printable(f"{device}: {text}" if device else text)
        return self.logger.makeRecord(self.logger.name, level, __file__, 0, message, (), None, "say", about)

    def _deliver(self, record: logging.LogRecord) -> None:
        self.logger.handle(record)


class BackgroundEventLog(EventLog):
    """Logs in a thread of its own, begun with the first record, so that handlers keep no device waiting.

    They may be slow, raise, and ask or stop the topology that they hear of.
    """

    def __init__(self, topology: str) -> None:
        super().__init__(topology)
        self._records: queue.SimpleQueue[logging.LogRecord | threading.Event | None] = queue.SimpleQueue()
        self._left_out = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def flush(self) -> None:
        """Wait until all that was said has been logged, `HANDLER_TIMEOUT` at most; in a handler, return at once."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        reached = threading.Event()
        with self._lock:
            closed = self._closed
            if not closed:
                self._records.put(reached)
        if closed:
            thread.join(HANDLER_TIMEOUT)
        else:
            reached.wait(HANDLER_TIMEOUT)

    def close(self) -> None:
        """End the thread as soon as all has been logged; what is said afterwards is heard by nobody."""
        with self._lock:
            self._closed = True
            self._records.put(None)

    def _deliver(self, record: logging.LogRecord) -> None:
        with self._lock:
            if self._closed:
                return
            if self._records.qsize() >= MOST_WAITING:
                self._left_out += 1
                return
            if self._thread is None:
                try:
                    thread = threading.Thread(target=self._run, name="zmqtopo log", daemon=True)
                    thread.start()
                except RuntimeError:    # no more threads
                    self._left_out += 1
                    return
                self._thread = thread
            self._records.put(record)

    def _run(self) -> None:
        while True:
            next_ = self._records.get()
            if isinstance(next_, logging.LogRecord):
                self._handle(next_)
            if next_ is None or self._records.empty():
                self._say_left_out()
            if isinstance(next_, threading.Event):
                next_.set()
            if next_ is None:
                return

    def _say_left_out(self) -> None:
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out:
            text = f"{count(left_out, 'message')} left out, which could not be logged in time"
            self._handle(self._record(logging.WARNING, text, "", "left-out", ""))

    def _handle(self, record: logging.LogRecord) -> None:
        try:
            self.logger.handle(record)
        except BaseException:
            # A handler of the program's; told where errors of its threads are told, and the next record goes on.
            kind, error, trace = sys.exc_info()
            assert kind is not None
            threading.excepthook(threading.ExceptHookArgs((kind, error, trace, threading.current_thread())))


class EventReporter:
    """Says of a topology which changes of its devices there is something to say about."""

    def __init__(self, say: Callable[..., None], *, stopping: str) -> None:
        """``say`` is as `EventLog.say`; ``stopping`` is what to say when a stop of everything begins.

        Who has asked for it is said before its semicolon.
        """
        self._say = say
        word, semicolon, rest = stopping.partition(";")
        self._words = word, semicolon + rest
        self.is_ready = False
        """Whether the start is over."""
        self._is_stopping = False

    def ready(self, devices: Collection[DeviceState], seconds: float) -> None:
        """Every device runs, so many seconds after the start began."""
        self.is_ready = True
        for device in devices:
            self._say(introduction(device), device=device.name, event="started")
        self._say(f"ready, {count(len(devices), 'device')} in {seconds:.2f} s", event="ready")

    def changed(self, change: StateChange, *, all_stop: bool, by: str = "") -> bool:
        """Something has happened to a device; whether a stop of everything, asked for ``by`` someone, begins so."""
        if change.event:
            self._say(change.text, device=change.device.name, event=change.event)
            return False
        begins = change.state == "stopping" and all_stop and not self._is_stopping
        if begins:
            self._is_stopping = True
            self._say(f"{self._words[0]}{f' by a command of {by}' if by else ''}{self._words[1]}", event="stopping")
        # A start ends with an introduction, and a stop of all with a farewell, which say it better.
        alone = self.is_ready and not self._is_stopping and change.state not in ("starting", "stopping")
        if alone and change.state == "running" and change.together:
            self._say(introduction(change.device), device=change.device.name, state=change.state)
        elif alone or (change.state == "stopped" and change.text != "stopped"):
            self._say(change.text, device=change.device.name, state=change.state)
        return begins


def introduction(device: DeviceState) -> str:
    """What a device is, and where its sockets are bound and connected."""
    spec = device.spec
    parts = [f"{spec.type}, {spec.run.text}"]
    for socket in spec.sockets:
        addresses = [ordinary(address) for address in device.endpoints.get(socket.role, ())]
        addresses += [f"to {address.text}" for address in socket.connect]
        parts.append(f"{socket.role} {socket.type} {', '.join(addresses)}")
    return "; ".join(parts)
