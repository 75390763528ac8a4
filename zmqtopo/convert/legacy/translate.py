"""Old files to topology files: applications become processes, and what cannot be said becomes a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from zmqtopo.config.names import to_name
from zmqtopo.config.wording import quote
from zmqtopo.convert.legacy.device import kind_of, socket_type, write_addresses, write_device
from zmqtopo.convert.legacy.model import Old, OldApp, OldDevice, OldSocket
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Page, scalar


def translate(old: Old) -> Page:
    """Return the topology file that says the same; raises ConvertError where none can."""
    page = Page()
    page.write(0, "version: 1", 1)
    _write_context(page, old)
    named = list(_named(old))
    run = [(app, device, name) for app, device, name in named if kind_of(device) is not None]
    without = [socket for _, device, _ in run for socket in device.sockets
               if all(option.name != "hwm" for option in socket.options)]
    if without:
        page.note(0, "where no hwm is set, libzmq 2 kept any number of messages, and libzmq 3 and later keep 1000 for "
                  "each peer; hwm: 0 is no limit", without[0].line)
    page.write(0, "devices:" if run else "devices: {}", 1)
    for app, device, name in run:
        write_device(page, app, device, name, subscribes=old.subscribes)
    write_peers(page, [(device, name) for _, device, name in named if kind_of(device) is None])
    return page


def _write_context(page: Page, old: Old) -> None:
    """Write what each application says for itself and a topology only once."""
    written = [app.io_threads for app in old.apps if app.io_threads is not None]
    for item in written:
        if not 1 <= item.integer() <= 1024:
            raise ConvertError(f"iothreads is a number from 1 to 1024, not {item.value()}", item.line)
    most = max(written, key=Item.integer, default=None)
    if most is not None and most.integer() > 1:
        if any(app.io_threads is None or app.io_threads.integer() != most.integer() for app in old.apps):
            page.note(0, "iothreads is not the same for all applications, and io_threads is: this is the most",
                      most.line)
        page.write(0, f"context: {{io_threads: {most.integer()}}}", most.line)
    for app in old.apps:
        if app.verbose is not None and app.verbose.truth():
            page.note(0, "verbose is left out: nothing traces messages, but the mon of a monitored_queue shows them",
                      app.verbose.line)


def _named(old: Old) -> Iterator[tuple[OldApp, OldDevice, str]]:
    """Every device with a name that no other has, that of its application in front where two share one."""
    shared = Counter(_name(device.name) for app in old.apps for device in app.devices)
    taken: set[str] = set()
    for app in old.apps:
        for device in app.devices:
            name = _name(device.name)
            if shared[name] > 1 and app.name:
                name = _name(f"{app.name}-{name}")
            free, number = name, 1
            while free in taken:
                number += 1
                free = f"{name}-{number}"
            taken.add(free)
            yield app, device, free


def _name(text: str) -> str:
    """``text`` as the name of a device, a key: one that begins with x- would be passed over."""
    name = to_name(text)
    return f"x_{name[2:]}" if name.startswith("x-") else name


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
