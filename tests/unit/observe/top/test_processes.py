from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from zmqtopo.observe.top.processes import processor_time, resident_memory

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
