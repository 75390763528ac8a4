"""``up`` as a service: what its manager hears, what its log is, and the limits under which it starts."""

from __future__ import annotations

import json
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOPOLOGY = """
devices:
  a: {type: streamer, run: process, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""

Manager = tuple[socket.socket, dict[str, str]]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """What a service manager listens to, and the environment that it gives."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}


def heard(manager: Manager) -> list[str]:
    return manager[0].recv(4096).decode().split("\n")


def heard_besides_the_watchdog(manager: Manager) -> list[str]:
    while (words := heard(manager)) == ["WATCHDOG=1"]:
        continue
    return words


def test_what_a_service_manager_hears(start: Callable, manager: Manager) -> None:
    up = start(TOPOLOGY, env=manager[1])
    assert heard_besides_the_watchdog(manager) == ["READY=1", "STATUS=it: 1 device"]
    assert [heard(manager) for _ in range(3)] == 3 * [["WATCHDOG=1"]]
    up.send(signal.SIGTERM)
    assert heard_besides_the_watchdog(manager) == ["STOPPING=1", "STATUS=it: stopping"]
    up.end(0)


def test_workers_are_not_the_service(start: Callable, manager: Manager) -> None:
    up = start(TOPOLOGY, env=manager[1]).ready()
    for pid in up.workers():
        names = {entry.partition("=")[0] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0")}
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & names
    up.stop()


def test_a_log_as_json(start: Callable) -> None:
    up = start(TOPOLOGY, "--log-format", "json")
    up.wait_for('"ready"')
    up.send(signal.SIGTERM)
    up.end(0)
    told = [json.loads(line) for line in up.lines]
    assert {each["topology"] for each in told} == {"it"}
    assert all(each["time"].endswith("Z") for each in told)
    assert [each.get("event") for each in told if "device" not in each] == ["ready", "stopping"]
    assert {"device": "a", "event": "state", "state": "stopped"}.items() <= told[-1].items()


def test_a_soft_limit_of_open_files_is_raised(start: Callable) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    few = 60    # 20 devices need three times as many

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))

    ends = "in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}"
    devices = "".join(f"  d{n}: {{type: streamer, {ends}}}\n" for n in range(20))
    up = start("devices:\n" + devices, preexec_fn=lower).ready()
    assert len(list(Path(f"/proc/{up.worker('threads')}/fd").iterdir())) > few
    up.stop()
