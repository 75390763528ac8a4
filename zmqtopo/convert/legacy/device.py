"""One old device to one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.model import DEFAULT_TYPES, DeviceType
from zmqtopo.config.names import to_name
from zmqtopo.config.wording import closest, listing, quote
from zmqtopo.convert.legacy.model import OldApp, OldDevice, OldSocket
from zmqtopo.convert.legacy.options import write_options
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Page, one_or_list, scalar

_TYPES: Final[dict[DeviceType, tuple[str, str]]] = {**DEFAULT_TYPES, "forwarder": ("SUB", "PUB")}
"""What a device had for sockets that name no type: our forwarder has XSUB and XPUB, to pass subscriptions on."""

_BUILT_IN: Final[Sequence[DeviceType]] = ("queue", "forwarder", "streamer")
_SOCKETS: Final = ("PUB", "SUB", "REQ", "REP", "ROUTER", "DEALER", "PUSH", "PULL", "PAIR", "XPUB", "XSUB")
_RENAMED: Final = {"XREP": "ROUTER", "XREQ": "DEALER"}
# One side of a queue each: the new one serves the same peers, and more than one request at a time.
_BETTER: Final = {("in", "REP"): "ROUTER", ("out", "REQ"): "DEALER"}
_ROLES: Final = {"in": "in", "frontend": "in", "out": "out", "backend": "out"}


def kind_of(device: OldDevice) -> DeviceType | None:
    """The type of a device that is built in; None for one of the application's own. Raises ConvertError."""
    if device.type is None:
        return None
    text = device.type.value().lower()
    for kind in _BUILT_IN:
        if text.removeprefix("zmq_") == kind:
            return kind
    if text.startswith("z"):
        known = [f"zmq_{each}" for each in _BUILT_IN]
        near = closest(text, known)
        raise ConvertError(f"there is no built-in device {quote(device.type.value())}", device.type.line,
                           f"did you mean {quote(near)}?" if near else f"known are {listing(known, 'and')}; the type "
                           "of an application's own device does not begin with z")
    return None


def write_device(page: Page, app: OldApp, device: OldDevice, name: str, *, subscribes: bool) -> None:
    """Write a device that is built in; raises ConvertError. For ``subscribes`` see `write_options`."""
    kind = kind_of(device)
    assert kind is not None  # the caller has looked
    if name != device.name:
        page.note(1, f"the device {quote(device.name)} is called {name} here", device.line)
    page.write(1, f"{scalar(name)}:", device.line)
    page.write(2, f"type: {kind}", device.type.line if device.type else device.line)
    if app.name:
        if to_name(app.name) != app.name:
            page.note(2, f"the application {quote(app.name)} is called {to_name(app.name)} here", app.line)
        page.write(2, f"run: {scalar('process/' + to_name(app.name))}", app.line)
    sockets = _sockets(device, kind)
    bodies = {role: Page() for role in sockets}
    types = {role: _type(bodies[role], socket, kind, role) for role, socket in sockets.items()}
    for role, socket in sockets.items():
        body = bodies[role]
        if tuple(types.values()) != DEFAULT_TYPES[kind]:
            body.write(3, f"type: {types[role]}", socket.type.line if socket.type else socket.line)
        if not (socket.bind or socket.connect):
            raise ConvertError(f"the {socket.name} of {quote(device.name)} neither binds nor connects", socket.line)
        write_addresses(body, 3, socket.bind, socket.connect)
        write_options(body, 3, socket.options, types[role], socket.line, subscribes=subscribes)
        page.block(2, f"{role}:", body, socket.line)


def write_addresses(page: Page, depth: int, bind: Iterable[Item], connect: Iterable[Item]) -> None:
    """Write where a socket binds and connects; raises ConvertError for what is not a valid address."""
    for side, items in (("bind", list(bind)), ("connect", list(connect))):
        for item in items:
            try:
                parse(item.value())
            except EndpointError as error:
                raise ConvertError(str(error), item.line, error.hint) from None
        if items:
            page.write(depth, f"{side}: {one_or_list([item.value() for item in items])}", items[0].line)


def socket_type(page: Page, depth: int, item: Item) -> str:
    """The type that ``item`` says, as it is called now, with a note when that is new; raises ConvertError."""
    text = item.value().upper()
    if text in _RENAMED:
        page.note(depth, f"{text} is called {_RENAMED[text]} since libzmq 3.0", item.line)
        return _RENAMED[text]
    if text not in _SOCKETS:
        near = closest(text, [*_SOCKETS, *_RENAMED])
        raise ConvertError(f"there is no socket type {quote(item.value())}", item.line,
                           f"did you mean {near}?" if near else f"known are {listing(_SOCKETS, 'and')}")
    return text


def _sockets(device: OldDevice, kind: str) -> dict[str, OldSocket]:
    """The two sockets by our names for them."""
    sockets: dict[str, OldSocket] = {}
    for socket in device.sockets:
        role = _ROLES.get(socket.name)
        if role is None or role in sockets:
            raise ConvertError(f"{quote(device.name)} is a {kind} and has a socket {quote(socket.name)}", socket.line,
                               "a built-in device has two sockets: frontend and backend")
        sockets[role] = socket
    for role, name in (("in", "frontend"), ("out", "backend")):
        if role not in sockets:
            raise ConvertError(f"{quote(device.name)} is a {kind} and has no socket {name}", device.line)
    return {role: sockets[role] for role in ("in", "out")}


def _type(page: Page, socket: OldSocket, kind: DeviceType, role: str) -> str:
    if socket.type is None:
        return _TYPES[kind][role == "out"]
    text = socket_type(page, 3, socket.type)
    better = _BETTER.get((role, text)) if kind == "queue" else None
    if better:
        page.note(3, f"{text} became {better}, which serves the same peers and more than one request at a time",
                  socket.type.line)
    return better or text
