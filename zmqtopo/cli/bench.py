"""``zmqtopo bench``: this machine's own numbers."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from zmqtopo.bench.cases import CONTESTANTS, PATTERNS, SMALLEST, TELLING, TRANSPORTS, Case, Selection, Stream, cases
from zmqtopo.cli.files import one_file
from zmqtopo.cli.output import OutputError, emit
from zmqtopo.cli.parser import Parser
from zmqtopo.cli.topology import load_or_report
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from zmqtopo.bench.series import Series

_T = TypeVar("_T")

_UNITS: Final = {"": 1, "B": 1, "kB": 1000, "MB": 1000**2, "KiB": 1 << 10, "MiB": 1 << 20}
LARGEST: Final = 64 << 20
"""Bytes of the largest message; even one of these in each queue is a lot."""


def add_arguments(parser: Parser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Measure this machine: messages a second, CPU a message and latency of zmqtopo's devices, beside the same work "
        "with no device, zmq.proxy and pyzmq's monitored_queue. The ends are native code, in processes of their own. "
        "Rounds are interleaved, and what is shown are medians; in comparison with zmq.proxy, those of the rounds' "
        "ratios. Without arguments it takes about two minutes."
    )
    parser.add_file(
        "a topology whose devices are to be measured, each for itself with its own types, options and transports, "
        "on free ports (- for standard input)",
    )
    parser.add_argument("--pattern", type=_words("pattern", PATTERNS), offers=tuple(PATTERNS),
                        help=f"any of {', '.join(PATTERNS)}, with commas")
    parser.add_argument("--transport", type=_words("transport", TRANSPORTS), offers=tuple(TRANSPORTS),
                        help=f"any of {', '.join(TRANSPORTS)}; default tcp")
    parser.add_argument("--size", type=_several(_size), help="bytes of a message, such as 16,1KiB,1MiB; default 16")
    parser.add_argument("--subscribers", type=_several(_number(1, 500)), help="of a forwarder, such as 1,10,100; "
                        "default 10")
    parser.add_argument("--topics", type=_number(1, 100_000), metavar="N",
                        help="of a forwarder, shared out among its subscribers; default 1000")
    parser.add_argument("--rate", type=_number(1, 100_000_000), metavar="N",
                        help="send so many messages a second, and tell how long they were on their way; for devices "
                        "that pass messages one way (default: as fast as they go)")
    parser.add_argument("--contestant", type=_words("contestant", CONTESTANTS),
                        offers=tuple(CONTESTANTS), default=tuple(CONTESTANTS),
                        help=f"any of {', '.join(CONTESTANTS)}; default all")
    parser.add_argument("--rounds", type=_number(1, 1000), default=5, metavar="N", help="default 5")
    length = parser.one_of()
    length.add_argument("--time", type=_seconds, default=0.3, metavar="SECONDS",
                        help="how long a single measurement sends; default 0.3")
    length.add_argument("--messages", type=_number(10, 10**12), metavar="N",
                        help="how many messages a single measurement sends, however long that takes")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the result; default text")
    parser.add_argument("--plot", type=_svg, metavar="FILE.svg", help="write a picture too")


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when something could not be measured; 78 for a file with errors; 130 after Ctrl-C."""
    from zmqtopo.bench.measurement import Load
    from zmqtopo.bench.progress import Progress
    from zmqtopo.bench.series import NoFolderError, Series

    args.file = one_file(args) if args.files is not None or args.named else None
    if args.plot:
        _can_write(args.plot)
    found = _own_cases(args) if args.file is None else _cases_of_file(args)
    if isinstance(found, int):
        return found
    if not any(case.contestants for case in found):
        print(f"zmqtopo: error: there is nothing to measure: {_why_nothing(found, args)}", file=sys.stderr)
        return EXIT_FAILURE
    for option in ("subscribers", "topics"):
        if getattr(args, option) and not any(isinstance(case.load, Stream) and case.load.topics for case in found):
            args.usage_error(f"--{option} is for forwarders, and there is none")
    if args.rate:
        found = _one_way(found, args)
    series = Series(found, args.rounds, Load(0, args.messages) if args.messages else Load(args.time))
    progress = Progress(sys.stderr)
    interrupted = False
    with _ended_by_signals():
        try:
            series.run(progress.show, progress.complain)
        except KeyboardInterrupt:
            interrupted = True
        except NoFolderError as error:
            raise OutputError(str(error)) from None
        finally:
            progress.close()
    if interrupted:
        what = "what had been measured:" if series.results() else "nothing had been measured"
        print(f"zmqtopo: interrupted; {what}", file=sys.stderr)
    _report(series, args, complete=not interrupted and not series.failed)
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILURE if series.failed else 0


def _one_way(found: list[Case], args: argparse.Namespace) -> list[Case]:
    """The cases that have a rate; the others are left out, which is an error where they were asked for."""
    there = [case for case in found if isinstance(case.load, Stream)]
    if found and (not there or (args.pattern and len(there) < len(found))):
        args.usage_error("--rate is for devices that pass messages one way: a request waits for the reply before it")
    return there


def _why_nothing(found: list[Case], args: argparse.Namespace) -> str:
    from zmqtopo.config.wording import listing

    if not found:
        return f"{args.file} has no devices"
    return f"{listing(list(args.contestant), 'and')} cannot do {found[0].title}; choose others with --contestant"


def _own_cases(args: argparse.Namespace) -> list[Case]:
    if not any((args.pattern, args.transport, args.size, args.subscribers, args.topics, args.rate)):
        return [case for selection in TELLING for case in cases(selection, args.contestant)]
    return cases(_wishes(args), args.contestant)


def _wishes(args: argparse.Namespace) -> Selection:
    said = {
        "patterns": args.pattern, "sizes": args.size, "transports": args.transport, "subscribers": args.subscribers,
        "topics": args.topics, "rate": args.rate,
    }
    return replace(Selection(), **{name: value for name, value in said.items() if value is not None})


def _cases_of_file(args: argparse.Namespace) -> list[Case] | int:
    """Those of the topology, or the exit code when it cannot be had."""
    from zmqtopo.bench.topology import cases_of

    for option in ("pattern", "transport"):
        if getattr(args, option):
            args.usage_error(f"--{option} is for a bench without FILE: a topology says itself what its devices are")
    topology = load_or_report(args.file, strict_variables=True)
    return EXIT_BAD_FILE if topology is None else cases_of(topology, _wishes(args), args.contestant)


def _can_write(path: str) -> None:
    """Raise OutputError now rather than when all has been measured; a file that is there is not touched yet."""
    there = Path(path)
    try:
        with there.open("ab") if there.exists() else tempfile.TemporaryFile(dir=there.parent):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to {path}: {error.strerror}") from None


def _report(series: Series, args: argparse.Namespace, *, complete: bool) -> None:
    from zmqtopo.bench.document import document
    from zmqtopo.bench.machine import machine
    from zmqtopo.bench.table import table

    results, here = series.results(), machine()
    if args.format == "json":
        emit(document(results, here, complete=complete))
    elif results:
        emit(table(results, here))
    if args.plot and results:
        from zmqtopo.bench.plot import plot

        emit(plot(results, here), args.plot)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, SIGTERM and SIGHUP SystemExit; once, so that nothing interrupts the tidying."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:       # as nohup has it
        numbers.append(signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for each in numbers:
            # Not SIG_IGN: Python complains of a signal that has come already and whose handler is gone.
            signal.signal(each, lambda number, frame: None)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- values of options -----------------------------------------------------------------------------------------------


def _several(one: Callable[[str], _T]) -> Callable[[str], tuple[_T, ...]]:
    def several(text: str) -> tuple[_T, ...]:
        return tuple(dict.fromkeys(one(part.strip()) for part in text.split(",")))

    return several


def _words(thing: str, known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def word(text: str) -> str:
        from zmqtopo.config.wording import closest, listing, quote

        if text not in known:
            near = closest(text, known)
            hint = f"did you mean {near}?" if near else f"there are {listing(list(known), 'and')}"
            raise argparse.ArgumentTypeError(f"there is no {thing} {quote(text)}; {hint}")
        return text

    return _several(word)


def _number(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        digits = text.replace("_", "")
        if not (digits.isascii() and digits.isdigit() and low <= int(digits[:20]) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:,} to {high:,}")
        return int(digits)

    return number


def _size(text: str) -> int:
    form = re.fullmatch(r"([0-9]{1,12})\s*([A-Za-z]*)", text)
    size = int(form[1]) * _UNITS[form[2]] if form and form[2] in _UNITS else 0
    if not SMALLEST <= size <= LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size from {SMALLEST} (bytes) to {LARGEST >> 20}MiB; units are B, kB, MB, KiB and MiB"
        )
    return size


def _svg(text: str) -> str:
    if not text.lower().endswith(".svg"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .svg, which is what is written")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time from 0.01 to 3600 seconds")
    return seconds
