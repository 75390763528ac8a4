"""Whether the libzmq of this machine takes the options of the devices: asked by setting them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from socket import if_nameindex
from typing import TYPE_CHECKING, Any, Final

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.options import SCOPE
from zmqtopo.checks.rules.unusable import place_of
from zmqtopo.config.model import OptionValue, Socket
from zmqtopo.config.wording import listing, quote

if TYPE_CHECKING:
    import zmq

_CAPABILITIES: Final = {"gssapi": "GSSAPI", "norm": "NORM", "vmci": "VMCI", "wss": "WSS", "curve": "CURVE"}


@rule(
    "machine", "option-unavailable", "error",
    finds="A socket option that the libzmq of this machine does not take: a draft, or one of GSSAPI, NORM, "
    "VMCI or wss; and a `bindtodevice` that is not there.",
    why="libzmq refuses it when the device starts. Packages for everybody are built without these.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*, options: {gssapi_server: true}}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:*}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def option_unavailable(graph: Graph) -> Iterator[Finding]:
    """Set each option on a socket of its type, in a context of its own that binds and connects nothing."""
    import zmq

    context = zmq.Context()
    try:
        for end in graph.ends:
            if isinstance(end.socket, Socket) and end.type in zmq.SocketType.__members__:
                with context.socket(zmq.SocketType[end.type]) as socket:
                    for option, reason in _refused(socket, end.socket):
                        yield Finding(place_of(end.socket, option), f"{end.name}: {reason}", "remove it")
    except zmq.ZMQError:
        return      # no descriptors are left to ask with, which other rules and the start say
    finally:
        context.term()


def _refused(socket: zmq.Socket[Any], wanted: Socket) -> Iterator[tuple[str, str]]:
    """Yield those options that libzmq does not know, each with the reason; values are the affair of other rules."""
    import zmq

    from zmqtopo.broker.option_values import in_order, single_options

    for name in in_order(wanted):
        if name in SCOPE and wanted.type not in SCOPE[name]:
            continue    # the rule option-scope speaks of it
        if name.upper() not in zmq.SocketOption.__members__:
            yield name, f"pyzmq {zmq.__version__} does not know the option {name}"
            continue
        if name == "bindtodevice" and (missing := _missing_interface(wanted.options[name])):
            yield name, missing
            continue
        # Of a file that cannot be used the rule option-file speaks.
        with contextlib.suppress(OSError, ValueError):
            try:
                for option, single in single_options(wanted, name):
                    socket.setsockopt(option, single)
            except zmq.ZMQError as error:
                if error.errno == errno.EINVAL:
                    yield name, _why(name, zmq.zmq_version())


def _missing_interface(name: OptionValue) -> str:
    """What is wrong with the network interface: libzmq asks for it when it binds or connects, where nobody is told."""
    if not isinstance(name, str) or name in (there := [interface for _, interface in if_nameindex()]):
        return ""
    return f"this machine has no network interface {quote(name)}, but {listing(there, 'and')}"


def _why(name: str, version: str) -> str:
    family = next((words for prefix, words in _CAPABILITIES.items() if name.startswith(prefix)), "")
    built = f"was built without {family}" if family else "does not have it, or was built without drafts"
    return f"the option {name} is refused: libzmq {version} {built}"
