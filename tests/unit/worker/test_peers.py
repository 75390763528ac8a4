"""What a worker tells of peers: few lines of a log, with exact counts of the others."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

from zmqtopo.worker.peers import LIMITS, PeerReports
from zmqtopo.worker.protocol import Noted, PeersTold, TellPeers


class Reports:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, context: zmq.Context[Any]) -> None:
        self.posted: list[Any] = []
        self.now = 1000.0
        self.has_room = True
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.reports = PeerReports(context, self.posted.append, lambda: self.has_room)

    def fail(self, count: int) -> None:
        for number in range(count):
            self.reports._note("d", "handshake-failed", f"failure {number}")

    def take(self) -> list[Any]:
        taken, self.posted[:] = list(self.posted), []
        return taken


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, context: zmq.Context[Any]) -> Reports:
    return Reports(monkeypatch, context)


def test_a_flood_is_told_in_few_lines_and_counted(reports: Reports) -> None:
    limit = LIMITS["handshake-failed"]
    reports.fail(100)
    assert reports.take() == [Noted("d", "handshake-failed", f"failure {number}") for number in range(limit.burst)]
    assert reports.reports._say_left_out() == pytest.approx(limit.interval)
    assert reports.take() == []
    reports.now += limit.interval
    assert reports.reports._say_left_out() is None
    assert reports.take() == [Noted("d", "handshake-failed", "95 more handshakes failed; the last: failure 99")]
    reports.fail(1)
    reports.now += limit.interval
    reports.reports._say_left_out()
    assert reports.take() == [Noted("d", "handshake-failed", "failure 0")]


def test_nothing_is_kept_of_who_is_quiet(reports: Reports) -> None:
    reports.fail(3)
    reports.now += 1e6
    reports.reports._say_left_out()
    assert not reports.reports._buckets


def test_a_supervisor_that_reads_nothing_is_not_waited_for(reports: Reports) -> None:
    reports.has_room = False
    reports.fail(2)
    assert reports.take() == []
    reports.has_room = True
    reports.reports._say_left_out()
    assert reports.take() == [Noted("d", "handshake-failed", "2 more handshakes failed; the last: failure 1")]


def test_without_any_device_there_is_an_answer_at_once(reports: Reports) -> None:
    reports.reports.answer(TellPeers(7))
    assert reports.take() == [PeersTold(7, (), is_last=True)]
