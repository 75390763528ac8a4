"""What a topology says on its logger, and what handlers can do to it: nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zmqtopo.supervisor.event_log import MOST_WAITING, BackgroundEventLog, EventLog


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
def event_log() -> Iterator[BackgroundEventLog]:
    event_log = BackgroundEventLog("feed")
    yield event_log
    event_log.close()
    event_log.flush()


@pytest.mark.parametrize(("about", "level"), [
    ({}, "INFO"), ({"event": "ready"}, "INFO"), ({"device": "a", "state": "running"}, "INFO"),
    ({"device": "a", "state": "stopped"}, "INFO"), ({"device": "a", "state": "backoff"}, "WARNING"),
    ({"event": "not-reloaded"}, "WARNING"), ({"device": "a", "state": "failed"}, "ERROR"),
    ({"event": "error"}, "ERROR"),
])
def test_levels(handler: Handler, about: dict[str, str], level: str) -> None:
    EventLog("feed").say("x", **about)
    assert handler.lines == [(level, "a: x" if "device" in about else "x")]


def test_fields(handler: Handler) -> None:
    EventLog("feed").say("50%s\n\x1b[31m", device="a", state="backoff")
    record, = handler.records
    assert record.name == "zmqtopo.feed"
    assert record.getMessage() == "a: 50%s\\n\\x1b[31m"     # one line, and harmless to a terminal
    fields = {name: vars(record)[name] for name in ("topology", "device", "event", "state", "text")}
    assert fields == {"topology": "feed", "device": "a", "event": "state", "state": "backoff", "text": "50%s\n\x1b[31m"}


def test_nobody_listens(event_log: BackgroundEventLog) -> None:
    event_log.say("x")
    assert not [thread for thread in threading.enumerate() if thread.name == "zmqtopo log"]


def test_a_thread_of_its_own(handler: Handler, event_log: BackgroundEventLog) -> None:
    handler.do = lambda: names.append(threading.current_thread().name)
    names: list[str] = []
    event_log.say("one")
    event_log.say("two")
    event_log.flush()
    assert [line for _, line in handler.lines] == ["one", "two"]
    assert names == ["zmqtopo log"] * 2
    event_log.close()
    event_log.flush()
    assert not [thread for thread in threading.enumerate() if thread.name == "zmqtopo log"]
    event_log.say("nobody hears this")
    event_log.flush()
    assert len(handler.records) == 2


def test_a_handler_that_is_too_slow(handler: Handler, event_log: BackgroundEventLog) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go_on.wait(60)

    handler.do = hang
    event_log.say("first")
    assert hangs.wait(20)
    for number in range(MOST_WAITING + 1234):
        event_log.say(str(number))
    go_on.set()
    event_log.close()
    event_log.flush()
    lines = [line for _, line in handler.lines]
    assert lines[:-1] == ["first", *map(str, range(MOST_WAITING))]
    assert handler.lines[-1] == ("WARNING", "1,234 messages left out, which could not be logged in time")


def test_no_thread_can_be_made(
    handler: Handler, event_log: BackgroundEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        event_log.say("lost")
    event_log.say("heard")
    event_log.flush()
    assert [line for _, line in handler.lines] == ["heard", "1 message left out, which could not be logged in time"]
