"""How a running topology gets to another one: read in a thread, since that may take long, and then handed over."""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from zmqtopo.checks import Checked, with_machine
from zmqtopo.checks.running_topology import Present
from zmqtopo.config.model import Topology
from zmqtopo.config.wording import count
from zmqtopo.control.protocol import refusal
from zmqtopo.service.log import LogOutputs
from zmqtopo.service.notify import Notifier
from zmqtopo.service.requests import plain_report
from zmqtopo.service.status_text import rolled_back
from zmqtopo.service.watch import ChangingFileError, examine_to_run, renamed
from zmqtopo.service.web import HttpError, Web, with_address
from zmqtopo.supervisor.losses import StopReport
from zmqtopo.supervisor.reload import Reload, ReloadError
from zmqtopo.supervisor.reload.plan import Plan, plan, those
from zmqtopo.supervisor.supervisor import Supervisor

Shutdown = Mapping[str, StopReport | None]


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """A file is to become what runs; without ``answer`` it is only said what becomes of it."""

    file: str
    dry_run: bool = False
    respond: Callable[[dict[str, Any]], None] | None = None
    by: str = ""
    """Who asks, in words; empty where nobody does, or nobody knows."""


class Reloading:
    """Carries out requests, one after the other; but for `request`, all of it is done in the supervisor's thread."""

    def __init__(
        self, supervisor: Supervisor, log: LogOutputs, notifier: Notifier, web: Web,
        follow: Callable[[Topology], object], http: str | None = None, name: str | None = None,
    ) -> None:
        """``follow`` is called with a topology that somebody wants to run, and again when it does.

        ``http`` is where to serve HTTP, and ``name`` what the topology is called, whatever a file says.
        """
        self._web = web
        self._http = http
        self._name = name
        self.on_end: Callable[[], None] = lambda: None
        """Called when one ends."""
        self.last: dict[str, Any] | None = None
        """Whether the last one was ``successful``, and the Unix time ``at`` which it ended; None before the first."""
        self._supervisor = supervisor
        self._log = log
        self._notifier = notifier
        self._follow = follow
        self._waiting: deque[ReloadRequest] = deque()
        self._busy = False
        """One request is carried out at a time: what the machine is asked about depends on what runs."""

    def request(self, request: ReloadRequest) -> None:
        """Take a request, in any thread."""
        self._supervisor.call(lambda: self._take(request))

    def _take(self, request: ReloadRequest) -> None:
        # A file that is about to be read anyway need not be read once more for nobody.
        if request.respond is not None or request not in self._waiting:
            self._waiting.append(request)
        self._next()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        request = self._waiting.popleft()
        self._busy = True
        try:
            threading.Thread(target=self._read, args=(request,), name="zmqtopo reload", daemon=True).start()
        except RuntimeError as error:
            self._go_on(request, f"cannot read {request.file}: {error}", None)

    def _read(self, request: ReloadRequest) -> None:
        """In a thread of its own."""
        found: Checked | str = "internal error"     # the thread's traceback says more
        made = None
        try:
            # A pipe would be waited for, and every other request with it.
            found = examine_to_run(request.file, streams=False)
            if self._name is not None:
                found = renamed(found, self._name)
            if found.topology is not None and not found.has_errors:
                wanted = with_address(found.topology, self._http)
                found = replace(found, topology=wanted)
                made = plan(self._supervisor.topology, wanted)
                found = with_machine(found, self._present(made))
        except (ChangingFileError, HttpError) as error:
            found = str(error)
        finally:
            self._supervisor.call(lambda: self._go_on(request, found, made))

    def _present(self, made: Plan) -> Present:
        """What is there beside the new sockets of a plan."""
        devices = self._supervisor.devices
        stopped = {name for name, device in devices.items() if device.desired_state == "stop"}
        bound = [address for device in devices.values() if not device.over and device.state != "backoff"
                 for addresses in device.endpoints.values() for address in addresses]
        bound += self._web.addresses
        return Present(made.old, frozenset(those(made.devices, "added", "replaced")) - stopped, bound)

    def _go_on(self, request: ReloadRequest, found: Checked | str, made: Plan | None) -> None:
        """``made`` is None for what is not a good file."""
        if isinstance(found, str):
            self._refuse(request, [found], "", made)
        elif found.has_errors or found.topology is None:
            self._refuse(request, _lines(found), _report(found), made)
        else:
            report, began = _report(found), time.monotonic()
            try:
                settle = self._prepare(found.topology, request)
            except HttpError as error:
                self._refuse(request, [str(error)], report, made)
                return
            if not request.dry_run:
                self._follow(found.topology)
            reload = Reload(found.topology, request.dry_run, lambda made: self._begin(request, made))
            reload.reply.add_done_callback(lambda done: settle(done.exception() is None))
            reload.reply.add_done_callback(lambda done: self._end(request, done, reload.stops, report, began))
            self._supervisor.ask(reload)

    def _prepare(self, topology: Topology, request: ReloadRequest) -> Callable[[bool], None]:
        """See that HTTP can be served as wanted. Raises HttpError."""
        return self._web.prepare(topology) if not request.dry_run else lambda runs: None

    def _refuse(self, request: ReloadRequest, errors: list[str], report: str, made: Plan | None) -> None:
        """A bad file, or one that this machine cannot run: what it would take is ``made`` then."""
        if not request.dry_run:
            self._note_end(successful=False)
            for error in errors:
                self._log.say(error, event="error")
            where = "" if made is None else " on this machine now"
            self._log.say(f"not reloaded; {request.file} cannot run{where}, and nothing is changed",
                            event="not-reloaded")
        if request.respond is not None:
            told = {"plan": made.plain(), "text": str(made)} if made is not None and request.dry_run else {}
            request.respond({**refusal("bad-file" if made is None else "refused", *errors), "report": report, **told})
        self._done()

    def _done(self) -> None:
        self._busy = False
        self._next()

    def _begin(self, request: ReloadRequest, made: Plan) -> None:
        if request.dry_run:
            return
        self._notifier.reloading(f"{self._supervisor.topology.name}: reloading")
        by = f" by a command of {request.by}" if request.by else ""
        self._log.say(f"reloading {request.file}{by}", event="reloading")
        for line in made.lines():
            if not line.startswith("="):
                self._log.say(line, event="plan")

    def _end(self, request: ReloadRequest, done: Future[Plan], stops: Shutdown, report: str, began: float) -> None:
        error = done.exception()
        made = error.plan if isinstance(error, ReloadError) else None if error is not None else done.result()
        if not request.dry_run:
            self._say_the_end(made, error, time.monotonic() - began)
        if request.respond is not None:
            self._answer(request.respond, request, made, error, {"report": report, **_told(made, stops)})
        self._done()

    def _answer(
        self, respond: Callable[[dict[str, Any]], None], request: ReloadRequest, made: Plan | None,
        error: BaseException | None, told: dict[str, Any],
    ) -> None:
        if error is None:
            result = "unchanged" if not made else "planned" if request.dry_run else "done"
            note = self._note(made, dry_run=request.dry_run)
            respond({"ok": True, "result": result, **told} | ({"note": note} if note else {}))
        else:
            if isinstance(error, ReloadError):
                told["restarted"] = list(error.restarted)
            reason = "rolled-back" if made is not None else "refused"
            respond({**refusal(reason, *getattr(error, "failures", [str(error)])), **told})

    def _note(self, made: Plan | None, *, dry_run: bool) -> str:
        """That nothing runs after a reload, which is not its end."""
        devices = self._supervisor.devices.values()
        runs = bool(made and made.new.devices) if dry_run else not all(device.over for device in devices)
        if runs or self._supervisor.is_stopping:
            return ""
        name = self._supervisor.topology.name
        return f"nothing {'would run' if dry_run else 'runs'} now; end it with: zmqtopo down {name}, or reload it again"

    def _note_end(self, *, successful: bool) -> None:
        self.last = {"successful": successful, "at": time.time()}
        self.on_end()

    def _say_the_end(self, made: Plan | None, error: BaseException | None, took: float) -> None:
        self._note_end(successful=error is None)
        if error is None and made is not None:
            self._follow(self._supervisor.topology)
            self._log.say(f"reloaded in {took:.2f} s: {_sum(made)}" if made else "reloaded; nothing has changed",
                            event="reloaded")
            if note := self._note(made, dry_run=False):
                self._log.say(note, event="idle")
        else:
            for failure in getattr(error, "failures", [str(error)]):
                self._log.say(failure, event="error")
            what = rolled_back(error.restarted) if isinstance(error, ReloadError) else "nothing is changed"
            self._log.say(f"not reloaded; {what}", event="not-reloaded")
        if not self._supervisor.is_stopping:
            self._notifier.ready(f"{self._supervisor.topology.name}: {count(len(self._supervisor.devices), 'device')}")


def _told(made: Plan | None, stops: Shutdown) -> dict[str, Any]:
    """A plan, and what the stops have done with the messages of the devices that it has stopped."""
    if made is None:
        return {}
    told = made.plain()
    for device in told["devices"]:
        if device["name"] in stops:
            device["stop"] = plain_report(stops[device["name"]])
    lines = [f"{name}: its stop: {words}" for name, report in stops.items() if (words := str(report or ""))]
    return {"plan": told, "text": "\n".join([*made.lines(), *lines])}


def _sum(made: Plan) -> str:
    actions = [device.action for device in made.devices.values()]
    numbers = {
        "added": actions.count("added"), "removed": actions.count("removed"),
        "changed": actions.count("changed") + actions.count("replaced"), "unchanged": actions.count("unchanged"),
    }
    return ", ".join(f"{number} {action}" for action, number in numbers.items() if number)


def _lines(checked: Checked) -> list[str]:
    from zmqtopo.report import text

    written = io.StringIO()
    text.concise([problem for problem in checked.problems if problem.severity == "error"], written)
    return written.getvalue().splitlines()


def _report(checked: Checked) -> str:
    """What `zmqtopo.report.stderr.errors_and_warnings` writes; empty where there is nothing to report."""
    from zmqtopo.report import text

    problems = [problem for problem in checked.problems if problem.severity != "info"]
    written = io.StringIO()
    if problems:
        text.full(problems, {checked.file: checked.lines}, written)
    return written.getvalue()
