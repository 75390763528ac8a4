"""The devices that an application has written itself: programs that zmqtopo does not run, and so peers."""

from __future__ import annotations

from collections.abc import Sequence

from zmqtopo.config.names import to_name
from zmqtopo.config.wording import quote
from zmqtopo.convert.legacy.device import socket_type, write_addresses
from zmqtopo.convert.legacy.model import OldDevice, OldSocket
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Page, scalar


def write_peers(page: Page, devices: Sequence[tuple[OldDevice, str]]) -> None:
    """Write a peer for each socket of ``devices``, which have names of their own; raises ConvertError."""
    inner = Page()
    taken: set[str] = set()
    for device, name in devices:
        inner.note(1, _about(device), device.line)
        for socket in device.sockets:
            peer = name if len(device.sockets) == 1 else f"{name}-{to_name(socket.name)}"
            if peer in taken:
                raise ConvertError(f"two sockets would be the peer {quote(peer)}", socket.line, "rename one of them")
            taken.add(peer)
            _write_peer(inner, peer, device, socket)
    page.block(0, "peers:", inner, devices[0][0].line if devices else 1)


def _about(device: OldDevice) -> str:
    what = f"has the type {quote(device.type.value())} of its own" if device.type else "has no type"
    if not device.sockets:
        return f"the device {quote(device.name)} is left out: it {what} and no sockets"
    return f"the device {quote(device.name)} {what}: zmqtopo does not run it, and checks and draws its sockets as peers"


def _write_peer(page: Page, peer: str, device: OldDevice, socket: OldSocket) -> None:
    of = f"the socket {quote(socket.name)} of {quote(device.name)}"
    if socket.type is None:
        raise ConvertError(f"{of} has no type, and only a built-in device has a default", socket.line)
    for item in (*socket.bind, *socket.connect):
        if _is_inproc(item):
            page.note(1, f"{quote(item.value())[1:-1]} of {of} is left out: a peer is another process, which inproc "
                      "does not reach", item.line)
    bind, connect = ([item for item in items if not _is_inproc(item)] for items in (socket.bind, socket.connect))
    if not (bind or connect):
        page.note(1, f"{of} is left out: it has no address", socket.line)
        return
    if socket.options:
        names = ", ".join(dict.fromkeys(option.name for option in socket.options))
        page.note(1, f"the options of {of} are left out ({names}): they are the program's own matter",
                  socket.options[0].line)
    kind = socket_type(page, 1, socket.type)
    page.write(1, f"{scalar(peer)}:", socket.line)
    page.write(2, f"type: {kind}", socket.type.line)
    write_addresses(page, 2, bind, connect)


def _is_inproc(item: Item) -> bool:
    return item.value().startswith("inproc://")
