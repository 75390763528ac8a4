"""``zmqtopo demo``: a pipeline of three devices and the programs around it, in one terminal, with what they counted."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from zmqtopo.cli.output import emit

if TYPE_CHECKING:
    import zmqtopo

MESSAGES: Final = 1_000_000
MOST: Final = 1_000_000_000
"""So many take an hour or so; numbers go on, but nobody looks."""

_ANY: Final = "tcp://127.0.0.1:*"
TOPOLOGY: Final[dict[str, Any]] = {
    "name": "demo",
    "devices": {
        "collect": {"type": "streamer", "in": {"bind": _ANY}, "out": {"bind": "inproc://collected"}},
        "watch": {
            "type": "monitored_queue",
            "in": {"type": "PULL", "connect": "collect.out"}, "out": {"type": "PUSH", "bind": "inproc://watched"},
            # The auditor may fall behind by so many copies before it misses one.
            "mon": {"bind": _ANY, "prefix": {"in": "job"}, "options": {"sndhwm": MESSAGES}},
        },
        "deliver": {"type": "streamer", "in": {"connect": "watch.out"}, "out": {"bind": _ANY}},
    },
}
"""As topologies/pipeline.yaml of the repository, on ports that the system chooses."""

_LOOK: Final = 200
"""Milliseconds after which a program without messages looks whether it is to end."""
_SILENCE: Final = 5.0
"""Seconds without a message after which the rest counts as missing."""
_INTERVAL: Final = 0.2
"""Seconds from one line of progress to the next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--messages", type=_number, default=MESSAGES, metavar="N",
                        help=f"how many to send (default: {MESSAGES})")


def _number(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 1 <= (number := int(text.replace(",", "").replace("_", ""))) <= MOST:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST:,}")


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when a message is missing or out of order, or the devices cannot start; 130 after Ctrl-C."""
    import zmqtopo

    try:
        # In a process of their own: beside three programs in Python they would wait for the interpreter.
        running = zmqtopo.up(TOPOLOGY, isolated=True)
    except zmqtopo.StartError as error:
        print(f"zmqtopo: error: {error}", file=sys.stderr)
        return 1
    with running:
        emit(_plan(running))
        programs = _Programs(running, args.messages)
        try:
            programs.run(_progress(args.messages))
        except KeyboardInterrupt:
            running.stop(0)
            raise
        emit(programs.report())
        counters = running.counters()
    emit("".join(f"{name:10}{each.in_to_out.messages:>13,} in to out, {each.in_to_out.dropped:,} dropped\n"
                 for name, each in counters.items()))
    emit("\nThis was topologies/pipeline.yaml. Yours begins with: zmqtopo init; zmqtopo up topology.yaml\n")
    return int(bool(programs.problem))


def _plan(running: zmqtopo.Running) -> str:
    return (f"producer -> {running.address('collect.in')} -> collect -> watch -> deliver -> "
            f"{running.address('deliver.out')} -> consumer\n"
            f"a copy of each message: watch -> {running.address('watch.mon')} -> auditor\n\n")


def _progress(messages: int) -> Callable[[int], None]:
    """Show how many have arrived, on one line of a terminal that is written again and again; elsewhere nothing."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(received: int) -> None:
        line = f"{received:,} of {messages:,}" if received < messages else ""
        with contextlib.suppress(OSError):
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    return show


class _Programs:
    """A producer, a consumer and an auditor, each a thread with a socket of its own."""

    def __init__(self, running: zmqtopo.Running, messages: int) -> None:
        import zmq

        self._messages = messages
        self._context = zmq.Context()
        self._ends = threading.Event()
        self._seconds = 0.0
        self._received = self._copies = 0
        self._first_copy = 0
        self.problem = ""
        self._threads = {
            name: threading.Thread(target=program, args=(running.address(socket),), name=f"demo {name}", daemon=True)
            for name, program, socket in (("auditor", self._audit, "watch.mon"),
                                          ("consumer", self._consume, "deliver.out"),
                                          ("producer", self._produce, "collect.in"))
        }

    def run(self, show: Callable[[int], None]) -> None:
        """Send all, and wait until they have arrived or nothing comes any more."""
        began = time.monotonic()
        for thread in self._threads.values():
            thread.start()
        try:
            self._wait_for("consumer", show)
            self._seconds = time.monotonic() - began
            self._wait_for("auditor", show)
        finally:
            show(self._messages)
            self._ends.set()
            for thread in self._threads.values():
                thread.join()
            self._context.destroy(linger=0)
        if not self.problem and self._received < self._messages:
            self.problem = f"{self._messages - self._received:,} missing"

    def _wait_for(self, program: str, show: Callable[[int], None]) -> None:
        """Wait until the program has ended, or nothing comes any more."""
        thread, seen, moved = self._threads[program], -1, time.monotonic()
        while thread.is_alive() and time.monotonic() - moved < _SILENCE:
            thread.join(_INTERVAL)
            show(self._received)
            if self._received + self._copies != seen:
                seen, moved = self._received + self._copies, time.monotonic()

    def report(self) -> str:
        """What each of them has counted."""
        since = f" from number {self._first_copy:,} on" if self._first_copy else ""
        expected = self._messages - self._first_copy
        missing = "none missing" if self._copies == expected else f"{expected - self._copies:,} missing"
        return (f"{'sent':10}{self._messages:>13,} numbered messages\n"
                f"{'received':10}{self._received:>13,}, {self.problem or 'all there, in order'}\n"
                f"{'copies':10}{self._copies:>13,}{since}, {missing}\n"
                f"{self._seconds:.1f} s, {self._received / self._seconds:,.0f} a second with these three programs in "
                "Python; `zmqtopo bench` measures the devices alone\n\n")

    def _produce(self, address: str) -> None:
        import zmq

        with self._context.socket(zmq.PUSH) as socket:
            socket.sndtimeo = _LOOK
            socket.connect(address)
            for number in range(self._messages):
                if not self._until(lambda message=b"%d" % number: socket.send(message)):   # type: ignore[misc]
                    return
            self._ends.wait()       # closing would drop what it has yet to send

    def _consume(self, address: str) -> None:
        import zmq

        with self._context.socket(zmq.PULL) as socket:
            socket.rcvtimeo = _LOOK
            socket.connect(address)
            for number in range(self._messages):
                message = self._until(socket.recv)
                if message is None:
                    return
                if int(message) != number:
                    self.problem = f"after number {number - 1:,} came {int(message):,}"
                    return
                self._received += 1

    def _audit(self, address: str) -> None:
        """Count copies from the first on: those sent before it was there went to nobody."""
        import zmq

        with self._context.socket(zmq.SUB) as socket:
            socket.rcvtimeo = _LOOK
            socket.rcvhwm = self._messages
            socket.subscribe(b"job")
            socket.connect(address)
            while copy := self._until(socket.recv_multipart):
                if not self._copies:
                    self._first_copy = int(copy[1])
                self._copies += 1
                if int(copy[1]) == self._messages - 1:
                    return

    def _until(self, call: Callable[[], Any]) -> Any:
        """What the call of a socket gives, tried again until it does; None when the demo ends."""
        import zmq

        while not self._ends.is_set():
            with contextlib.suppress(zmq.Again):
                return call() or True
        return None
