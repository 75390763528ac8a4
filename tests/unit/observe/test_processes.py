from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from zmqtopo.observe.processes import processor_time, resident_memory, with_usage

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has proc(5)")


@linux
def test_the_time_of_a_thread() -> None:
    thread = threading.get_native_id()
    before = processor_time(os.getpid(), thread)
    assert before is not None
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    after = processor_time(os.getpid(), thread)
    assert after is not None
    assert 0.03 <= after - before <= 0.2


@linux
def test_the_memory_of_a_process() -> None:
    found = resident_memory(os.getpid())
    assert found is not None
    assert 1 << 20 < found < 1 << 36


def test_what_is_gone_is_not_known() -> None:
    assert processor_time(os.getpid(), 1 << 30) is None
    assert resident_memory(1 << 30) is None


@linux
def test_devices_with_what_they_use() -> None:
    here = {"name": "here", "pid": os.getpid(), "thread": threading.get_native_id()}
    told = {device["name"]: device for device in with_usage([
        here, {**here, "name": "elsewhere", "thread": None}, {"name": "stopped", "pid": None, "thread": None}])}
    assert told["here"]["cpu"] == pytest.approx(processor_time(here["pid"], here["thread"]), abs=0.1)
    assert told["here"]["rss"] == told["elsewhere"]["rss"] > 1 << 20
    assert told["elsewhere"]["cpu"] is told["stopped"]["cpu"] is told["stopped"]["rss"] is None
