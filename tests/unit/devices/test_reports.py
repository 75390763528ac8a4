"""Reports come through as they were, and a worker's error whatever it is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import zmq

from zmqtopo.devices.reports import ProcessReports, Report, ThreadReports

KINDS = pytest.mark.parametrize("kind", [ThreadReports, ProcessReports])


class NeedsTwoError(Exception):
    """Can be pickled, but not read again: its argument is not those of __init__."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def local_error() -> Exception:
    class LocalError(Exception):
        pass

    return LocalError("cannot be pickled")


@KINDS
def test_a_report_comes_through(kind: Any) -> None:
    reports = kind()
    sent = Report("ready", {"in": ("tcp://127.0.0.1:1",)})
    reports.put(sent)
    assert reports.get(5) == sent
    assert reports.get(0) is None
    assert reports.get(0.01) is None


@KINDS
def test_without_a_time_it_waits(kind: Any) -> None:
    reports = kind()
    worker = threading.Thread(target=reports.put, args=(Report("stopped"),))
    worker.start()
    assert reports.get(None) == Report("stopped")
    worker.join()


@pytest.mark.parametrize(
    ("error", "type_", "text"),
    [
        (zmq.ZMQError(zmq.EADDRINUSE, "in: taken"), zmq.ZMQError, "in: taken"),
        (ValueError("plain"), ValueError, "plain"),
        (local_error(), RuntimeError, "LocalError: cannot be pickled"),
        (NeedsTwoError("one", "two"), RuntimeError, "NeedsTwoError: one and two"),
    ],
    ids=["zmq", "plain", "local", "unreadable"],
)
def test_an_error_comes_through(error: Exception, type_: type, text: str) -> None:
    reports = ProcessReports()
    reports.put(Report("failed", error=error))
    report = reports.get(5)
    assert report is not None
    assert type(report.error) is type_
    assert str(report.error) == text
    if isinstance(error, zmq.ZMQError):
        assert isinstance(report.error, zmq.ZMQError)
        assert report.error.errno == zmq.EADDRINUSE


def test_the_end_of_the_worker_ends_the_stream() -> None:
    reports = ProcessReports()
    reports.put(Report("ready"))
    reports.worker_started()
    assert reports.get(5) == Report("ready")
    with pytest.raises(EOFError):
        reports.get(5)
