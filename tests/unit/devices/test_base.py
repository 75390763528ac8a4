"""A device that runs in the thread that starts it, and code that watches it from another one."""

from __future__ import annotations

import threading
from typing import Any

import zmq

from zmqtopo.devices import Device
from zmqtopo.devices.reports import Report, ThreadReports


def streamer(kind: type[Device]) -> Device:
    device = kind(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("tcp://127.0.0.1:*")
    device.bind_out("tcp://127.0.0.1:*")
    device.setsockopt_out(zmq.LINGER, 0)
    return device


def test_who_waits_already_hears_of_the_start() -> None:
    waiting = threading.Event()

    class Reports(ThreadReports):
        def get(self, timeout: float | None) -> Report | None:
            waiting.set()
            return super().get(timeout)

    class Watched(Device):
        _reports_class = Reports

    device = streamer(Watched)
    heard: list[BaseException | None] = []

    def watch() -> None:
        try:
            device.wait_ready(5)
            heard.append(None)
        except TimeoutError as error:
            heard.append(error)
        device.stop()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert waiting.wait(5)
    device.start()
    watcher.join()
    assert heard == [None]


def test_a_second_start_in_the_foreground(net: Any) -> None:
    device = streamer(Device)
    for turn in range(2):
        owner = threading.Thread(target=device.start)
        owner.start()
        # After the first run there are its endpoints until the second one begins.
        net.until(lambda: not device.done and device.endpoints)
        assert device.counters.in_to_out.messages == 0
        push = net.socket(zmq.PUSH, connect=device.endpoints["in"][0])
        pull = net.socket(zmq.PULL, connect=device.endpoints["out"][0])
        push.send(b"%d" % turn)
        assert net.receive(pull) == [b"%d" % turn]
        device.stop()
        owner.join()
        assert device.error is None
        assert device.counters.in_to_out.messages == 1
