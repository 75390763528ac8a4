"""What a topology says on its logger, and what handlers can do to it: nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zmqtopo.supervisor.journal import MOST_WAITING, BackgroundJournal, Journal


class Handler(logging.Handler):
    """Keeps what it hears, after doing something."""

    def __init__(self, do: Callable[[], Any] = lambda: None) -> None:
        super().__init__()
        self.do = do
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.do()
        self.records.append(record)

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(record.levelname, record.getMessage()) for record in self.records]


@pytest.fixture
def handler() -> Iterator[Handler]:
    handler = Handler()
    logger = logging.getLogger("zmqtopo")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def journal() -> Iterator[BackgroundJournal]:
    journal = BackgroundJournal("feed")
    yield journal
    journal.close()
    journal.flush()


@pytest.mark.parametrize(("about", "level"), [
    ({}, "INFO"), ({"event": "ready"}, "INFO"), ({"device": "a", "state": "running"}, "INFO"),
    ({"device": "a", "state": "stopped"}, "INFO"), ({"device": "a", "state": "backoff"}, "WARNING"),
    ({"event": "not-reloaded"}, "WARNING"), ({"device": "a", "state": "failed"}, "ERROR"),
    ({"event": "error"}, "ERROR"),
])
def test_levels(handler: Handler, about: dict[str, str], level: str) -> None:
    Journal("feed").say("x", **about)
    assert handler.lines == [(level, "a: x" if "device" in about else "x")]


def test_fields(handler: Handler) -> None:
    Journal("feed").say("50%s\n\x1b[31m", device="a", state="backoff")
    record, = handler.records
    assert record.name == "zmqtopo.feed"
    assert record.getMessage() == "a: 50%s\\n\\x1b[31m"     # one line, and harmless to a terminal
    fields = {name: vars(record)[name] for name in ("topology", "device", "event", "state", "text")}
    assert fields == {"topology": "feed", "device": "a", "event": "state", "state": "backoff", "text": "50%s\n\x1b[31m"}


def test_nobody_listens(journal: BackgroundJournal) -> None:
    journal.say("x")
    assert not [thread for thread in threading.enumerate() if thread.name == "zmqtopo log"]


def test_a_thread_of_its_own(handler: Handler, journal: BackgroundJournal) -> None:
    handler.do = lambda: names.append(threading.current_thread().name)
    names: list[str] = []
    journal.say("one")
    journal.say("two")
    journal.flush()
    assert [line for _, line in handler.lines] == ["one", "two"]
    assert names == ["zmqtopo log"] * 2
    journal.close()
    journal.flush()
    assert not [thread for thread in threading.enumerate() if thread.name == "zmqtopo log"]
    journal.say("nobody hears this")
    journal.flush()
    assert len(handler.records) == 2


def test_a_handler_that_is_too_slow(handler: Handler, journal: BackgroundJournal) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go_on.wait(60)

    handler.do = hang
    journal.say("first")
    assert hangs.wait(20)
    for number in range(MOST_WAITING + 1234):
        journal.say(str(number))
    go_on.set()
    journal.close()
    journal.flush()
    lines = [line for _, line in handler.lines]
    assert lines[:-1] == ["first", *map(str, range(MOST_WAITING))]
    assert handler.lines[-1] == ("WARNING", "1,234 messages left out, which could not be logged in time")


def test_no_thread_can_be_made(
    handler: Handler, journal: BackgroundJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        journal.say("lost")
    journal.say("heard")
    journal.flush()
    assert [line for _, line in handler.lines] == ["heard", "1 message left out, which could not be logged in time"]
