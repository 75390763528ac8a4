"""Sockets whose peers subscribe: what they may make a device do."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import zmq

from zmqtopo.loop import UNCHECKED, Subscriptions

RCVHWM: Final = 6
"""Subscriptions of one reader that wait for a PUB or XPUB, instead of libzmq's 1000. libzmq takes in all that wait in
one call, for as long as its I/O thread keeps up with it. With 6, a forwarder keeps 97% of its messages and obeys within
20 ms while 10 readers subscribe to short topics without end; 100,000 topics of an honest one take 7% longer."""

STACK_OF_A_BYTE: Final = 128
"""Bytes of stack that libzmq 4.3.5 may need for each byte of a topic that leaves an XSUB: 80 on x86-64."""

_UNLIMITED_STACK: Final = 2 << 20
"""Bytes of stack that glibc gives a thread where the system sets no limit (pthread_create(3))."""

_OTHER_STACK: Final = 128 << 10
"""Bytes of stack that musl gives a thread, the least of all systems; macOS gives 512 KiB."""

_TOPICS_COUNT: Final = 116      # not in pyzmq, as zmq.h shows it only with the draft interface

_REFUSES: Final = {
    "in": Subscriptions.IN_REFUSES, "out": Subscriptions.OUT_REFUSES, "mon": Subscriptions.MON_REFUSES,
}

_KNOW_REPEATED: Final = frozenset({zmq.XSUB, zmq.SUB, zmq.PULL})
"""Types of the other socket to which the loop passes on a topic once, however often an XPUB reports it."""

Options = Sequence[tuple[int, Any]]


def longest_topic(wanted: int) -> int:
    """Return how long a topic may be, ``wanted`` bytes at most, so that the stack of any thread is enough for it."""
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    if not hasattr(os, "confstr_names") or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        room = _OTHER_STACK
    else:
        room = _UNLIMITED_STACK if stack == resource.RLIM_INFINITY else stack
    # Threads of Python may have another size; those of libzmq, which close its sockets, have that of the system.
    room = min(room, threading.stack_size() or room)
    return min(wanted, room // STACK_OF_A_BYTE)


def prepare(sockets: Mapping[str, tuple[zmq.Socket[Any], Options]]) -> Subscriptions:
    """Prepare new sockets, before anything is bound, and return how a loop treats subscriptions among them.

    ``sockets`` has each socket, by its role, with the options that its user has set.
    """
    found = UNCHECKED
    xpub = False
    one_frame = 0
    for role, bit in _REFUSES.items():
        socket, options = sockets.get(role, (None, ()))
        if socket is None:
            continue
        set_ = dict(options)
        if socket.type in (zmq.PUB, zmq.XPUB) and not set_.get(zmq.XPUB_NODROP):
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            found |= bit
        if role == "mon":
            continue
        one_frame += bool(set_.get(zmq.ONLY_FIRST_SUBSCRIBE))
        if socket.type == zmq.XPUB and not xpub:
            xpub = True
            found |= _mode(options)
            if not {zmq.XPUB_MANUAL, zmq.XPUB_MANUAL_LAST_VALUE, zmq.INVERT_MATCHING} & {*set_} and _has_count(socket):
                _connect_to_itself(socket, set_.get(zmq.XPUB_WELCOME_MSG, b""))
                found |= Subscriptions.CHECKED
                other, _ = sockets.get("out" if role == "in" else "in", (None, ()))
                if found & bit and other is not None and other.type in _KNOW_REPEATED:
                    if not found & Subscriptions.ALL_SUBSCRIPTIONS:
                        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
                    found |= Subscriptions.EACH_REPORTED
    return found | (Subscriptions.FIRST_FRAME_ONLY if one_frame == 2 else UNCHECKED)


def _mode(options: Options) -> Subscriptions:
    """Which of the messages the user wants passed on; of the two options each overwrites the other."""
    mode = UNCHECKED
    for option, value in options:
        if option == zmq.XPUB_VERBOSE:
            mode = Subscriptions.ALL_SUBSCRIPTIONS if value else UNCHECKED
        elif option == zmq.XPUB_VERBOSER:
            both = Subscriptions.ALL_SUBSCRIPTIONS | Subscriptions.ALL_UNSUBSCRIPTIONS
            mode = both if value else UNCHECKED
    return mode


def _has_count(socket: zmq.Socket[Any]) -> bool:
    try:
        socket.getsockopt(_TOPICS_COUNT)
    except zmq.ZMQError:        # before libzmq 4.3.5
        return False
    return True


def _connect_to_itself(socket: zmq.Socket[Any], welcome: bytes | str) -> None:
    """Give an XPUB a peer in whose name its owner can subscribe: itself.

    ZMQ_XPUB_MANUAL lets the owner subscribe for whom the request that was received last came from. The welcome message
    that both ends of the connection send each other is such a request.
    """
    name = f"inproc://zmqtopo-{os.urandom(8).hex()}"
    socket.setsockopt(zmq.XPUB_MANUAL, 1)
    socket.setsockopt(zmq.XPUB_WELCOME_MSG, b"\1")
    socket.bind(name)
    socket.connect(name)
    socket.unbind(name)         # the connection stays
    while socket.poll(0):
        socket.recv()
    socket.setsockopt(zmq.XPUB_WELCOME_MSG, welcome.encode() if isinstance(welcome, str) else welcome)
    socket.setsockopt(zmq.XPUB_MANUAL, 0)
