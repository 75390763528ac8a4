"""A topology that runs in this process until it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from types import FrameType
from typing import Any, Literal

import zmq

import zmqtopo
from zmqtopo.broker.sockets import seed_routing_ids
from zmqtopo.config.model import Topology
from zmqtopo.config.wording import count
from zmqtopo.control.ended import note, note_end
from zmqtopo.control.errors import ControlError
from zmqtopo.control.folder import Folder, unusable
from zmqtopo.control.protocol import VERSION, Request, refusal
from zmqtopo.control.server import Respond, Server
from zmqtopo.service.foreground.reloading import Reloading, ReloadRequest
from zmqtopo.service.log import LogOutputs
from zmqtopo.service.log.file import LOGS
from zmqtopo.service.notify import Notifier
from zmqtopo.service.requests import Requests, final_status
from zmqtopo.service.status_text import stop_summary
from zmqtopo.service.watch import Watch
from zmqtopo.service.web import HttpError, Web
from zmqtopo.supervisor.device_state import StateChange
from zmqtopo.supervisor.event_log import EventReporter
from zmqtopo.supervisor.open_files import CHECK_INTERVAL, shortage
from zmqtopo.supervisor.reload.plan import option_files
from zmqtopo.supervisor.supervisor import StartError, Supervisor
from zmqtopo.supervisor.timers import Timer, every

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They end it; but SIGHUP that does not come from a terminal that is gone reloads it."""


FOLDER_CHECK_INTERVAL = 2.0
"""Seconds from one look whether the state folder is there to the next, which costs five system calls."""


class Foreground:
    """A supervisor in the main thread, told by signals and by the control socket what to do, that says what happens."""

    def __init__(
        self, topology: Topology, source: str, folder: Folder, launcher: int | None, *, name: str | None = None,
        abort_on_failure: bool, log_format: Literal["text", "json"], watch: bool, quiet: bool = False,
        http: str | None = None,
    ) -> None:
        """``source`` is the path of its file, or ``-``; ``folder`` has been claimed.

        ``launcher`` hears of the start if that was not given in this terminal. ``name`` is the one that it runs under
        whatever a file says, and ``http`` where it serves HTTP; both are in ``topology`` already.
        """
        self._topology = topology
        self._name = name
        self._source = source
        self._http = http
        self._began = time.time()
        self._watch = Watch(self._watched(topology)) if watch else None
        self._had_terminal = _has_terminal()
        self._hung_up = False
        self._folder = folder
        self._log = LogOutputs(topology.name, folder, launcher, log_format, quiet=quiet)
        self._reporter = EventReporter(self._log.say, stopping="stopping; a second signal skips the wait")
        self._notifier = Notifier()
        self._abort_on_failure = abort_on_failure
        self._signals = 0
        self._ready = False
        self._cut_short = False
        """Whether a device had to end before it had passed on what it had."""
        self._short_of_files: set[int] = set()
        """The workers of which it was said."""
        self._about_folder = ""
        """What was said last of the state folder."""

    def run(self) -> int:
        """Run to the end; 0 after a clean one, 1 when a device could not start or failed, 130 after a second signal."""
        try:
            return self._supervise()
        except StartError as error:
            for failure in error.failures:
                self._log.say(failure, event="error")
            self._log.say("not started; what had been started is undone", event="not-started")
            return 1
        finally:
            self._log.close()
            self._notifier.close()

    def _supervise(self) -> int:
        seed_routing_ids()
        try:
            self._web = Web(self._topology, self._log.say)
        except HttpError as error:
            self._log.say(str(error), event="error")
            return 1
        try:
            return self._serve()
        finally:
            self._web.close()

    def _serve(self) -> int:
        timers = self._log.timers
        timers.append(self._web.timer)
        if self._notifier.watchdog_interval is not None:
            timers.append(every(self._notifier.watchdog_interval, self._notifier.watchdog))
        timers.append(every(FOLDER_CHECK_INTERVAL, self._keep_folder))
        timers.append(every(CHECK_INTERVAL, self._check_open_files))
        timers.append(Timer(lambda: 0.0 if self._hung_up and self._ready else None, self._reload))
        if self._watch is not None:
            watch = self._watch
            timers.append(Timer(lambda: watch.due if self._ready else None, self._look))
        self._supervisor = Supervisor(
            self._topology, tell=self._tell, isolated=True, abort_on_failure=self._abort_on_failure, timers=timers
        )
        self._reloading = Reloading(self._supervisor, self._log, self._notifier, self._web, self._follow, self._http,
                                    self._name)
        requests = self._requests = Requests(self._supervisor, self._on_reload, self._about, self._folder)
        self._reloading.on_end = requests.note_change
        greeting: dict[str, Any] = {
            "zmqtopo": VERSION, "name": self._topology.name, "pid": self._folder.pid, "release": zmqtopo.__version__,
        }
        try:
            server = self._server = Server(
                self._folder.socket_path(), greeting, requests.handle, requests.parted
            )
        except OSError as error:
            raise unusable("listen in", self._folder.path, error) from None
        self._log.found()
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            # A shell starts what it puts in the background with SIGINT ignored; only nohup is meant.
            if number != signal.SIGHUP or before[number] is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        code = 1
        try:
            code = self._run(requests)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            requests.ended()
            # What a topology in the background said before it failed is nowhere else. Who waits for the end may take
            # the name as soon as they hear of it.
            self._leave(code)
            server.close()
        return code

    def _leave(self, code: int) -> None:
        if not self._ready:
            self._folder.give_back()
        elif self._log.is_all_there_is and code == 1:
            note(self._folder, "a device failed for good")
            self._folder.remove(keep=(*LOGS, "ended"))
        else:
            note_end(self._folder, "a device failed for good" if code == 1 else
                     "stopped before everything was passed on" if self._cut_short else "cleanly")
            self._folder.remove()

    def _run(self, requests: Requests) -> int:
        start = time.monotonic()
        self._supervisor.wake_on_signals()
        self._web.start()
        self._supervisor.start()
        devices = self._supervisor.devices.values()
        if not self._signals and not self._supervisor.is_stopping:
            self._ready = True
            self._reporter.ready(devices, time.monotonic() - start)
            self._log.started()
            self._notifier.ready(f"{self._topology.name}: {count(len(devices), 'device')}")
        well = self._supervisor.run()
        ended = final_status(self._supervisor)
        self._cut_short = any(device.get("forced") or device.get("unsent") for device in ended)
        for device in ended:
            self._log.say(stop_summary(device), device=device["name"], state=device["state"])
        if self._signals > 1:
            return 130
        return 0 if well else 1

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not (self._had_terminal and not _has_terminal()):
            self._hung_up = True
            return
        self._signals += 1
        # Nothing is said here: the signal may have interrupted who is saying something.
        self._supervisor.request_stop(force=self._signals > 1)

    def _about(self) -> dict[str, Any]:
        """What is told of the topology beside its devices."""
        return {
            "topology": self._topology.name, "file": self._source, "pid": self._folder.pid,
            "release": zmqtopo.__version__, "pyzmq": zmq.__version__, "libzmq": zmq.zmq_version(),
            "started": self._began, "reload": self._reloading.last, "http": self._web.status,
        }

    def _keep_folder(self) -> None:
        """Make the state folder again when somebody has removed it, as systemd does at the last logout of a user."""
        try:
            if not self._folder.restore(self._source):
                return
            self._server.listen_again(self._folder.socket_path())
        except (ControlError, OSError) as error:
            text = str(error)
            if text != self._about_folder:      # what cannot be helped is said once
                self._log.say(text, event="state-folder")
            self._about_folder = text
        else:
            self._log.bring()
            self._log.say(f"its state folder was removed, and is {self._folder.path} now", event="state-folder")
            self._about_folder = ""

    def _check_open_files(self) -> None:
        """Say of which workers the open files are used up, once each time."""
        found = {pid: said for pid in self._supervisor.worker_pids if (said := shortage(pid))}
        for pid in found.keys() - self._short_of_files:
            devices = [device.name for device in self._supervisor.status if device.pid == pid]
            for device in devices[:8]:
                self._log.say(found[pid], event="open-files", device=device)
        self._short_of_files = {*found}

    # -- reloading ------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        self._hung_up = False
        if self._source == "-":
            self._log.say("not reloaded; it came from standard input", event="not-reloaded")
        else:
            self._reloading.request(ReloadRequest(self._source))

    def _look(self) -> None:
        if self._watch is not None and self._watch.look():
            self._reload()

    def _on_reload(self, request: Request, respond: Respond) -> None:
        """In the thread of the control socket."""
        file = request["file"] or self._source
        if file == "-":
            name = self._topology.name
            respond(refusal("refused", f"{name} came from standard input; name a file: zmqtopo reload {name} FILE"))
        else:
            self._reloading.request(ReloadRequest(file, request["dry_run"], respond, request["by"]))

    def _follow(self, wanted: Topology) -> None:
        """Look at the files of what runs and of what is to run: a secret that is missing there may come yet."""
        self._requests.note_change()
        if self._watch is not None:
            self._watch.follow(self._watched(self._supervisor.topology, wanted))

    def _watched(self, *topologies: Topology) -> list[str]:
        return list(dict.fromkeys((self._source, *(path for each in topologies for path in option_files(each)))))

    # -- what it says ---------------------------------------------------------------------------------------------

    def _tell(self, change: StateChange) -> None:
        self._requests.note_change()
        if self._reporter.changed(change, all_stop=self._supervisor.is_stopping, by=self._supervisor.stop_asked_by):
            self._notifier.stopping(f"{self._topology.name}: stopping")


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal: one that is closed takes itself away before SIGHUP comes."""
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
