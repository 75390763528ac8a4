"""The one broker: a device's sockets and its loop, whether a program, a topology or pyzmq's interface made it."""

from __future__ import annotations

import contextlib
import select
import socket as system
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import zmq

from zmqtopo.broker.control import Control
from zmqtopo.broker.counters import CounterBlock
from zmqtopo.broker.inproc import Connections, InprocNames
from zmqtopo.broker.ipc import Access, IpcFile
from zmqtopo.broker.rebind import note_closed, rebind
from zmqtopo.broker.sockets import AnySocket, close, open_socket, take_unread
from zmqtopo.broker.subscriptions import longest_topic, prepare
from zmqtopo.broker.tap import Tap
from zmqtopo.loop import DEFAULT_LIMITS, UNCHECKED, Limits, Overflow, relay

_RELAYED: Final = ("in", "out", "mon")
"""The roles whose sockets the loop uses, in its order."""

TICK: Final = 0.001
"""Seconds by which libzmq's clock may be late when it begins to count, and its timer early."""


@dataclass(frozen=True, slots=True)
class SocketPlan:
    """A socket that is to be made, with the options to set before anything is bound."""

    role: str
    type: int
    """A type below 0 makes the first socket serve as this one too."""
    options: Sequence[tuple[int, Any]] = ()
    binds: Sequence[str] = ()
    access: Access | None = None
    """Who may connect to the ipc paths that it binds."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What a loop has to know beside its sockets. A prefix of None sends copies to the monitor without a first frame.

    All but the limits may change while it runs.
    """

    prefix_in: bytes | None = None
    prefix_out: bytes | None = None
    overflow: Overflow = "block"
    limits: Limits = DEFAULT_LIMITS


class Broker:
    """Sockets between which messages are moved, from when they are opened until they are closed.

    `open`, `bind`, `connect`, `relay` and `close` are called one after the other. Threads may take turns; at any time
    another thread may call `call` and the methods of ``control``.
    """

    def __init__(
        self, block: CounterBlock, control: Control | None, inproc: InprocNames | None = None, name: str = "",
    ) -> None:
        """``inproc`` has the names of a context that several brokers share, each of a device with a name of its own.

        Without ``control`` nothing stops it.
        """
        self.block = block
        self.name = name
        self.control = control
        self.settings = LoopSettings()
        self.sockets: dict[str, AnySocket] = {}
        self.connections: Connections = {}
        self._inproc = inproc if inproc is not None else InprocNames()
        self._shares_names = inproc is not None
        self._subscriptions = UNCHECKED
        self._taps: dict[Overflow, Tap] = {}
        self._ipc_files: list[IpcFile] = []
        self._inproc_bound: list[tuple[AnySocket, str]] = []
        self._addresses: set[str] = set()
        """What the sockets have bound, as it was asked for and as it became."""
        self._calls: deque[_Call] = deque()
        """The first has been sent to the loop, the others are sent one by one: the stream to it never fills."""
        self._calling = threading.Lock()

    def open(self, context: zmq.Context[Any], plans: Sequence[SocketPlan]) -> None:
        """Make the sockets and set their options. Raises as `zmqtopo.broker.sockets.open_socket`."""
        for plan in plans:
            if plan.type < 0:
                self.sockets[plan.role] = self.sockets[plans[0].role]
            else:
                self.sockets[plan.role] = open_socket(context, plan.role, plan.type, plan.options)
        self._subscriptions = prepare({plan.role: (self.sockets[plan.role], plan.options) for plan in plans})

    def adopt(self, sockets: Iterable[AnySocket]) -> None:
        """Take over sockets, in the order of their roles, some of which have been made elsewhere."""
        self.sockets = dict(zip((*_RELAYED, "ctrl"), sockets, strict=False))

    def bind(self, plans: Iterable[SocketPlan], *, patient: bool = False) -> dict[str, tuple[str, ...]]:
        """Bind every address; returns by role those really bound.

        Waits for an address that is just being closed, in this process or, when ``patient``, anywhere. Raises
        zmq.ZMQError, with errno and naming role and address.
        """
        return {
            plan.role: tuple(self._bind(plan, address, patient=patient) for address in plan.binds) for plan in plans
        }

    def _bind(self, plan: SocketPlan, address: str, *, patient: bool) -> str:
        socket = self.sockets[plan.role]
        endpoint = rebind(
            socket, plan.role, address, self._ipc_files, plan.access,
            patient=patient, is_stopping=lambda: self.control is not None and self.control.is_stopping,
        )
        self._addresses |= {address, endpoint}
        if endpoint.startswith("inproc://"):
            self._inproc_bound.append((socket, endpoint))
            self._inproc.note_bound(self, plan.role, endpoint)
        return endpoint

    def connect(self, role: str, address: str) -> None:
        """Connect a socket. Raises zmq.ZMQError, with errno and naming role and address.

        Once the loop runs, this is for what `call` has it call.
        """
        self._inproc.connect(self, role, address)

    def relay(self, *, paused: bool = False, control: system.socket | None = None) -> bool:
        """Move messages until told to stop; whether to end at once, when what is left unread counts as dropped.

        When ``paused``, take no message before the first command to go on. ``control`` is the stream to obey instead
        of the broker's own. Raises as `zmqtopo.loop.relay`.
        """
        if control is None and self.control is not None:
            control = self.control.worker
        if paused and control is not None:
            self._wait_paused(control)
        settings = self.settings
        at_once = relay(
            *(self.sockets[role] for role in _RELAYED if role in self.sockets),
            control=control.fileno() if control is not None else -1,
            block=self.block.memory,
            prefix_in=settings.prefix_in,
            prefix_out=settings.prefix_out,
            overflow=settings.overflow,
            attend=self._obey,
            limits=replace(settings.limits, topic_length=longest_topic(settings.limits.topic_length)),
            subscriptions=self._subscriptions,
            taps=self._tap_sockets,
        )
        if at_once:
            self._count_unread()
        return at_once

    def _count_unread(self) -> None:
        """Count what the sockets have received and nobody will pass on as dropped.

        What libzmq still holds to be sent, at most the send HWM for each peer, it does not let anybody count.
        """
        with contextlib.suppress(zmq.ZMQError):     # its context is about to end too
            self.block.add_dropped(
                in_to_out=take_unread(self.sockets["in"]), out_to_in=take_unread(self.sockets["out"])
            )

    def open_tap(self, overflow: Overflow, folder: str, file: str) -> None:
        """Let others look on; for what `call` has it call. Raises zmq.ZMQError and OSError.

        ``folder`` and ``file`` are where they connect. One that is there already is bound there too.
        """
        tap = self._taps.get(overflow)
        if tap is None:
            tap = Tap(self.sockets["in"].context, overflow)
        try:
            tap.bind(folder, file)
        except BaseException:
            if overflow not in self._taps:
                tap.close(0)
            raise
        self._taps[overflow] = tap

    def close_tap(self, overflow: Overflow) -> None:
        """Let nobody look on any more; for what `call` has it call."""
        tap = self._taps.pop(overflow, None)
        if tap is not None:
            tap.close(0)

    @property
    def _tap_sockets(self) -> tuple[int, int]:
        drops, blocks = (self._taps.get(overflow) for overflow in ("drop", "block"))
        return drops.underlying if drops is not None else 0, blocks.underlying if blocks is not None else 0

    def close(self, others: Iterable[AnySocket] = (), *, now: bool = False) -> float:
        """Close the sockets, and ``others`` that were made elsewhere.

        Returns when the last LINGER is over at the earliest, which the end of a stop bounds. May be called again: what
        is closed already is left alone.
        """
        while self._ipc_files:
            self._ipc_files.pop().remove()
        if self._shares_names:
            self._inproc.leave(self, self._inproc_bound)
        while self._inproc_bound:
            # Closing is left to another thread, and until then who connects to the name is connected to a socket that
            # ends; unbinding is done at once, and ends no connection.
            self._inproc.unbind(*self._inproc_bound.pop())
        deadline = self.control.deadline if self.control is not None else None
        while self._taps:
            self._taps.popitem()[1].close(0 if now else deadline)
        begun = time.monotonic() - TICK
        sockets = (*self.sockets.values(), *others)
        linger = max((close(socket, deadline, now=now) for socket in sockets if not socket.closed), default=0)
        note_closed(self._addresses)
        self._addresses.clear()
        return begun + linger / 1000

    # -- what the loop's thread is asked for -------------------------------------------------------------------------

    def call(self, commands: bytes, action: Callable[[], object]) -> None:
        """Send the loop commands, the last of them a c, for which it calls ``action`` in its own thread.

        That is the only one that may use the sockets while it runs. This does not wait; nothing happens when the loop
        ends instead.
        """
        with self._calling:
            self._calls.append(_Call(commands, action))
            if len(self._calls) == 1:
                self._send(commands)

    def _send(self, commands: bytes) -> None:
        assert self.control is not None
        # ``action`` is the answer; those of the loop to single bytes are taken away, so that it can always give them.
        with contextlib.suppress(OSError):
            self.control.owner.recv(4096, system.MSG_DONTWAIT)
        self.control.send(commands)

    def _obey(self) -> tuple[bytes | None, bytes | None, bool, int, int]:
        """What the loop calls for a c."""
        self._calls[0].action()
        with self._calling:
            self._calls.popleft()
            if self._calls:
                self._send(self._calls[0].commands)
        settings = self.settings
        return settings.prefix_in, settings.prefix_out, settings.overflow == "block", *self._tap_sockets

    def _wait_paused(self, control: system.socket) -> None:
        """Obey as a paused loop does until there is a command to begin with: a loop begins with moving messages."""
        poll = select.poll()
        poll.register(control, select.POLLIN)
        while poll.poll() and (command := control.recv(1, system.MSG_PEEK)) in (b"p", b"c"):
            control.recv(1)
            if command == b"c":
                self._obey()
            control.send(command)


@dataclass(frozen=True, slots=True)
class _Call:
    """Commands for the loop that end with a c, and what it does for that."""

    commands: bytes
    action: Callable[[], object]
