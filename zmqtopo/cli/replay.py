"""``zmqtopo replay``: send what was recorded again."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from zmqtopo.cli.durations import duration
from zmqtopo.cli.output import note
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.recordings import (
    add_selection,
    check_devices_of_file,
    check_selection,
    needs_mcap,
    nothing_selected,
    selection,
)
from zmqtopo.cli.remote import add_format, emit_json, guarded
from zmqtopo.config.wording import count, listing, quote
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE
from zmqtopo.report.stderr import complain

if TYPE_CHECKING:
    from zmqtopo.observe.interrupt import Interrupt
    from zmqtopo.observe.recording.player import Played, Player
    from zmqtopo.observe.recording.socket_sender import SocketSender
    from zmqtopo.observe.recording.target import Target

TYPES: Final = ("PUSH", "PUB", "XPUB", "XSUB", "DEALER", "ROUTER", "PAIR")
WAIT: Final = 10.0
"""Seconds that whoever is connected to has to answer."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Send the messages of a recording again, at the times that they have: to a socket of a running topology with "
        "--to, or to an address. The schedule is absolute: a message that is late makes none after it late."
    )
    parser.add_argument("file", metavar="FILE", help="the recording, - for standard input")
    where = parser.one_of()
    where.add_argument("--to", metavar="DEVICE.SOCKET", help="a socket of a device of the topology that runs, such as "
                       "events.in; TOPOLOGY/DEVICE.SOCKET when several run")
    where.add_argument("--connect", metavar="ADDRESS", help="connect there, with a socket of --type")
    where.add_argument("--bind", metavar="ADDRESS", help="bind there, with a socket of --type")
    parser.add_argument("--type", type=str.upper, choices=TYPES, help="of the socket, with --connect or --bind")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="N",
                        help="times as fast as it was, or max for as fast as can be (default: 1)")
    parser.add_argument("--loop", type=_number, default=1, metavar="N", help="play it so many times, 0 endlessly")
    add_selection(parser)
    parser.add_argument("--step", action="store_true", help="send a message each time Enter is pressed")
    parser.add_argument("--keep-identities", action="store_true", help="send what a ROUTER has put before messages "
                        "too, with --type ROUTER: it names who gets them")
    parser.add_argument("--peers", type=_number, default=1, metavar="N", help="wait for so many (default: 1)")
    parser.add_argument("--wait", type=duration, metavar="TIME", help="how long to wait for them (default: "
                        f"{WAIT:g}s with --to and --connect, endlessly with --bind)")
    add_format(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when not all could be sent; 69 for a topology that does not run; 78 for a bad file; 130."""
    if not (args.to or args.connect or args.bind):
        args.usage_error("say where to send: --to DEVICE.in, or --connect or --bind ADDRESS with --type")
    if bool(args.type) == bool(args.to):
        args.usage_error("--type is for --connect and --bind; with --to it follows from the device" if args.to
                         else "--connect and --bind need --type, such as PUSH")
    if args.file == "-" and (args.step or args.loop != 1):
        args.usage_error("--step and --loop need a file: standard input is read once")
    if args.step and (sys.stdin is None or not sys.stdin.isatty()):
        args.usage_error("--step needs a terminal, where Enter sends the next message")
    check_selection(args)
    return needs_mcap("replay", lambda: guarded(lambda: _replay(args)))


def _replay(args: argparse.Namespace) -> int:
    from zmqtopo.observe.interrupt import Interrupt
    from zmqtopo.observe.recording import target as targets
    from zmqtopo.observe.recording.errors import NoTargetError, RecordingError, SelectionError, SendError

    try:
        check_devices_of_file(args)
        target = targets.to_device(args.to) if args.to else targets.to_address(
            args.connect or args.bind, args.type, binds=args.bind is not None)
        targets.check_identities(target.type, keep=args.keep_identities)
        with Interrupt() as interrupt:
            return _play(args, target, interrupt)
    except (NoTargetError, SelectionError) as error:
        complain(str(error))
        return EXIT_USAGE
    except RecordingError as error:
        complain(str(error))
        return EXIT_BAD_FILE
    except SendError as error:
        complain(str(error))
        return EXIT_FAILURE


def _play(args: argparse.Namespace, target: Target, interrupt: Interrupt) -> int:
    from zmqtopo.observe.recording.player import Ended, Player
    from zmqtopo.observe.recording.socket_sender import SocketSender

    with _Rounds(args, target) as rounds, SocketSender(target, interrupt, note) as sender:
        wait = args.wait if args.wait is not None or target.binds else WAIT
        ask = functools.partial(_ask, interrupt) if args.step else None
        player = Player(sender, args.speed, wait=interrupt.wait, ask=ask)
        with contextlib.suppress(Ended):
            sender.wait_for_peers(args.peers, wait)
            rounds.play(player)
        sender.settle()
        _report(args, target, player.played, sender, rounds.cut)
        if rounds.is_empty:
            note(nothing_selected(args, target.flow))
        if interrupt.signal is not None:
            return EXIT_INTERRUPTED
        return EXIT_FAILURE if player.played.refused or sender.unwanted else 0


class _Rounds:
    """The recording, as often as it is to be played."""

    def __init__(self, args: argparse.Namespace, target: Target) -> None:
        from zmqtopo.observe.recording.reader import Recording

        self._args = args
        self._target = target
        self._recording = Recording(args.file)
        self._wanted = selection(args, flow=target.flow)
        self.cut: str | None = None
        self.is_empty = False
        """Whether the recording has none of the messages that are meant."""

    def __enter__(self) -> _Rounds:
        return self

    def __exit__(self, *of: object) -> None:
        self._recording.close()

    def play(self, player: Player) -> None:
        """Play it. Raises RecordingError and Ended."""
        from zmqtopo.observe.recording.reader import Recording

        done = 0
        while True:
            before = player.played.sent
            player.play(self._messages())
            done += 1
            if done == self._args.loop or player.played.sent == before:
                return
            self._recording.close()
            self._recording = Recording(self._args.file)

    def _messages(self) -> Iterator[tuple[int, list[bytes]]]:
        from zmqtopo.observe.recording.selection import check_devices, without_identity

        chosen: set[str] = set()
        only = None if self._args.device else self._target.device
        for message in self._wanted.of(self._recording):
            device = message.flow.device
            if only is not None and device != only and only in self._devices():
                continue
            chosen.add(device)
            if len(chosen) > 1 and not self._args.device:
                self._ambiguous()
            yield message.time, message.frames if self._args.keep_identities else without_identity(message)
        self.cut = self._recording.cut
        self.is_empty = not chosen
        check_devices(self._recording, self._args.device)

    def _devices(self) -> set[str]:
        return {flow.device for flow in self._recording.flows.values()}

    def _ambiguous(self) -> None:
        from zmqtopo.observe.recording.errors import NoTargetError

        raise NoTargetError(f"the recording has messages of {listing(sorted(self._devices()), 'and')}: "
                            "say with --device whose are meant")


def _ask(interrupt: Interrupt, frames: list[bytes]) -> bool:
    """Wait for Enter; False at the end of the input."""
    import select

    shown = " ".join(quote(frame.decode("utf-8", "backslashreplace")) for frame in frames)
    print(f"{shown}  [Enter sends] ", end="", file=sys.stderr, flush=True)
    while not select.select([sys.stdin, interrupt.fileno()], [], [], None)[0]:
        continue
    return interrupt.signal is None and bool(sys.stdin.readline())


def _report(
    args: argparse.Namespace, target: Target, played: Played, sender: SocketSender, cut: str | None
) -> None:
    scheduled = args.speed is not None and not args.step
    late = played.lateness
    if args.format == "json":
        emit_json({
            "to": target.name, "sent": played.sent, "bytes": played.size, "seconds": round(played.seconds, 6),
            "refused": sum(played.refused.values()), "refused_reasons": played.refused, "unwanted": sender.unwanted,
            "blocked": sender.blocked, "blocked_seconds": round(sender.blocked_seconds, 6),
            "late_p50": late.quantile(0.5) / 1e9 if scheduled else None,
            "late_p99": late.quantile(0.99) / 1e9 if scheduled else None,
            "late_max": late.most / 1e9 if scheduled else None, "cut": cut,
        })
        return
    rate = f", {played.sent / played.seconds:,.0f}/s" if played.seconds > 0 and played.sent > 1 else ""
    parts = [f"{count(played.sent, 'message')} to {target.name} in {played.seconds:.2f} s{rate}"]
    if scheduled and played.sent:
        parts.append(f"late by {late.quantile(0.99) / 1e6:.2f} ms at p99, {late.most / 1e6:.2f} ms at most")
    if sender.blocked:
        parts.append(f"no room {count(sender.blocked, 'time')}, for {sender.blocked_seconds:.2f} s")
    parts += [f"{count(number, 'message')} not sent: {reason}" for reason, number in played.refused.items()]
    if sender.unwanted:
        parts.append(f"{count(sender.unwanted, 'message')} went when nobody had subscribed")
    if sender.left:
        parts.append("some of the last may not have arrived: nobody took them in time")
    note("; ".join(parts))
    if cut:
        note(f"{args.file} is {cut}; everything before that was replayed")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    return _positive(text, "a speed, such as 0.5, 2 or max")



def _positive(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1e-6 <= number <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


