"""What a running topology answers to the requests of the control socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

from zmqtopo.config.wording import closest, quote
from zmqtopo.control.folder import Folder
from zmqtopo.control.protocol import Request, refusal
from zmqtopo.control.server import Respond
from zmqtopo.supervisor.commands import VERBS, Command, CommandError, Look, UnknownDeviceError
from zmqtopo.supervisor.devices.peers import PeersRequest, UnknownPeerError
from zmqtopo.supervisor.devices.taps import EndTaps, TapRequest
from zmqtopo.supervisor.losses import StopReport
from zmqtopo.supervisor.status import DeviceStatus
from zmqtopo.supervisor.supervisor import Supervisor


class Requests:
    """Hands requests on to a supervisor, and its replies back."""

    def __init__(self, supervisor: Supervisor, reload: Callable[[Request, Respond], None],
                 about: Callable[[], dict[str, Any]] = dict, folder: Folder | None = None) -> None:
        """``reload`` sees that a request for one is answered; ``about`` is what ``ps`` says beside the devices.

        ``folder`` is where others look on.
        """
        self._about = about
        self.change = 0
        """A number that is another one after a device, or what runs, has changed."""
        self._supervisor = supervisor
        self._reload = reload
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting: list[Respond] = []
        """For those who want to know when everything has ended."""
        self._last: dict[str, Any] | None = None

    def note_change(self) -> None:
        """A device, or what runs, has changed."""
        self.change += 1

    def handle(self, request: Request, respond: Respond) -> None:
        """See that a request is answered, now or later."""
        verb = request["verb"]
        if verb == "ps":
            look = Look()
            look.reply.add_done_callback(lambda done: respond(self._told(done.result())))
            self._supervisor.ask(look)
        elif verb == "counters":
            respond(self._counters())
        elif verb in VERBS:
            command = Command(verb, request["devices"], request["within"], request["by"])
            command.reply.add_done_callback(lambda done: respond(self._outcome(verb, done)))
            self._supervisor.ask(command)
        elif verb == "tap" and self._folder is not None:
            tap = TapRequest(request["client"], request["overflow"], str(self._folder.path), request["devices"])
            tap.reply.add_done_callback(lambda done: respond(_tapped(done)))
            self._supervisor.tap(tap)
        elif verb == "topology":
            # Not in the thread of the control socket: a large one takes a second to write.
            threading.Thread(target=self._describe, args=(respond,), name="zmqtopo topology", daemon=True).start()
        elif verb in ("peers", "drop"):
            self._ask_peers(request, respond)
        elif verb == "reload":
            self._reload(request, respond)
        elif verb == "down":
            with self._lock:
                if self._last is None:
                    self._waiting.append(respond)
                else:
                    respond(self._last)
            self._supervisor.request_stop(force=request["force"], within=request["within"], by=request["by"])
        else:
            known = ("ps", "counters", *VERBS, "reload", "down", "tap", "topology", "peers", "drop")
            near = closest(verb, known)
            hint = f"; did you mean {near}?" if near else ""
            respond(refusal("bad-request", f"there is no verb {quote(verb)}{hint}"))

    def _ask_peers(self, request: Request, respond: Respond) -> None:
        asked = PeersRequest(request["devices"], request["peer"] if request["verb"] == "drop" else None)
        if request["verb"] == "drop" and asked.drop is None:
            respond(refusal("bad-request", '"drop" needs the id of a "peer", which "peers" tells'))
            return
        asked.reply.add_done_callback(lambda done: respond(_peers(done)))
        self._supervisor.ask_peers(asked)

    def _told(self, devices: list[DeviceStatus]) -> dict[str, Any]:
        told = [device.as_dict() for device in devices]
        return {"ok": True, "change": self._mark(), **self._about(), "devices": told}

    def _counters(self) -> dict[str, Any]:
        """What the devices have done, in the order of ``ps``: in the thread of the control socket, whoever is busy."""
        mark = self._mark()
        found = [device.block.figures() for device in list(self._supervisor.devices.values())]
        return {"ok": True, "change": mark if mark == self._mark() else "", "counters": found}

    def _mark(self) -> str:
        """A word that is another one after anything but the counters has changed."""
        peers = hash(tuple(device.block.mark_of_peers() for device in list(self._supervisor.devices.values())))
        return f"{self.change}.{peers:x}"

    def _describe(self, respond: Respond) -> None:
        from zmqtopo.config.dump import dump_json

        respond({"ok": True, "topology": dump_json(self._supervisor.topology)})

    def _outcome(self, verb: str, done: Future[dict[str, str]]) -> dict[str, Any]:
        error = done.exception()
        if not isinstance(error, CommandError):
            return {"ok": True, "devices": self._states(verb, done.result())}
        reason = "unknown-device" if isinstance(error, UnknownDeviceError) else "refused"
        return {**refusal(reason, *error.failures), "devices": self._states(verb, error.states)}

    def _states(self, verb: str, states: dict[str, str]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = [{"name": name, "state": state} for name, state in states.items()]
        if verb in ("stop", "restart"):
            devices = self._supervisor.devices
            for one in told:
                device = devices.get(one["name"])
                one["stop"] = plain_report(device.last_stop if device is not None else None)
        return told

    def parted(self, client: int) -> None:
        """A client that had something as long as it was connected is gone."""
        self._supervisor.tap(EndTaps(client))

    def ended(self) -> None:
        """Everything has ended: tell those who wanted to know."""
        with self._lock:
            self._last = {"ok": True, "devices": final_status(self._supervisor)}
            for respond in self._waiting:
                respond(self._last)


def final_status(supervisor: Supervisor) -> list[dict[str, Any]]:
    """What is said of each device in the end: its status, and what its stop has lost."""
    return [
        {**device.as_dict(), "forced": device.forced, "unsent": device.unsent, "stop": plain_report(device.last_stop)}
        for device in supervisor.status
    ]


def _tapped(done: Future[list[dict[str, Any]]]) -> dict[str, Any]:
    error = done.exception()
    if isinstance(error, CommandError):
        return refusal("unknown-device" if isinstance(error, UnknownDeviceError) else "refused", *error.failures)
    return {"ok": True, "taps": done.result()}


def _peers(done: Future[dict[str, Any]]) -> dict[str, Any]:
    error = done.exception()
    if not isinstance(error, CommandError):
        return {"ok": True, **done.result()}
    reason = {UnknownDeviceError: "unknown-device", UnknownPeerError: "unknown-peer"}.get(type(error), "refused")
    return refusal(reason, *error.failures)


def plain_report(report: StopReport | None) -> dict[str, int] | None:
    """A report of a stop as JSON has it."""
    return asdict(report) if report is not None else None
