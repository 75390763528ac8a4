"""A socket that waits for its peers, sends messages, and tells what it could not."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from zmqtopo.config.wording import count
from zmqtopo.observe.interrupt import Interrupt
from zmqtopo.observe.recording.errors import SendError
from zmqtopo.observe.recording.player import Ended, Refused
from zmqtopo.observe.recording.target import Target

LINGER: Final = 5.0
"""Seconds that the last messages have to go."""
TELL_BLOCKED: Final = 2.0
"""Seconds without room after which that is said, once."""
SUBSCRIPTION_TIME: Final = 1.0
"""Seconds for a subscription to come after its connection, before messages go that perhaps nobody wants."""
SUBSCRIPTION_PAUSE: Final = 0.05
"""Seconds without another subscription after which there is none on its way."""
_NOW: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.SNDMORE)
"""As numbers: to combine them as what they are takes longer than to send a frame."""
_TOLD: Final = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)


class SocketSender:
    """A `Sender` over one socket."""

    def __init__(self, target: Target, interrupt: Interrupt, say: Callable[[str], None]) -> None:
        """``say`` is told what a user should know meanwhile. Raises SendError where it cannot bind or connect."""
        self._target = target
        self._interrupt = interrupt
        self._say = say
        self.blocked = 0
        """How often there was no room."""
        self.blocked_seconds = 0.0
        self.unwanted = 0
        """Messages that went when nobody subscribed to anything."""
        self.left = False
        """Whether some of the last messages had not gone when it was closed."""
        self._topics: set[bytes] = set()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = self._context.socket(getattr(zmq, target.type))
            self._monitor = self._socket.get_monitor_socket(_TOLD)
            self._open()
        except BaseException:
            self._context.destroy(0)
            raise

    def _open(self) -> None:
        socket, target = self._socket, self._target
        socket.linger = int(LINGER * 1000)
        socket.immediate = 1        # nothing waits for a peer that is not there
        if target.type == "XPUB":
            socket.setsockopt(zmq.XPUB_NODROP, 1)
        if target.type == "ROUTER":
            socket.router_mandatory = 1     # what cannot be delivered is told
        if "[" in target.address:
            socket.ipv6 = True
        try:
            (socket.bind if target.binds else socket.connect)(target.address)
        except zmq.ZMQError as error:
            raise SendError(f"cannot {'bind' if target.binds else 'connect to'} {target.address}: "
                                 f"{error.strerror}") from None

    # -- peers -------------------------------------------------------------------------------------------------------

    def wait_for_peers(self, number: int, seconds: float | None) -> None:
        """Wait until so many are connected, and one has subscribed where that matters.

        Raises SendError when they do not come in time, and Ended.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        there, failures = 0, 0
        while there < number:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise SendError(self._nobody(failures, seconds))
            if not self._wait_for(self._monitor, zmq.POLLIN, left):
                continue
            event = recv_monitor_message(self._monitor, zmq.DONTWAIT)
            if event["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                there += 1
            else:
                failures += 1
        self._socket.disable_monitor()
        if self._target.type == "XPUB":
            pause = SUBSCRIPTION_TIME
            while self._wait_for(self._socket, zmq.POLLIN, pause):
                self._take_subscriptions()
                pause = SUBSCRIPTION_PAUSE
            if not self._topics:
                self._say("nobody subscribes yet; messages that nobody subscribes to are dropped")

    def _nobody(self, failures: int, seconds: float | None) -> str:
        where = self._target.address
        if failures:
            return (f"{where}: {count(failures, 'handshake')} failed within {seconds:g} s: the other end may want "
                    f"security, or not take a {self._target.type}")
        return f"{where}: nobody {'connects' if self._target.binds else 'answers'} within {seconds:g} s"

    def _wait_for(self, socket: zmq.Socket[bytes], event: int, seconds: float | None) -> bool:
        """Whether it is ready within so many seconds; raises Ended."""
        poller = zmq.Poller()
        poller.register(socket, event)
        poller.register(self._interrupt.fileno(), zmq.POLLIN)
        ready = dict(poller.poll(None if seconds is None else max(int(seconds * 1000), 0)))
        if self._interrupt.signal is not None:
            raise Ended
        return socket in ready

    def _take_subscriptions(self) -> None:
        while self._socket.poll(0):
            frame = self._socket.recv(zmq.DONTWAIT)
            if frame[:1] == b"\1":
                self._topics.add(frame[1:])
            elif frame[:1] == b"\0":
                self._topics.discard(frame[1:])

    # -- messages ----------------------------------------------------------------------------------------------------

    def send(self, frames: list[bytes]) -> None:
        """As `Sender` says."""
        if self._target.type == "XPUB" and not self._topics:
            self._take_subscriptions()
            self.unwanted += not self._topics
        try:
            self._send(frames)
        except zmq.Again:
            self._wait_and_send(frames)
        except zmq.ZMQError as error:
            raise Refused(self._reason(error)) from None

    def _send(self, frames: list[bytes]) -> None:
        """Send a message if there is room; else zmq.Again is raised, and nothing of it is sent."""
        send, flags = self._socket.send, _NOW
        for frame in frames[:-1]:
            send(frame, flags | _MORE)
            flags = 0       # libzmq has begun with it, and so has room for all of it
        send(frames[-1], flags)

    def _wait_and_send(self, frames: list[bytes]) -> None:
        began = time.monotonic()
        self.blocked += 1
        told = False
        try:
            while True:
                # A ROUTER that can send to somebody may still not send to this one.
                pause = 0.01 if self._target.type == "ROUTER" else 0.5
                if self._target.type == "ROUTER":
                    if self._interrupt.wait(pause):
                        raise Ended
                else:
                    self._wait_for(self._socket, zmq.POLLOUT, pause)
                try:
                    self._send(frames)
                except zmq.Again:
                    if not told and time.monotonic() - began > TELL_BLOCKED:
                        told = True
                        self._say(f"{self._target.name} takes no messages: it is full, paused or gone; waiting for it")
                else:
                    return
        except zmq.ZMQError as error:
            raise Refused(self._reason(error)) from None
        finally:
            self.blocked_seconds += time.monotonic() - began

    def _reason(self, error: zmq.ZMQError) -> str:
        if error.errno == zmq.EHOSTUNREACH:
            return "no peer has that identity"
        return f"{self._target.name}: {error.strerror}"

    def settle(self) -> None:
        """Let the last messages go, for which they have `LINGER` seconds, and close."""
        if self._context.closed:
            return
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close()
        began = time.monotonic()
        self._context.term()
        # libzmq does not say how many it gave up.
        self.left = time.monotonic() - began >= LINGER

    def close(self) -> None:
        """Close it; what has not gone is lost."""
        self._context.destroy(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
