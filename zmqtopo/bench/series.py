"""All the rounds of a bench.

Every contestant of every case has its turn, again and again, so that what happens on the machine meanwhile happens to
all of them.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zmqtopo.bench.cases import Case, Contestant
from zmqtopo.bench.measurement import Load, Sample, TrialError, measure
from zmqtopo.bench.results import MEASURE, CaseResults, summarize
from zmqtopo.bench.worker_pool import WorkerEndedError, WorkerPool

_REMEDIES: Final = {
    "cannot bind tcp://127.0.0.1:*: Address already in use": "all ports that the system gives are taken",
    "File name too long": "let TMPDIR name a folder with a shorter path",
    "Too many open files": "raise the limit: ulimit -n",
}
"""What helps against errors, by their ends."""


class NoFolderError(RuntimeError):
    """There is no place for the files of a bench; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is measured now: number ``at`` of ``of``."""

    at: int
    of: int
    case: Case
    contestant: Contestant
    round: int


class Series:
    """A bench, of which what has been measured so far can be had at any time."""

    def __init__(self, cases: Sequence[Case], rounds: int, dose: Load) -> None:
        self.cases = cases
        self.rounds = rounds
        self._dose = dose
        self._samples: dict[tuple[int, Contestant], list[Sample]] = defaultdict(list)
        self._errors: dict[tuple[int, Contestant], str] = {}

    def run(self, tell: Callable[[Step], None], complain: Callable[[Step, str], None]) -> None:
        """Measure everything; a contestant that fails in a case is out of it, and the others go on.

        ``tell`` is called before each measurement, ``complain`` with the reason for each that failed. Whatever ends
        this, no process and no file of it is left. Raises NoFolderError before anything is measured.
        """
        steps = [
            (number, at, contestant)
            for number in range(self.rounds)
            for at, case in enumerate(self.cases)
            for contestant in _turned(case.contestants, number)
        ]
        with _temporary_folder() as folder, WorkerPool() as pool:
            for count, (number, at, contestant) in enumerate(steps):
                step = Step(count, len(steps), self.cases[at], contestant, number)
                if (at, contestant) in self._errors:
                    continue
                tell(step)
                try:
                    sample = measure(pool, step.case, contestant, self._dose, Path(folder))
                except (TrialError, WorkerEndedError, OSError) as error:
                    self._errors[at, contestant] = reason(error)
                    complain(step, reason(error))
                else:
                    self._samples[at, contestant].append(sample)

    @property
    def failed(self) -> bool:
        """Whether anything could not be measured."""
        return bool(self._errors)

    def results(self) -> list[CaseResults]:
        """What has been measured so far, without the cases of which that is nothing."""
        found = []
        for at, case in enumerate(self.cases):
            results = tuple(
                summarize(case, contestant, self._samples[at, contestant], self._errors.get((at, contestant), ""),
                          self._samples[at, MEASURE])
                for contestant in case.contestants
                if self._samples[at, contestant] or (at, contestant) in self._errors
            )
            if results:
                found.append(CaseResults(case, results))
        return found


def reason(error: Exception) -> str:
    """Why a measurement has failed, and what helps if that is known."""
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    return "; ".join([words, *(remedy for end, remedy in _REMEDIES.items() if words.endswith(end))])


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="zmqtopo-")
    except OSError as error:
        where = f" in {tempfile.tempdir}" if tempfile.tempdir else ""
        raise NoFolderError(f"cannot make a temporary folder{where}: {error.strerror or error}") from None


def _turned(contestants: tuple[Contestant, ...], by: int) -> tuple[Contestant, ...]:
    """Beginning with another one each round: the first may find a cooler machine."""
    start = by % max(len(contestants), 1)
    return contestants[start:] + contestants[:start]
