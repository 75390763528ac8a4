from __future__ import annotations

import errno
import io

import pytest

from zmqtopo.bench.cases import Selection, cases
from zmqtopo.bench.progress import Progress
from zmqtopo.bench.series import Step

(CASE,) = cases(Selection(("streamer",)))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(at: int) -> Step:
    return Step(at, 48, CASE, "zmq.proxy", 1)


def test_how_far_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    times = iter([100.0, 110.0, 130.0])
    terminal = Terminal()
    progress = Progress(terminal, lambda: next(times))
    for at in (0, 4, 24):
        progress.show(step(at))
    progress.close()
    assert terminal.getvalue().split("\r\x1b[K") == [
        "",
        f"[{'.' * 24}] 0/48  round 2: streamer, 16 B, tcp: zmq.proxy",
        f"[##{'.' * 22}] 4/48, 1:50 left  round 2: streamer, 16 B, tcp: zmq.proxy",
        f"[{'#' * 12}{'.' * 12}] 24/48, 0:30 left  round 2: streamer, 16 B, tcp: zmq.proxy",
        "",
    ]


def test_it_keeps_to_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    Progress(terminal).show(step(3))
    assert len(terminal.getvalue().removeprefix("\r\x1b[K")) == 39


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_terminal_that_is_gone_is_no_failure() -> None:
    """What follows from it comes with SIGHUP."""
    progress = Progress(Gone())
    progress.show(step(1))
    progress.complain(step(1), "it is gone")
    progress.close()


def test_without_a_terminal_there_are_only_complaints() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.show(step(1))
    progress.complain(step(1), "it is gone")
    progress.close()
    assert stream.getvalue() == "zmqtopo: error: streamer, 16 B, tcp: zmq.proxy: it is gone\n"
