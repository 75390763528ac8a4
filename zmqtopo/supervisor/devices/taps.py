"""Who looks on at which devices: a device is open to them as long as there is one, whatever becomes of it meanwhile."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from zmqtopo.supervisor.commands import UnknownDeviceError, unknown
from zmqtopo.supervisor.device_state import DeviceState
from zmqtopo.supervisor.requests import Request
from zmqtopo.worker.protocol import CloseTap, OpenTap, Order, TapOpened

Overflow = Literal["drop", "block"]


@dataclass(frozen=True, slots=True, eq=False)
class TapRequest(Request):
    """Let somebody look on at devices (none named: at all) in files of ``folder``, until `EndTaps`.

    ``reply`` gives what the control socket answers; its exception is a `CommandError`. It does not wait for the
    workers: asked again, it says where a device could not be opened.
    """

    holder: int
    overflow: Overflow
    folder: str
    devices: tuple[str, ...] = ()
    reply: Future[list[dict[str, Any]]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class EndTaps(Request):
    """Somebody does not look on any more."""

    holder: int


@dataclass
class _Tap:
    """Where a device can be looked at, and by whom it is."""

    name: str
    overflow: Overflow
    folder: str
    file: str
    holders: set[int] = field(default_factory=set)
    error: str = ""

    @property
    def order(self) -> OpenTap:
        return OpenTap(self.name, self.overflow, self.folder, self.file)


class Taps:
    """The taps of a topology. Its devices come and go; those who look on at a name stay."""

    def __init__(self) -> None:
        self._taps: dict[tuple[str, Overflow], _Tap] = {}
        self._numbers = itertools.count(1)

    def take(self, request: TapRequest, devices: Mapping[str, DeviceState]) -> Iterator[Order]:
        """Answer a request; orders for the workers."""
        missing = next((name for name in request.devices if name not in devices), None)
        if missing is not None:
            request.reply.set_exception(UnknownDeviceError([unknown(missing, devices)]))
            return
        told = []
        for device in devices.values():
            if request.devices and device.name not in request.devices:
                continue
            tap, is_new = self._tap(device.name, request)
            tap.holders.add(request.holder)
            if is_new and device.works:
                yield tap.order
            told.append({"device": device.name, "folder": tap.folder, "file": tap.file, "state": device.state,
                         "error": tap.error or None})
        request.reply.set_result(told)

    def _tap(self, name: str, request: TapRequest) -> tuple[_Tap, bool]:
        """The tap of a device, and whether it has to be opened: a state folder may have been removed and made again."""
        tap = self._taps.get((name, request.overflow))
        if tap is None:
            tap = _Tap(name, request.overflow, request.folder, self._file())
            self._taps[name, request.overflow] = tap
            return tap, True
        if tap.folder == request.folder and not tap.error and os.path.lexists(f"{tap.folder}/{tap.file}"):
            return tap, False
        if tap.folder != request.folder:
            tap.folder, tap.file = request.folder, self._file()
        return tap, True

    def _file(self) -> str:
        return f"tap-{next(self._numbers)}"

    def open(self, device: DeviceState) -> list[Order]:
        """Orders that open a device that has just started."""
        return [tap.order for tap in self._taps.values() if tap.name == device.name]

    def note(self, event: TapOpened) -> None:
        """A worker says whether a device is open."""
        tap = self._taps.get((event.name, event.overflow))
        if tap is not None:
            tap.error = event.error

    def end(self, holder: int) -> Iterable[Order]:
        """Orders that close what nobody looks at any more."""
        for key, tap in list(self._taps.items()):
            tap.holders.discard(holder)
            if not tap.holders:
                del self._taps[key]
                yield CloseTap(tap.name, tap.overflow)


