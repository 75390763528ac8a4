"""The socket options of libzmq 2, as libzmq 4 has them: man page zmq_setsockopt(3) of 2.1 and of 4.3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zmqtopo.config.wording import quote
from zmqtopo.convert.tree import ConvertError, Item
from zmqtopo.convert.yaml_writer import Page, one_or_list, scalar

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
