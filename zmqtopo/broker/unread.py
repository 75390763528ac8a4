"""What a device that is ended at once has received and not passed on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Final

import zmq

from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.sockets import AnySocket
from zmqtopo.config.model import Role

PATIENCE: Final = 0.2
"""Seconds that counting may take: it is done when a stop has run out of time."""

_SENDERS: Final = frozenset({zmq.PUB, zmq.PUSH})


def count_unread(sockets: Mapping[Role, AnySocket], block: CounterBlock) -> None:
    """Count what the sockets have received and nobody will pass on as dropped.

    What libzmq still holds to be sent, at most the send HWM for each peer, it does not let anybody count.
    """
    with contextlib.suppress(zmq.ZMQError):     # its context is about to end too
        block.add_dropped(in_to_out=_received(sockets["in"]), out_to_in=_received(sockets["out"]))


def _received(socket: AnySocket) -> int:
    """How many messages a socket holds, by taking them out.

    With each message taken libzmq may read another one from the kernel, which would not have been received. A peer
    has at most the receive HWM in the queue, so the count ends when one gives more.
    """
    if socket.type in _SENDERS:
        return 0
    limit = int(socket.getsockopt(zmq.RCVHWM)) or None
    by_peer: dict[int, int] = {}
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            frames = socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            break
        peer = _peer(frames[-1])
        by_peer[peer] = by_peer.get(peer, 0) + 1
        if by_peer[peer] == limit:
            break
    return sum(by_peer.values())


def _peer(frame: zmq.Frame) -> int:
    try:
        return int(frame.get(zmq.MessageOption.SRCFD))
    except zmq.ZMQError:
        return -1       # over inproc, where a peer has no descriptor
