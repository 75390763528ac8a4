"""The XML of libzmq 2's own programs: zmq_queue, zmq_forwarder, zmq_streamer, and zmq_deviced with many devices.

The facts are those of devices/*/*.cpp in libzmq 2.0 and 2.1 and of the manual of zmq_deviced, which was designed and
never finished.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from zmqtopo.convert.legacy.model import OPTIONS, Old, OldApp, OldDevice, OldSocket
from zmqtopo.convert.tree import ConvertError, Item

PROGRAMS: Final = ("queue", "forwarder", "streamer")
"""The root elements of zmq_queue, zmq_forwarder and zmq_streamer."""

_ADDRESS: Final = ("addr", "address", "endpoint")


def read_one(root: Item) -> Old:
    """Return the device that a root element of PROGRAMS is; raises ConvertError."""
    root.only(("in", "out"), f"<{root.name}>")
    sockets = [_socket(item, ("bind", "connect")) for item in _both(root, "in", "out")]
    device = OldDevice(root.name, root.line, Item("type", root.line, root.name), sockets)
    return Old([OldApp("", root.line, [device])], subscribes=True)


def read_many(root: Item) -> Old:
    """Return the devices of <config>, which have no names and get that of their type; raises ConvertError."""
    root.only(("iothreads", "device"), "<config>")
    devices: list[OldDevice] = []
    named: Counter[str] = Counter()
    for item in root.all("device"):
        item.only(("type", "frontend", "backend"), "<device>")
        kind = item.one("type")
        if kind is None:
            raise ConvertError("<device> has no type", item.line, 'write type="queue", "forwarder" or "streamer"')
        name = kind.value()
        named[name] += 1
        sockets = [_socket(each, ("type", "set", "bind", "connect")) for each in _both(item, "frontend", "backend")]
        devices.append(OldDevice(name if named[name] == 1 else f"{name}-{named[name]}", item.line, kind, sockets))
    return Old([OldApp("", root.line, devices, root.one("iothreads"))])


def _both(item: Item, *names: str) -> list[Item]:
    found = []
    for name in names:
        socket = item.one(name)
        if socket is None:
            raise ConvertError(f"<{item.name}> has no <{name}>", item.line)
        found.append(socket)
    return found


def _socket(item: Item, known: tuple[str, ...]) -> OldSocket:
    item.only(known, f"<{item.name}>")
    return OldSocket(
        item.name, item.line, item.one("type"), [_address(each) for each in item.all("bind")],
        [_address(each) for each in item.all("connect")], [_option(each) for each in item.all("set")],
    )


def _address(item: Item) -> Item:
    item.only(_ADDRESS, f"<{item.name}>")
    if not item.items:
        raise ConvertError(f"<{item.name}> has no address", item.line, f'write <{item.name} addr="tcp://*:5555"/>')
    return Item(item.name, item.line, item.items[0].value())


def _option(item: Item) -> Item:
    item.only(("name", "value"), "<set>")
    name, value = item.one("name"), item.one("value")
    if name is None or value is None:
        raise ConvertError("<set> needs a name and a value", item.line, 'write <set name="hwm" value="1000"/>')
    option = Item(name.value(), item.line, value.value())
    Item("", item.line, None, (option,)).only(OPTIONS, "the list of options")
    return option
