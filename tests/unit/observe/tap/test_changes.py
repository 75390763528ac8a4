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
    (device(state="paused"), device(uptime=6.0), ["jobs: runs"]),
    (device(), device(uptime=0.5), ["jobs: started anew"]),
    (device(), device(pid=2, error="jobs: process 1 was killed"), ["jobs: started anew: process 1 was killed"]),
    (device(), device(state="paused", pid=2), ["jobs: started anew, and is paused"]),
    (device(), device(state="backoff", pid=None, uptime=None, error="jobs: bad"),
     ["jobs: ended, and will start again: bad"]),
    (device(), device(state="failed", pid=None, uptime=None, error="jobs: bad"), ["jobs: failed: bad"]),
    (device(), device(state="stopped", pid=None, uptime=None), ["jobs: stopped"]),
    (device(state="stopped", pid=None, uptime=None), device(uptime=0.1), ["jobs: runs"]),
    (device(), device(state="stopping"), []),
])
def test_what_has_become_of_a_device(before: dict[str, Any], now: dict[str, Any], said: list[str]) -> None:
    changes = Changes([before])
    assert changes.note([now]) == bool(said)
    assert changes.take() == said
    assert not changes.take()
    assert not changes.note([now])


def test_devices_come_and_go() -> None:
    changes = Changes([device("a"), device("b")])
    assert changes.note([device("b"), device("c")])
    assert changes.take() == ["a: removed", "c: added"]


def test_only_those_of_interest() -> None:
    changes = Changes([device("a"), device("b")])
    assert not changes.note([device("a", state="paused")], ["c"])
    assert not changes.take()
