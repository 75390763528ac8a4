"""Devices in a thread or a process, so that their starter continues."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.context import get_spawning_popen
from types import FrameType, TracebackType
from typing import Any, Self

import zmq

from zmqtopo.broker.broker import Broker
from zmqtopo.broker.control import Control
from zmqtopo.broker.sockets import seed_routing_ids
from zmqtopo.devices.base import GRACE, Device, DeviceError
from zmqtopo.devices.reports import ProcessReports

log = logging.getLogger("zmqtopo")


class BackgroundDevice(Device):
    """A device that runs in the background of its starter; as a context manager it starts, gets ready, stops.

    Errors of the worker do not print tracebacks: they are logged in one line on the logger ``zmqtopo``, kept in
    `error` and raised by `wait_ready`.
    """

    launcher: Any = None
    _launch_class: Any = None

    def start(self) -> None:
        """Start the worker and return at once. Raises RuntimeError when it runs already."""
        if self._own() and self.launcher is not None and self.launcher.is_alive():
            raise RuntimeError("the device has been started already")
        self._prepare()
        self._control = Control()
        launcher = self._launch_class(target=self._run_in_background)
        launcher.daemon = self.daemon
        launcher.start()
        self.launcher = launcher

    def join(self, timeout: float | None = None) -> None:
        """Wait until the device has ended, ``timeout`` seconds at most. Raises RuntimeError before `start`.

        In a process that was forked meanwhile the thread of a device does not exist, which is an end too; a process is
        not this one's to wait for, which is a RuntimeError.
        """
        if self.launcher is None:
            raise RuntimeError("the device has not been started")
        self.launcher.join(timeout)

    def wait_ready(self, timeout: float | None = None) -> None:
        """As `Device.wait_ready`. Raises RuntimeError before `start`."""
        if self.launcher is None:
            raise RuntimeError("the device has not been started")
        super().wait_ready(timeout)

    def _run_in_background(self) -> bool:
        """Run; whether it went well."""
        try:
            self.run()
        except Exception as error:
            # Its words: the error itself would keep this device alive for as long as a handler keeps the record.
            log.error("%s ended: %s: %s", type(self).__name__, type(error).__name__, str(error))
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owner == os.getpid():      # a forked process leaves the block too
            self.stop()


class ThreadDevice(BackgroundDevice):
    """A device in a thread of this process, by default in the process's shared context."""

    _launch_class = threading.Thread


class ProcessDevice(BackgroundDevice):
    """A device in a process and a context of its own.

    It goes on, whether its owner keeps the object or not, until its owner ends, however that ends. SIGINT, as of
    Ctrl-C, SIGTERM, as of ``launcher.terminate()``, and SIGHUP end it cleanly, with exit code 128 + number; SIGINT and
    SIGHUP do not when its owner ignored them as it started it.
    """

    _launch_class = multiprocessing.Process
    _reports_class = ProcessReports
    context_factory = zmq.Context

    def start(self) -> None:
        """Start the process and return at once. Raises RuntimeError when it runs already."""
        for other in list(_started.values()):
            other._let_go()
        super().start()
        _started[id(self)] = self
        assert self._control is not None
        self._control.worker.close()
        self._reports.worker_started()

    def join(self, timeout: float | None = None) -> None:
        """As `BackgroundDevice.join`."""
        self._require_owner()
        super().join(timeout)
        self._let_go()

    def _let_go(self) -> None:
        """Leave the life of this object to its user once the process has ended."""
        if self._owner != os.getpid() or self.done:
            _started.pop(id(self), None)

    @property
    def done(self) -> bool:
        """Whether the device has run and ended."""
        if self._owner != os.getpid():      # only its parent can ask for a process
            return self._finished.is_set()
        return self._finished.is_set() or (self.launcher is not None and not self.launcher.is_alive())

    @done.setter
    def done(self, value: bool) -> None:
        if value:
            self._finished.set()

    def _collect(self, timeout: float | None) -> bool:
        try:
            return super()._collect(timeout)
        except EOFError:
            self.launcher.join(GRACE)
            code = self.launcher.exitcode
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            self._ended = True
            self._error = DeviceError(f"the device's process ended by {how}")
            return True

    def _end_by_force(self) -> None:
        for end in (self.launcher.terminate, self.launcher.kill):
            end()
            self.join(GRACE)
            if self.done:
                return

    def _run_in_background(self) -> bool:
        _end_on_signals()
        seed_routing_ids()
        assert self._control is not None
        self._control.disown()
        while _started:     # those of the owner, inherited by a fork, which would hold them after its end
            _, other = _started.popitem()
            assert other._control is not None
            other._control.close()
        if not super()._run_in_background():
            sys.exit(1)
        return True

    def __getstate__(self) -> dict[str, Any]:
        """What a spawned process needs, or a copy."""
        if self._control is None or get_spawning_popen() is None:
            return super().__getstate__()
        owned: dict[str, Any] = {"launcher": None, "_finished": None, "_holders": [], "_broker": None, "_sockets": []}
        return self.__dict__ | owned

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_control" not in state:
            super().__setstate__(state)
        else:
            self.__dict__.update(state, _finished=threading.Event(), _broker=Broker(state["_block"], None))


_started: dict[int, ProcessDevice] = {}
"""Those of this process that may still run: a worker takes the end of its owner's object for the end of its owner."""


def _end_on_signals() -> None:
    """Let signals end this process cleanly; those that its owner ignores, as nohup does, stay ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end_cleanly)


def _end_cleanly(number: int, frame: FrameType | None) -> None:
    # An owner that ends by Ctrl-C sends SIGTERM too, and neither it nor a closed terminal is in a hurry; a user who
    # presses Ctrl-C again is. A handler that does nothing, since SIG_IGN makes Python report what is on its way.
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, _go_on)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end_at_once)
    sys.exit(128 + number)


def _go_on(number: int, frame: FrameType | None) -> None:
    return


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
