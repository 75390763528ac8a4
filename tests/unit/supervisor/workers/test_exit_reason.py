"""What a worker prints, and what is said of its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from zmqtopo.supervisor.workers import exit_reason
from zmqtopo.supervisor.workers.exit_reason import KEPT_LINES, LONGEST_LINE, StandardError, how_it_ended, oom_kills

ASSERTION = "Assertion failed: !_more (src/fq.cpp:94)"
NO_THREAD = "Resource temporarily unavailable (src/thread.cpp:241)"


@pytest.fixture
def errors() -> Iterator[StandardError]:
    errors = StandardError()
    yield errors
    errors.close()


def say(errors: StandardError, text: str | bytes) -> None:
    os.write(errors.worker, text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(("said", "code", "cause"), [
    (f"{ASSERTION}\n", -6, ASSERTION),
    (f"something before\n{ASSERTION}\nAborted\n", -6, ASSERTION),
    (ASSERTION, -6, ASSERTION),
    ("Bad file descriptor (src/epoll.cpp:69)\n", -6, "Bad file descriptor (src/epoll.cpp:69)"),
    ("FATAL ERROR: OUT OF MEMORY (src/msg.cpp:80)\n", -6, "FATAL ERROR: OUT OF MEMORY (src/msg.cpp:80)"),
    ("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", -6,
     "terminate called after throwing an instance of 'std::bad_alloc' what():  std::bad_alloc"),
    ("Traceback (most recent call last):\n  File x\nMemoryError\n", 1, "MemoryError"),
    ("a warning\n", -11, ""),
    ("a warning\n", None, ""),
    ("", 1, ""),
])
def test_the_cause_is_among_the_last_lines(errors: StandardError, said: str, code: int, cause: str) -> None:
    say(errors, said)
    errors.disown()
    errors.read()
    errors.read()       # its end
    assert errors.cause(code) == cause


def test_everything_is_passed_on_harmless_to_a_terminal(
    errors: StandardError, capfd: pytest.CaptureFixture[str]
) -> None:
    say(errors, b"one\ntwo \x1b[2J\xff\n\nthr")
    errors.read()
    say(errors, "ee\n" + "x" * (LONGEST_LINE + 5))
    errors.read()
    errors.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == ["one", "two \\x1b[2J\\xff", "", "three", "x" * LONGEST_LINE, "x" * 5]


def test_neither_side_waits_for_the_other(errors: StandardError) -> None:
    errors.read()       # nothing is there
    line = b"x" * 1023 + b"\n"
    with pytest.raises(BlockingIOError):
        _ = [say(errors, line) for _ in range(1000)]    # type: ignore[func-returns-value]
    for _ in range(10):
        errors.read()
    assert len(errors._lines) == KEPT_LINES


def test_a_pipe_that_has_ended_is_closed_once(errors: StandardError) -> None:
    errors.disown()
    errors.read()
    assert errors.fd == -1
    errors.close()
    assert errors.cause(1) == ""


@pytest.mark.parametrize(("code", "said", "memory", "how"), [
    (None, "", None, ""),
    (0, "a warning", None, " with exit code 0"),
    (1, "MemoryError", None, " with exit code 1: MemoryError"),
    (-signal.SIGSEGV, "", None, " by SIGSEGV"),
    (-signal.SIGABRT, ASSERTION, None, f" by SIGABRT: {ASSERTION}"),
    (-signal.SIGABRT, ASSERTION, 1 << 28, f" by SIGABRT: {ASSERTION}"),
    (-signal.SIGABRT, "", 1 << 28, " by SIGABRT; it may have needed more than limits.memory, 256 MiB"),
    (1, "MemoryError", 1 << 28, " with exit code 1: MemoryError; it may have needed more than limits.memory, 256 MiB"),
    (-signal.SIGABRT, NO_THREAD, 1 << 28,
     f" by SIGABRT: {NO_THREAD}; it may have needed more than limits.memory, 256 MiB"),
    (-signal.SIGKILL, "", 1 << 28, " by SIGKILL"),
])
def test_how_it_has_ended(code: int | None, said: str, memory: int | None, how: str) -> None:
    assert how_it_ended(code, said, oom_kills(), memory) == how


def test_a_kill_for_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    before = oom_kills()
    monkeypatch.setattr(exit_reason, "oom_kills", lambda: before + 1)
    assert how_it_ended(-signal.SIGKILL, "", before, None) == (
        " by SIGKILL, probably by the kernel for lack of memory: it has killed a process for that meanwhile")
    assert how_it_ended(-signal.SIGTERM, "", before, None) == " by SIGTERM"
