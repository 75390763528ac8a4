"""One measurement: the parts are placed, the ways opened, a load goes through, and the numbers come back."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from zmqtopo.bench.actors import IDLE_TIMEOUT, Clients, Part, Sink, Source, StalledError, Workers
from zmqtopo.bench.cases import Case, Contestant, Requests, Stream, queue_length, transport_of
from zmqtopo.bench.host import Call, Place
from zmqtopo.bench.measurement.contestants import Bound, Subject
from zmqtopo.bench.worker_pool import Worker, WorkerPool, ready
from zmqtopo.config.endpoint import parse
from zmqtopo.config.model import Address, Device, Role

WARM_UP = 0.1
"""The share of a load that goes first and does not count."""

TICK = 0.001
"""Seconds between two marks: the one before is under way, or was lost."""

ROOM_FOR_ALL = 0
"""The high-water mark of those who ask and answer: no more waits there than was asked, and a REP loses the rest."""

FOR_EVER = 9_999_999
"""A mark that never comes."""

OWN_FILES = 9
"""What a worker has open without any sockets, its context included."""

LOOK_AFTER = 1.0
"""Seconds after which a device is asked whether it lives."""

_FEEDS: Final = {"PULL": "PUSH", "SUB": "PUB", "XSUB": "PUB", "ROUTER": "DEALER", "DEALER": "DEALER", "PAIR": "PAIR"}
_FED_BY: Final = {"PUSH": "PULL", "PUB": "SUB", "XPUB": "SUB", "DEALER": "REP", "ROUTER": "DEALER", "PAIR": "PAIR"}
_PARTNER: Final = {"PULL": "PUSH", "SUB": "PUB", "REP": "DEALER", "DEALER": "DEALER", "PAIR": "PAIR"}


class TrialError(RuntimeError):
    """A measurement that came to nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long a load is: until there were ``most`` messages or ``seconds`` are over (0: no limit)."""

    seconds: float
    most: int = 1 << 62

    @property
    def warm_up(self) -> Load:
        """What goes before it."""
        return Load(self.seconds * WARM_UP, max(int(self.most * WARM_UP), 1))


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement's numbers: ``messages`` (or requests) of ``sent``, in ``seconds``.

    These begin with the first that is sent and end with the last that is received.
    ``cpu`` is what the device had, in seconds, None where there is no device or nobody tells. ``latency`` has p50, p99
    and p99.9 in microseconds, for requests and for messages at a fixed rate. ``copies`` came to the readers on mon.
    """

    messages: int
    sent: int
    seconds: float
    cpu: float | None
    latency: tuple[float, float, float] | None = None
    copies: int | None = None


def source_role(device: Device) -> Role:
    """The socket of a device that its load enters by; in, but for a device that is turned round."""
    turned = (device.in_.type, device.out.type) in (("XPUB", "XSUB"), ("DEALER", "ROUTER"))
    return "out" if turned else "in"


def measure(pool: WorkerPool, case: Case, contestant: Contestant, dose: Load, folder: Path) -> Sample:
    """Measure one contestant once; ipc files are made in ``folder``. Raises TrialError, and OSError for no room."""
    trial = _Trial(pool, case, contestant, folder)
    try:
        return trial.run(dose)
    finally:
        pool.clear(trial.workers)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The types of source and sink, the device's sockets that they are for, and the transport where there is none."""

    source: str
    sink: str
    feed: Role
    drain: Role
    transport: str


class _Trial:
    def __init__(self, pool: WorkerPool, case: Case, contestant: Contestant, folder: Path) -> None:
        self._pool = pool
        self._case = case
        self._contestant = contestant
        self._folder = folder
        self._homes: dict[str, Worker] = {}
        self._answers: dict[str, Any] = {}
        self._hwm = queue_length(case.size)
        self._looked = time.monotonic()

    @property
    def workers(self) -> list[Worker]:
        """The workers that hold something of it."""
        return list({worker.name: worker for worker in self._homes.values()}.values())

    def run(self, dose: Load) -> Sample:
        bound = self._open_subject()
        load = self._case.load
        if isinstance(load, Stream):
            self._open_stream(load, bound)
            self._stream(1, dose.warm_up)
            before = self._cpu()
            sent, messages, seconds, copies = self._stream(2, dose)
            return Sample(messages, sent, seconds, self._cpu_since(before), self._times(), copies)
        self._open_requests(load, bound)
        self._ask(load, dose.warm_up)
        before = self._cpu()
        messages, first, last, (p50, p99, p999) = self._ask(load, dose)
        return Sample(messages, messages, _seconds(first, last), self._cpu_since(before), (p50, p99, p999))

    # -- opening -----------------------------------------------------------------------------------------------------

    def _open_subject(self) -> Bound:
        """Start the device; where its sockets are bound, nothing when there is none."""
        if self._contestant == "direct":
            return {}
        device = self._case.device
        device = replace(device, in_=self._named(device.in_), out=self._named(device.out),
                         mon=self._named(device.mon) if device.mon else None)
        subject = Subject(self._contestant, device, self._case.context)
        bound: Bound = self._place("subject", subject, self._contestant)
        return bound

    def _open_stream(self, load: Stream, bound: Bound) -> None:
        ends = self._ends(bound)
        binds = () if bound else (self._address(ends.transport, "direct"),)
        source = Source(ends.source, self._hwm, self._case.size, load.topics, binds, load.sinks)
        addresses = self._place("source", source, self._home(ends.feed, "source"))
        self._place("sink", Sink(ends.sink, self._hwm, load.sinks, load.topics), self._home(ends.drain, "sink"))
        if bound:
            self._result("source", "connect", bound[ends.feed])
        self._result("sink", "connect", bound[ends.drain] if bound else addresses)
        self._receivers = ["sink"]
        if self._open_reader(load, bound):
            self._receivers.append("reader")
        for receiver in self._receivers:
            self._start(receiver, "meet")
        self._mark_until_seen(0)

    def _open_requests(self, load: Requests, bound: Bound) -> None:
        ends = self._ends(bound)
        # Without a device each client has one worker, as a client that asks two would have to choose.
        count = load.workers if bound else min(load.workers, load.clients)
        binds = () if bound else tuple(self._address(ends.transport, f"direct{n}") for n in range(count))
        named = self._case.device.in_.type == self._case.device.out.type == "ROUTER"
        heads = [b"w%d" % (n % count) if named else b"" for n in range(load.clients)]
        workers = Workers(ends.sink, ROOM_FOR_ALL, count, binds)
        clients = Clients(ends.source, ROOM_FOR_ALL, self._case.size, heads)
        addresses = self._place("sink", workers, self._home(ends.drain, "sink"))
        self._place("source", clients, self._home(ends.feed, "source"))
        if bound:
            self._result("sink", "connect", bound[ends.drain])
        self._result("source", "connect", bound[ends.feed] if bound else addresses)
        if self._open_reader(load, bound):
            self._start("reader", "receive", FOR_EVER)
        self._receivers = ["sink"]
        self._start("sink", "meet")
        self._mark_until_seen(0)
        self._start("sink", "answer")
        self._mark_until_answered()

    def _open_reader(self, load: Stream | Requests, bound: Bound) -> bool:
        """Open those who read the copies; whether there are any."""
        mon = self._case.device.mon
        if mon is None or not load.readers or "mon" not in bound:
            return False
        type_ = "DEALER" if mon.type == "DEALER" else _FED_BY[mon.type]
        self._place("reader", Sink(type_, self._hwm, load.readers), self._home("mon", "reader"))
        self._result("reader", "connect", bound["mon"])
        return True

    def _ends(self, bound: Bound) -> _Ends:
        device = self._case.device
        feed = source_role(device)
        drain: Role = "in" if feed == "out" else "out"
        fed, drained = (device.in_, device.out) if feed == "in" else (device.out, device.in_)
        sink = _FED_BY[drained.type]
        return _Ends(_FEEDS[fed.type] if bound else _PARTNER[sink], sink, feed, drain, transport_of(fed))

    def _named(self, socket: Any) -> Any:
        """A socket with a place in the folder if it binds ipc."""
        if transport_of(socket) != "ipc":
            return socket
        text = self._address("ipc", socket.role)
        return replace(socket, bind=(Address(text, parse(text)),))

    def _address(self, transport: str, name: str) -> str:
        if transport == "tcp":
            return "tcp://127.0.0.1:*"
        return f"ipc://{self._folder}/{name}" if transport == "ipc" else f"inproc://{name}"

    def _home(self, role: Role, own: str) -> str:
        """The worker for an end of that socket: inproc reaches no further than the device's own process."""
        if self._contestant == "direct":
            role = source_role(self._case.device)       # the one transport that there is
        socket = self._case.device.socket(role)
        return self._contestant if socket is not None and transport_of(socket) == "inproc" else own

    @property
    def _is_shared(self) -> bool:
        return any(self._homes[part].name == self._contestant for part in self._homes if part != "subject")

    # -- loads -------------------------------------------------------------------------------------------------------

    def _stream(self, number: int, dose: Load) -> tuple[int, int, float, int | None]:
        """Messages sent and received, in how many seconds, and copies read."""
        load = self._case.load
        rate = load.rate if isinstance(load, Stream) else 0
        for receiver in self._receivers:
            self._start(receiver, "receive", number, bool(rate))
        sent, first = self._result("source", "send", dose.most, dose.seconds, rate)
        self._mark_until_seen(number)
        messages, last, _ = self._answers["sink"]
        copies = self._answers["reader"][0] if "reader" in self._receivers else None
        if not messages:
            raise TrialError(f"none of {sent} messages came through")
        return sent, messages, _seconds(first, last), copies

    def _times(self) -> tuple[float, float, float] | None:
        """How long the messages of the last stream were on their way, if they tell."""
        times = self._answers["sink"][2]
        return (times[0], times[1], times[2]) if times else None

    def _ask(self, load: Requests, dose: Load) -> Any:
        return self._result("source", "ask", load.window, dose.most, dose.seconds)

    def _mark_until_seen(self, number: int) -> None:
        """Send marks until every receiver has answered its call, which gives up by itself when nothing comes."""
        waiting = set(self._receivers)
        while waiting:
            self._result("source", "mark", number)
            waiting -= self._poll(TICK, waiting)
            self._look_after_device()

    def _mark_until_answered(self) -> None:
        """Send marks until every client has been answered."""
        deadline = time.monotonic() + IDLE_TIMEOUT
        while not self._result("source", "mark", 0):
            if time.monotonic() > deadline:
                raise TrialError(str(StalledError()))
            self._poll(TICK, {"sink"})
            self._look_after_device()

    def _cpu(self) -> float | None:
        if "subject" not in self._homes:
            return None
        used: float | None = self._result("subject", "cpu", self._is_shared)
        return used

    def _cpu_since(self, before: float | None) -> float | None:
        after = self._cpu()
        return None if after is None or before is None else after - before

    # -- calls -------------------------------------------------------------------------------------------------------

    def _place(self, part: str, what: Part | Subject, worker: str) -> Any:
        if isinstance(what, Part):
            _check_files(what.count if worker == self._contestant else 2 * what.count)     # inproc needs no connections
        self._homes[part] = self._pool[worker]
        self._homes[part].send(Place(part, what, self._case.context.io_threads if part == "subject" else 1))
        return self._wait(part)

    def _start(self, part: str, method: str, *arguments: Any) -> None:
        self._answers.pop(part, None)
        self._homes[part].send(Call(part, method, arguments))

    def _result(self, part: str, method: str, *arguments: Any) -> Any:
        self._start(part, method, *arguments)
        return self._wait(part)

    def _wait(self, part: str) -> Any:
        """What a call has given; meanwhile the device is looked after."""
        self._answers.pop(part, None)
        while not self._poll(LOOK_AFTER, {part}):
            if part != "subject":
                self._look_after_device()
        return self._answers[part]

    def _look_after_device(self) -> None:
        """Ask it now and then whether it lives: ends that wait for a dead one would take longer to give up."""
        now = time.monotonic()
        if "subject" in self._homes and now - self._looked >= LOOK_AFTER:
            self._looked = now
            self._result("subject", "check")

    def _poll(self, timeout: float, parts: Iterable[str]) -> set[str]:
        """Wait for an answer, and tell which of ``parts`` have answered since they were started."""
        wanted = set(parts)
        if not wanted & self._answers.keys():
            for worker in ready(self.workers, timeout):
                answer = worker.receive()
                if answer.error:
                    raise TrialError(self._cause(answer.part, answer.error))
                self._answers[answer.part] = answer.value
        return wanted & self._answers.keys()

    def _cause(self, part: str, error: str) -> str:
        """Why a part has failed: what has happened to the device, if anything has."""
        if part == "subject" or "subject" not in self._homes:
            return error
        subject = self._homes["subject"]
        subject.send(Call("subject", "check", ()))
        while ready([subject], LOOK_AFTER):
            answer = subject.receive()
            if answer.part == "subject":
                return answer.error or error
        return error


def _check_files(number: int) -> None:
    """Raise TrialError when a worker may not have so many files: libzmq would go without connections and be silent."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]       # up to which workers raise their own
    if limit != resource.RLIM_INFINITY and OWN_FILES + number > limit:
        raise TrialError(
            f"one process needs {OWN_FILES + number} open files, and may have {limit}; raise the limit: ulimit -n"
        )


def _seconds(first: int, last: int) -> float:
    return max(last - first, 1) / 1e9
