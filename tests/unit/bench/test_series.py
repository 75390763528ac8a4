"""Rounds: everybody has a turn in each, and who fails has no other."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from zmqtopo.bench.cases import Case, Selection, cases
from zmqtopo.bench.measurement import Load, TrialError
from zmqtopo.bench.series import NoFolderError, Series, Step, reason
from zmqtopo.bench.worker_pool import WorkerEndedError

DOSE = Load(0, 100)


@pytest.fixture
def cases_() -> list[Case]:
    """Two cases in one worker each."""
    return cases(Selection(("streamer", "latency"), transports=("inproc",)), ["direct", "zmqtopo.thread"])


def nothing(step: Step) -> None:
    """Nobody watches."""


def silent(step: Step, reason: str) -> None:
    pytest.fail(f"{step}: {reason}")


def test_rounds_are_interleaved_and_begin_with_another_contestant(cases_: list[Case]) -> None:
    steps: list[Step] = []
    series = Series(cases_, 2, DOSE)
    series.run(steps.append, silent)
    assert [(step.round, step.case.pattern, step.contestant) for step in steps] == [
        (0, "streamer", "direct"), (0, "streamer", "zmqtopo.thread"),
        (0, "latency", "direct"), (0, "latency", "zmqtopo.thread"),
        (1, "streamer", "zmqtopo.thread"), (1, "streamer", "direct"),
        (1, "latency", "zmqtopo.thread"), (1, "latency", "direct"),
    ]
    assert [(step.at, step.of) for step in steps] == [(at, 8) for at in range(8)]
    assert not series.failed
    assert [[result.rounds for result in found.results] for found in series.results()] == [[2, 2], [2, 2]]


@pytest.mark.parametrize("stop", range(4))
def test_what_is_there_can_be_had_when_it_is_interrupted(cases_: list[Case], stop: int) -> None:
    def tell(step: Step) -> None:
        if step.at == stop:
            raise KeyboardInterrupt

    series = Series(cases_, 2, DOSE)
    with pytest.raises(KeyboardInterrupt):
        series.run(tell, silent)
    assert [len(found.results) for found in series.results()] == [[], [1], [2], [2, 1]][stop]


def test_who_fails_is_out_of_that_case(cases_: list[Case]) -> None:
    streamer, latency = cases_
    address = streamer.device.in_.bind[0]
    broken = replace(streamer, device=replace(streamer.device, out=replace(streamer.device.out, bind=(address,))))
    complaints: list[tuple[str, str]] = []
    series = Series([broken, latency], 3, DOSE)
    series.run(nothing, lambda step, reason: complaints.append((step.contestant, reason)))
    assert complaints == [("zmqtopo.thread", "bench.out: cannot bind inproc://in: Address already in use")]
    assert series.failed
    assert [[(r.contestant, r.rounds) for r in found.results] for found in series.results()] == [
        [("direct", 3), ("zmqtopo.thread", 0)], [("direct", 3), ("zmqtopo.thread", 3)],
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrialError("bench.out: cannot bind tcp://127.0.0.1:*: Address already in use"),
         "bench.out: cannot bind tcp://127.0.0.1:*: Address already in use; all ports that the system gives are taken"),
        (TrialError("cannot bind ipc:///tmp/a/in: File name too long"),
         "cannot bind ipc:///tmp/a/in: File name too long; let TMPDIR name a folder with a shorter path"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files; raise the limit: ulimit -n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
        (WorkerEndedError("process 5 (sink) ended by SIGKILL"), "process 5 (sink) ended by SIGKILL"),
    ],
)
def test_a_remedy_is_named_where_there_is_one(error: Exception, words: str) -> None:
    assert reason(error) == words


def test_no_place_for_files(cases_: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(NoFolderError, match=r"^cannot make a temporary folder in \S+gone: No such file"):
        Series(cases_, 1, DOSE).run(nothing, silent)


def test_a_case_without_contestants_is_passed_over(cases_: list[Case]) -> None:
    series = Series([replace(cases_[0], contestants=())], 1, DOSE)
    series.run(nothing, silent)
    assert series.results() == []
