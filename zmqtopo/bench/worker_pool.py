"""The worker processes of a bench: started when they are first needed, and ended whatever happens."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait

from zmqtopo.bench.host import Call, Clear, Place, Response
from zmqtopo.supervisor.spawn import start

END_TIMEOUT = 2.0
"""Seconds that a worker has to put its things away before its process is killed."""


class WorkerEndedError(RuntimeError):
    """A worker's process has ended without being asked."""


class Worker:
    """A process of `zmqtopo.bench.worker`."""

    def __init__(self, name: str) -> None:
        """``name`` is shown in process lists. Raises OSError when the system has no room for it."""
        self.name = name
        self._process, self.connection = start("zmqtopo.bench.worker", name)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, order: Place | Call | Clear) -> None:
        """Give an order; that the worker is gone shows in `receive`."""
        with contextlib.suppress(OSError):
            self.connection.send(order)

    def receive(self) -> Response:
        """Take the answer that is there. Raises WorkerEndedError."""
        try:
            answer: Response = self.connection.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise WorkerEndedError(f"process {self.pid} ({self.name}) ended {how}") from None
        return answer

    def clear(self) -> bool:
        """Wait until a `Clear` that was sent has been carried out; whether it was in time."""
        with contextlib.suppress(WorkerEndedError):
            while self.connection.poll(END_TIMEOUT):
                if self.receive().part == "":
                    return True
        return False

    def end(self) -> None:
        """End the process; returns when it is gone."""
        self.connection.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class WorkerPool:
    """The workers, by name; as a context manager it ends them all."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def __getitem__(self, name: str) -> Worker:
        """The worker of that name, started now if need be."""
        if name not in self._workers:
            with _signals_held():       # one that came in the middle would leave a process that nobody knows
                self._workers[name] = Worker(name)
        return self._workers[name]

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear(list(self._workers.values()))
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def clear(self, workers: Iterable[Worker]) -> None:
        """Have these put away what they hold, and end those that do not manage."""
        workers = list(workers)
        for worker in workers:
            worker.send(Clear())
        for worker in workers:
            if not worker.clear():
                worker.end()
                del self._workers[worker.name]


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Have signals wait; a process that is started meanwhile begins with that and has to end it for itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ready(workers: Iterable[Worker], timeout: float) -> list[Worker]:
    """Those with an answer, as soon as there is one, none after ``timeout`` seconds."""
    by_connection = {worker.connection: worker for worker in workers}
    return [by_connection[found] for found in wait(list(by_connection), timeout) if isinstance(found, Connection)]
