"""``zmqtopo up``: run a topology in the foreground."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from types import FrameType

from zmqtopo.config.model import Topology
from zmqtopo.runtime.member import Member
from zmqtopo.runtime.supervisor import StartError, Supervisor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the topology, - for standard input")
    parser.add_argument(
        "--abort-on-failure", action="store_true", help="stop everything when the first device has failed for good"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 after a clean stop, 1 when a device failed for good, 78 for a bad file, 130 after a second signal."""
    from zmqtopo.cli.topology import load_to_run

    topology = load_to_run(args.file)
    if isinstance(topology, int):
        return topology
    if not topology.devices:
        _say(f"{topology.name}: nothing to run")
        return 0
    try:
        foreground = _Foreground(topology, abort_on_failure=args.abort_on_failure)
    except StartError as error:
        _say_not_started(topology.name, error)
        return 1
    return foreground.run()


class _Foreground:
    """A supervisor in the main thread, told by signals when to stop, that says on stderr what happens."""

    def __init__(self, topology: Topology, *, abort_on_failure: bool) -> None:
        self._name = topology.name
        self._supervisor = Supervisor(topology, tell=self._tell, abort_on_failure=abort_on_failure)
        self._signals = 0
        self._ready = False
        self._stopping = False

    def run(self) -> int:
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            # A shell starts what it puts in the background with SIGINT ignored; only nohup is meant.
            if number != signal.SIGHUP or before[number] is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            return self._run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _run(self) -> int:
        start = time.monotonic()
        self._supervisor.wake_on_signals()
        try:
            self._supervisor.start()
        except StartError as error:
            _say_not_started(self._name, error)
            return 1
        if not self._signals:
            self._ready = True
            members = self._supervisor.members.values()
            for member in members:
                _say(_introduction(member))
            took = time.monotonic() - start
            _say(f"{self._name}: ready, {len(members)} {'device' if len(members) == 1 else 'devices'} in {took:.2f} s")
        well = self._supervisor.run()
        for member in self._supervisor.members.values():
            _say(_farewell(member))
        if self._signals > 1:
            return 130
        return 0 if well else 1

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        # Nothing is printed here: the signal may have interrupted a print, which cannot be entered twice.
        self._supervisor.request_stop(force=self._signals > 1)

    def _tell(self, member: Member, what: str) -> None:
        if member.state == "stopping" and not self._stopping:
            self._stopping = True
            _say(f"{self._name}: stopping; a second signal skips the wait")
        if member.state == "stopped" and what != "stopped":
            _say(f"{member.device.name}: {what}")
        if self._ready and member.state in ("backoff", "failed", "running"):
            _say(f"{member.device.name}: {what}")


def _introduction(member: Member) -> str:
    device = member.device
    parts = [f"{device.name}: {device.type}, {device.run.text}"]
    for socket in device.sockets:
        addresses = list(member.endpoints.get(socket.role, ()))
        addresses += [f"to {address.text}" for address in socket.connect]
        parts.append(f"{socket.role} {socket.type} {', '.join(addresses)}")
    return "; ".join(parts)


def _farewell(member: Member) -> str:
    counters = member.block.read()
    parts = [f"{counters.in_to_out.messages:,} messages in to out", f"{counters.out_to_in.messages:,} out to in"]
    dropped = counters.in_to_out.dropped + counters.out_to_in.dropped
    if dropped:
        parts.append(f"{dropped:,} dropped")
    if member.device.mon is not None:
        parts.append(f"{counters.mon.messages:,} copies to mon")
        if counters.mon.dropped:
            parts.append(f"{counters.mon.dropped:,} copies dropped")
    if member.forced:
        parts.append("its time was over: what was left in it is lost")
    return f"{member.device.name}: {member.state}; {', '.join(parts)}"


def _say_not_started(name: str, error: StartError) -> None:
    for failure in error.failures:
        _say(f"error: {failure}")
    _say(f"{name}: not started; what had been started is undone")


def _say(line: str) -> None:
    # That nobody reads any more is no reason to end: in `up FILE 2>&1 | tee log`, Ctrl-C ends tee first.
    with contextlib.suppress(OSError):
        print(f"zmqtopo: {line}", file=sys.stderr, flush=True)
