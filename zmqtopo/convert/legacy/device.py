"""One old device to one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.model import DEFAULT_TYPES, DeviceType
from zmqtopo.config.names import to_name
from zmqtopo.config.wording import closest, listing, quote
from zmqtopo.convert.legacy.model import OldApp, OldDevice, OldSocket
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


_SAME: Final = ("affinity", "rate", "linger", "reconnect_ivl", "reconnect_ivl_max", "backlog")
_BUFFERS: Final = ("sndbuf", "rcvbuf")
_NAMED: Final = ("ROUTER", "DEALER")
_UNLIMITED: Final = "hwm: 0  # zmqtopo: ignore[unlimited-hwm]"


def write_options(page: Page, depth: int, options: Iterable[Item], socket_type: str, line: int, *,
                  subscribes: bool) -> None:
    """Write the options of a socket of ``socket_type``, with a note for each that is gone or has changed.

    The socket stands in ``line``; ``subscribes`` tells whether a SUB without subscriptions received everything all
    the same. Raises ConvertError for a value that libzmq 2 would not have taken.
    """
    inner = Page()
    topics: list[Item] = []
    for option in options:
        if option.name == "subscribe":
            topics.append(option)
        elif option.name == "unsubscribe":
            _unsubscribe(topics, option)
        else:
            _write(inner, depth + 1, option, socket_type)
    if socket_type == "SUB":
        _write_topics(inner, depth + 1, topics, line, subscribes)
    elif topics:
        _left_out(inner, depth + 1, topics[0], f"a {socket_type} socket does not subscribe")
    page.block(depth, "options:", inner, line)


def _write(page: Page, depth: int, option: Item, socket_type: str) -> None:
    name, line = option.name, option.line
    if name == "identity":
        _write_identity(page, depth, option, socket_type)
    elif name == "mcast_loop":
        if option.truth():
            _left_out(page, depth, option, "this is how it is now for pgm and epgm")
        else:
            page.note(depth, "mcast_loop is called multicast_loop now, and libzmq has it only when it is built with "
                      "its draft interfaces", line)
            page.write(depth, "multicast_loop: false", line)
    elif name == "swap":
        if option.integer():
            _left_out(page, depth, option, "since libzmq 3.0 no message waits on disk; what waits is in memory, up to "
                      "hwm messages")
    elif name == "recovery_ivl":
        seconds = option.integer()
        page.note(depth, f"recovery_ivl was a number of seconds and is one of milliseconds since libzmq 3.0: {seconds} "
                  f"became {seconds}s", line)
        page.write(depth, f"recovery_ivl: {seconds}s", line)
    elif name == "hwm":
        number = option.integer()
        page.write(depth, f"hwm: {number}" if number else _UNLIMITED, line)
    elif name in _BUFFERS and option.integer() == 0:
        _left_out(page, depth, option, "0 meant the default of the system, which is -1 now and need not be said")
    elif name == "linger" and option.value() == "-1":
        page.write(depth, "linger: -1", line)
    else:
        assert name in _SAME + _BUFFERS  # the readers refuse others
        page.write(depth, f"{name}: {option.integer()}", line)


def _write_identity(page: Page, depth: int, option: Item, socket_type: str) -> None:
    text = option.value()
    if not text:
        raise ConvertError("the identity is empty", option.line)
    if socket_type not in _NAMED:
        _left_out(page, depth, option, f"a {socket_type} socket has no use for it since libzmq 3.0, which ended "
                  "durable subscriptions and queues")
        return
    page.note(depth, "identity is called routing_id now", option.line)
    page.write(depth, f"routing_id: {scalar(text)}", option.line)


def _write_topics(page: Page, depth: int, topics: list[Item], line: int, subscribes: bool) -> None:
    if topics:
        page.write(depth, f"subscribe: {one_or_list([topic.value() for topic in topics])}", topics[0].line)
    else:
        if not subscribes:
            page.note(depth, "without a subscription this SUB received nothing, and the device had nothing to do; it "
                      "receives everything now", line)
        page.write(depth, 'subscribe: ""', line)


def _unsubscribe(topics: list[Item], option: Item) -> None:
    for topic in topics:
        if topic.value() == option.value():
            topics.remove(topic)
            return


def _left_out(page: Page, depth: int, option: Item, why: str) -> None:
    written = f"{option.name}: {quote(option.value())[1:-1]}".removesuffix(": ")
    page.note(depth, f"{written} is left out: {why}", option.line)
