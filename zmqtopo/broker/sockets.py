"""Opening, binding, connecting, emptying and closing sockets, with errors that say which address it was."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket as system
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import zmq

from zmqtopo.broker.ipc import CHOSEN, PREFIX, Access, IpcFile, listen, make_folder
from zmqtopo.broker.subscriptions import RCVHWM

DEFAULT_LINGER = 5000
"""Milliseconds that a closed socket goes on sending unless an option or its context says otherwise. libzmq's own
default is unlimited, with which a context cannot end while a peer stays away."""

MOST_LINGER = (1 << 31) - 1
"""Milliseconds that LINGER, a C int, can be at most: 24 days."""

_SECRET = frozenset({zmq.CURVE_SECRETKEY, zmq.PLAIN_PASSWORD})

MOST_SUBSCRIPTIONS = 1_000_000
"""SNDHWM of SUB and XSUB, for whose own default of 1000 see `open_socket`. A publisher that takes nothing may so cost
64 MB, at 64 bytes for each topic of up to 33 bytes."""

UNREAD_TIMEOUT: Final = 0.2
"""Seconds that counting what a socket has received may take: it is done when a stop has run out of time."""

_SENDERS: Final = frozenset({zmq.PUB, zmq.PUSH})

_INPROC: Final = -1
"""Peers without a descriptor; their queue takes the HWM of both ends, and nothing comes from the kernel."""

AnySocket = zmq.Socket[Any]


def seed_routing_ids() -> None:
    """Let the ROUTER sockets of this process number their peers from a random number on; for a process of our own.

    libzmq takes the first number from rand(3), which it never seeds (its issue 4633). After a restart clients would
    have the ids that others had before, and answers that were still on their way would reach the wrong ones.
    """
    import ctypes

    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4), sys.byteorder))


def open_socket(
    context: zmq.Context[Any], role: str, type_: int, options: Iterable[tuple[int, Any]]
) -> AnySocket:
    """Make a socket and set its options in order; text values are sent as UTF-8.

    An XPUB monitor is opened as a PUB, which peers cannot tell from it: nobody reads what they subscribe to, and it
    would be kept. Unless RCVHWM is set, few subscriptions wait at a PUB or XPUB (`subscriptions.RCVHWM`). Subscriptions
    beyond the SNDHWM of a SUB or XSUB are lost and nobody hears of it: zmq_setsockopt(3) of ZMQ_SUBSCRIBE. A publisher
    that comes late gets all of them at once. Raises zmq.ZMQError, naming role and option, and TypeError.
    """
    options = list(options)
    if role == "mon" and type_ == zmq.XPUB:
        type_ = zmq.PUB
    try:
        socket: AnySocket = context.socket(type_)
    except zmq.ZMQError as error:
        remedy = ""
        if error.errno == errno.EMFILE:     # libzmq says so of either
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            remedy = (f"; raise max_sockets, which is {context.get(zmq.MAX_SOCKETS)}, or the limit of open files, "
                      f"which is {files}")
        raise zmq.ZMQError(error.errno, f"{role}: cannot make a socket: {error.strerror}{remedy}") from None
    try:
        if zmq.LINGER not in context.sockopts and int(socket.getsockopt(zmq.LINGER)) < 0:
            socket.setsockopt(zmq.LINGER, DEFAULT_LINGER)
        if type_ in (zmq.SUB, zmq.XSUB) and zmq.SNDHWM not in context.sockopts:
            socket.setsockopt(zmq.SNDHWM, MOST_SUBSCRIPTIONS)
        set_options(socket, role, options)
        if type_ in (zmq.PUB, zmq.XPUB) and zmq.RCVHWM not in {*context.sockopts, *(option for option, _ in options)}:
            socket.setsockopt(zmq.RCVHWM, RCVHWM)
    except BaseException:
        socket.close(0)
        raise
    return socket


def set_options(socket: AnySocket, role: str, options: Iterable[tuple[int, Any]]) -> None:
    """Set options in order; text values are sent as UTF-8. Raises as `open_socket`."""
    for option, value in options:
        try:
            socket.setsockopt(option, value.encode() if isinstance(value, str) else value)
        except zmq.ZMQError as error:
            raise zmq.ZMQError(
                error.errno, f"{role}: cannot set {_setting(option, value)}: {error.strerror}"
            ) from None
        except OverflowError:
            raise TypeError(f"{role}: cannot set {_setting(option, value)}: the number is too large") from None
        except (TypeError, ValueError) as error:        # a zero byte in a text
            raise TypeError(f"{role}: cannot set {_setting(option, value)}: {error}") from None


def _reason(error: zmq.ZMQError) -> str:
    # pyzmq adds the address to its own text of some errors; ours has it already.
    return zmq.strerror(error.errno or 0)


def bind(
    socket: AnySocket, role: str, address: str, files: list[IpcFile], access: Access | None = None
) -> str:
    """Bind and return the address as really bound; adds to ``files`` what is to be removed at the end.

    Raises zmq.ZMQError, with errno and naming role and address.
    """
    try:
        folder = make_folder() if address == CHOSEN else None
        if folder is not None and access is not None:
            access.open_folder(folder)
    except OSError as error:
        raise zmq.ZMQError(error.errno, f"{role}: cannot bind {CHOSEN}: {error.strerror}") from None
    if folder is not None:
        address = f"{PREFIX}{folder}/socket"
    try:
        _bind(socket, address, access)
    except (zmq.ZMQError, OSError) as error:
        if folder is not None:
            folder.rmdir()
        remedy = ""
        if error.errno == errno.ENOENT and address.startswith(PREFIX):
            remedy = f"; make the folder {Path(address.removeprefix(PREFIX)).parent}"
        reason = _reason(error) if isinstance(error, zmq.ZMQError) else error.strerror
        raise zmq.ZMQError(error.errno, f"{role}: cannot bind {address}: {reason}{remedy}") from None
    file = IpcFile.of(address)
    if file is not None:
        files.append(file)
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")


def _bind(socket: AnySocket, address: str, access: Access | None) -> None:
    # A program that uses pyzmq's classes may have made a listening socket itself.
    if not address.startswith(PREFIX) or socket.getsockopt(zmq.USE_FD) != -1:
        socket.bind(address)
        return
    listener = listen(address, int(socket.getsockopt(zmq.BACKLOG)), access)
    try:
        socket.setsockopt(zmq.USE_FD, listener.fileno())
        socket.bind(address)
    except BaseException:
        file = IpcFile.of(address)
        if file is not None:
            file.remove()
        listener.close()
        raise
    finally:
        # It holds for each bind that follows, of any transport.
        with contextlib.suppress(zmq.ZMQError):
            socket.setsockopt(zmq.USE_FD, -1)
    listener.detach()   # libzmq closes it


def connect(socket: AnySocket, role: str, address: str) -> None:
    """Connect; that nobody is there yet is no error. Raises zmq.ZMQError, with errno and naming role and address."""
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        raise zmq.ZMQError(error.errno, f"{role}: cannot connect {address}: {_reason(error)}") from None


def take_unread(socket: AnySocket) -> int:
    """Take out what a socket has received, and return how many messages that is. Raises zmq.ZMQError.

    With each message taken libzmq may read another one from the kernel, which would not have been received. A peer
    has at most the receive HWM in the queue, so the count ends when one gives more.
    """
    if socket.type in _SENDERS:
        return 0
    limit = int(socket.getsockopt(zmq.RCVHWM)) or None
    by_peer: dict[int, int] = {}
    deadline = time.monotonic() + UNREAD_TIMEOUT
    # Any error ends it: there are no more, or REQ and REP take no other one before they have sent.
    with contextlib.suppress(zmq.ZMQError):
        while time.monotonic() < deadline:
            peer = _peer(socket.recv_multipart(zmq.DONTWAIT, copy=False)[-1])
            by_peer[peer] = by_peer.get(peer, 0) + 1
            if peer != _INPROC and by_peer[peer] == limit:
                break
    return sum(by_peer.values())


def _peer(frame: zmq.Frame) -> int:
    try:
        return int(frame.get(zmq.MessageOption.SRCFD))
    except zmq.ZMQError:
        return _INPROC


def close(socket: AnySocket, deadline: float | None, *, now: bool = False) -> int:
    """Close a socket; it lingers as its option says but not beyond ``deadline``, on the monotonic clock, nor ``now``.

    Returns the milliseconds that it may linger, negative for without end. SUB and XSUB hold but subscriptions, again
    after each disconnect: with a publisher that has gone first, they would linger for what nobody waits for.
    """
    linger = 0
    # Once its context ends, a socket answers nothing but close.
    with contextlib.suppress(zmq.ContextTerminated):
        linger = 0 if now or socket.type in (zmq.SUB, zmq.XSUB) else int(socket.getsockopt(zmq.LINGER))
        if deadline is not None:
            left = int(min(max((deadline - time.monotonic()) * 1000, 0), MOST_LINGER))
            linger = left if linger < 0 else min(linger, left)
        socket.setsockopt(zmq.LINGER, linger)
    socket.close()
    return linger


def hold_port(address: str, port: int) -> system.socket | None:
    """Keep a free TCP port from being given to somebody else until the returned socket is closed.

    On Linux a socket that is bound but does not listen keeps the port out of the system's own choice, and still lets
    one bind it that sets SO_REUSEADDR, as libzmq does (ip(7), socket(7)). Elsewhere, and for an address that is not
    this machine's, None. Raises OSError when the port is no longer free.
    """
    host = address.removeprefix("tcp://").strip("[]")
    if sys.platform != "linux":
        return None
    family = system.AF_INET6 if ":" in host else system.AF_INET
    try:
        target = system.getaddrinfo("" if host == "*" else host, port, family, system.SOCK_STREAM)[0][4]
    except system.gaierror:
        return None     # the name of an interface
    holder = system.socket(family, system.SOCK_STREAM)
    try:
        # Bound without SO_REUSEADDR it meets those who hold the port already; set afterwards it lets libzmq in.
        holder.bind(target)
        holder.setsockopt(system.SOL_SOCKET, system.SO_REUSEADDR, 1)
    except OSError:
        holder.close()
        raise
    return holder


def address_text(role: str, address: str | bytes) -> str:
    """An address as text; pyzmq takes bytes as well. Raises TypeError."""
    if isinstance(address, bytes):
        return os.fsdecode(address)
    if not isinstance(address, str):
        raise TypeError(f"{role}: an address must be a str, not {type(address).__name__}")
    return address


def _setting(option: int, value: Any) -> str:
    try:
        name = zmq.SocketOption(option).name
    except ValueError:
        name = f"option {option}"
    return name if option in _SECRET else f"{name} to {value!r}"
