"""The ZeroMQ Device Configuration File: a tree, in whatever syntax, to devices.

ZeroMQ RFC 17 has applications with devices with sockets. RFC 5, its first edition, has neither version nor
applications: the file is one, its devices stand at the top, and their sockets directly in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Final

from zmqtopo.config.wording import quote
from zmqtopo.convert.legacy.model import OPTIONS, Old, OldApp, OldDevice, OldSocket
from zmqtopo.convert.tree import ConvertError, Item, no_twins

_NEWEST: Final = 1
"""The integer part of the newest version of the format; there never was a 2."""


def read(root: Item) -> Old:
    """Return what the tree says; raises ConvertError."""
    root.no_value("the file")
    version, apps = root.one("version"), root.one("apps")
    if version is None and apps is None:
        return Old([_first_edition(root)] if root.items else [])
    if version is not None:
        _check_version(version)
    root.only(("version", "apps"), "the file")
    if apps is None:
        return Old([])
    apps.no_value("'apps'")
    if any(item.name == "context" or item.all("sockets") for item in apps.items):
        # The example in XML of RFC 17 leaves out two levels: the application's name, and 'devices'.
        return Old([_app("", apps.line, apps.one("context"), _but_context(apps))])
    no_twins(apps.items, "the application")
    return Old([_named_app(item) for item in apps.items])


def _check_version(version: Item) -> None:
    try:
        number = float(version.value())
    except ValueError:
        number = float("nan")
    if not (isfinite(number) and number >= 0):
        raise ConvertError(f"the version is a number such as 1.0, not {quote(version.value())}", version.line)
    if int(number) > _NEWEST:
        raise ConvertError(f"version {version.value()} of the format is newer than {_NEWEST}.x, the newest that is "
                           "known here", version.line)


def _first_edition(root: Item) -> OldApp:
    context = root.one("context")
    devices = _but_context(root)
    no_twins(devices, "the device")
    return OldApp("", root.line, [_device(item, [i for i in item.items if i.name != "type"]) for item in devices],
                  *_context(context))


def _named_app(item: Item) -> OldApp:
    item.only(("context", "devices"), f"the application {quote(item.name)}")
    devices = item.one("devices")
    if devices is not None:
        devices.no_value("'devices'")
    return _app(item.name, item.line, item.one("context"), devices.items if devices else ())


def _app(name: str, line: int, context: Item | None, devices: Iterable[Item]) -> OldApp:
    no_twins(devices, "the device")
    read = []
    for item in devices:
        item.only(("type", "sockets"), f"the device {quote(item.name)}")
        sockets = item.one("sockets")
        if sockets is not None:
            sockets.no_value("'sockets'")
        read.append(_device(item, sockets.items if sockets else ()))
    return OldApp(name, line, read, *_context(context))


def _but_context(item: Item) -> list[Item]:
    return [each for each in item.items if each.name != "context"]


def _context(context: Item | None) -> tuple[Item | None, Item | None]:
    if context is None:
        return None, None
    context.only(("iothreads", "verbose"), "the context")
    return context.one("iothreads"), context.one("verbose")


def _device(item: Item, sockets: Iterable[Item]) -> OldDevice:
    item.no_value(f"the device {quote(item.name)}")
    no_twins(sockets, "the socket")
    return OldDevice(item.name, item.line, item.one("type"), [_socket(socket) for socket in sockets])


def _socket(item: Item) -> OldSocket:
    item.only(("type", "bind", "connect", "option"), f"the socket {quote(item.name)}")
    options = [option for group in item.all("option") for option in group.items]
    for group in item.all("option"):
        group.only(OPTIONS, "the list of options")
    return OldSocket(item.name, item.line, item.one("type"), item.all("bind"), item.all("connect"), options)
