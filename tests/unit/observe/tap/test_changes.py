"""What has become of devices, from what ps says of them."""

from __future__ import annotations

from typing import Any

import pytest

from zmqtopo.observe.tap.changes import Changes


def device(name: str = "jobs", state: str = "running", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "pid": 1, "uptime": 5.0, "error": None, **more}


@pytest.mark.parametrize(("before", "now", "said"), [
    (device(), device(uptime=6.0), []),
    (device(), device(state="paused", uptime=6.0), ["jobs: paused"]),
    (device(state="paused"), device(uptime=6.0), ["jobs: is running"]),
    (device(), device(uptime=0.5), ["jobs: restarted"]),
    (device(), device(pid=2, error="jobs: process 1 was killed"), ["jobs: restarted: process 1 was killed"]),
    (device(), device(state="paused", pid=2), ["jobs: restarted, and is paused"]),
    (device(), device(state="backoff", pid=None, uptime=None, error="jobs: bad"),
     ["jobs: ended, and will start again: bad"]),
    (device(), device(state="failed", pid=None, uptime=None, error="jobs: bad"), ["jobs: failed: bad"]),
    (device(), device(state="stopped", pid=None, uptime=None), ["jobs: stopped"]),
    (device(state="stopped", pid=None, uptime=None), device(uptime=0.1), ["jobs: is running"]),
    (device(), device(state="stopping"), []),
])
def test_what_has_become_of_a_device(before: dict[str, Any], now: dict[str, Any], said: list[str]) -> None:
    changes = Changes([before])
    changes.take()
    assert changes.note([now]) == bool(said)
    assert changes.take() == said
    assert not changes.take()
    assert not changes.note([now])


@pytest.mark.parametrize(("now", "said"), [
    (device(), []),
    (device(error="jobs: an earlier one"), []),
    (device(state="starting"), []),
    (device(state="stopped"), ["jobs: is stopped, nothing passes it now"]),
    (device(state="paused", error="jobs: an earlier one"), ["jobs: is paused, nothing passes it now"]),
    (device(state="failed", error="jobs: bad"), ["jobs: has failed, nothing passes it now: bad"]),
    (device(state="backoff", error="jobs: bad"), ["jobs: has ended and will start again, nothing passes it now: bad"]),
])
def test_what_a_device_is_at_the_beginning(now: dict[str, Any], said: list[str]) -> None:
    changes = Changes([now, device("more", "stopped")], ["jobs"])
    assert changes.take() == said
    assert not changes.take()


def test_devices_come_and_go() -> None:
    changes = Changes([device("a"), device("b")])
    assert changes.note([device("b"), device("c")])
    assert changes.take() == ["a: removed", "c: added"]


def test_only_those_of_interest() -> None:
    changes = Changes([device("a"), device("b")])
    assert not changes.note([device("a", state="paused")], ["c"])
    assert not changes.take()
