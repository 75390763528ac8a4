"""Devices in a thread or a process, so that whoever starts them goes on."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import zmq

from zmqtopo.devices.base import GRACE, Device, DeviceError
from zmqtopo.devices.control import Control
from zmqtopo.devices.reports import ProcessReports
from zmqtopo.devices.sockets import seed_routing_ids

log = logging.getLogger("zmqtopo")


class BackgroundDevice(Device):
    """A device that runs in the background of whoever starts it; as a context manager it starts, gets ready, stops.

    Errors of the worker do not print tracebacks: they are logged in one line on the logger ``zmqtopo``, kept in
    `error` and raised by `wait_ready`.
    """

    launcher: Any = None
    _launch_class: Any = None

    def start(self) -> None:
        """Start the worker and return at once. Raises RuntimeError when it runs already."""
        if self.launcher is not None and self.launcher.is_alive():
            raise RuntimeError("the device has been started already")
        self._prepare()
        self._control = Control()
        launcher = self._launch_class(target=self._run_in_background)
        launcher.daemon = self.daemon
        launcher.start()
        self.launcher = launcher

    def join(self, timeout: float | None = None) -> None:
        """Wait until the device has ended, ``timeout`` seconds at most. Raises RuntimeError before `start`."""
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
        self.stop()


class ThreadDevice(BackgroundDevice):
    """A device in a thread of this process, by default in the process's shared context."""

    _launch_class = threading.Thread


class ProcessDevice(BackgroundDevice):
    """A device in a process and a context of its own.

    It ends when its owner does, however that ends. Ctrl-C does not reach it: brokers go last. ``launcher.terminate()``
    ends it cleanly, with exit code 143.
    """

    _launch_class = multiprocessing.Process
    _reports_class = ProcessReports
    context_factory = zmq.Context

    def start(self) -> None:
        """Start the process and return at once. Raises RuntimeError when it runs already."""
        super().start()
        assert self._control is not None
        self._control.worker.close()
        self._reports.worker_started()

    @property
    def done(self) -> bool:
        """Whether the device has run and ended."""
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _exit_on_sigterm)
        seed_routing_ids()
        assert self._control is not None
        self._control.disown()
        if not super()._run_in_background():
            sys.exit(1)
        return True

    def __getstate__(self) -> dict[str, Any]:
        """What a spawned process needs."""
        owned: dict[str, Any] = {"launcher": None, "_finished": None, "_holders": [], "_sockets": []}
        return self.__dict__ | owned

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _finished=threading.Event())


def _exit_on_sigterm(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
