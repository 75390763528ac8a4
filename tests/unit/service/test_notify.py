"""What a service manager hears: a real datagram socket takes its place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqtopo.service.notify import Notifier

Manager = tuple[socket.socket, str]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A listening socket, and its address as the environment spells it."""
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract addresses")
    path = str(tmp_path / "notify") if request.param == "path" else f"\0zmqtopo-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        yield listener, path.replace("\0", "@")


def heard(manager: Manager) -> list[str]:
    return manager[0].recv(4096).decode().split("\n")


@pytest.mark.parametrize(("say", "expected"), [
    (lambda n: n.ready("pipeline: 3 devices run"), ["READY=1", "STATUS=pipeline: 3 devices run"]),
    (lambda n: n.stopping("stopping"), ["STOPPING=1", "STATUS=stopping"]),
    (lambda n: n.stopping("a device\nREADY=1\nfailed"), ["STOPPING=1", "STATUS=a device READY=1 failed"]),
    (lambda n: n.ready("naïve \udc80"), ["READY=1", "STATUS=naïve ?"]),
    (lambda n: n.watchdog(), ["WATCHDOG=1"]),
])
def test_each_word(manager: Manager, say: Callable[[Notifier], None], expected: list[str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager[1]})
    say(notifier)
    assert heard(manager) == expected
    notifier.close()


def test_a_reload_has_the_time_on_the_monotonic_clock(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager[1]})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading("reads pipeline.yaml")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    word, moment, status = heard(manager)
    assert (word, status) == ("RELOADING=1", "STATUS=reads pipeline.yaml")
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= after
    notifier.close()


def test_children_do_not_inherit_it(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NOTIFY_SOCKET": manager[1], "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}.items():
        monkeypatch.setenv(name, value)
    notifier = Notifier()
    shown = subprocess.run(
        [sys.executable, "-c", "import os; print([k for k in os.environ if k.startswith(('NOTIFY', 'WATCHDOG'))])"],
        capture_output=True, text=True, check=True,
    )
    assert shown.stdout.strip() == "[]"
    notifier.close()


@pytest.mark.parametrize(("environ", "seconds"), [
    ({}, None),
    ({"WATCHDOG_USEC": "30000000"}, 15.0),
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
    ({"WATCHDOG_USEC": "0"}, None),
    ({"WATCHDOG_USEC": "soon"}, None),
])
def test_how_often_the_watchdog_wants_to_hear(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_interval == seconds
    assert environ == {}


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234", "/no/such/folder/notify", "@nobody-has-this-name",
                                     "/" + 200 * "x", "@" + 200 * "x"])
def test_nobody_listens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    notifier.ready("all is well")
    notifier.watchdog()
    notifier.close()
    notifier.ready("after the end")
    notifier.close()


def test_a_manager_that_does_not_read_is_not_waited_for(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager[1]})
    for number in range(5000):      # far more than any queue of datagrams holds
        notifier.ready(f"{number}")
    assert heard(manager) == ["READY=1", "STATUS=0"]
    notifier.close()


def test_a_manager_that_comes_back_is_heard_again(manager: Manager) -> None:
    listener, address = manager
    if address.startswith("@"):
        pytest.skip("the same as with a path")
    notifier = Notifier({"NOTIFY_SOCKET": address})
    listener.close()
    notifier.watchdog()
    Path(address).unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(address)
        again.settimeout(10)
        notifier.ready("heard")
        assert heard((again, address)) == ["READY=1", "STATUS=heard"]
    notifier.close()
