"""Who looks on at which devices, and what their workers are told for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zmqtopo.supervisor.commands import UnknownDeviceError
from zmqtopo.supervisor.devices.taps import TapRequest, Taps
from zmqtopo.worker.protocol import CloseTap, OpenTap, TapOpened


def devices(**states: str) -> Any:
    return {name: SimpleNamespace(name=name, state=state, works=state in ("running", "paused"))
            for name, state in states.items()}


def ask(taps: Taps, folder: Path | str, there: Any, *names: str, holder: int = 1, overflow: Any = "drop") -> Any:
    """The orders and the answer."""
    request = TapRequest(holder, overflow, str(folder), names)
    return list(taps.take(request, there)), request.reply.result()


def test_devices_that_run_are_opened_and_the_others_when_they_do(tmp_path: Path) -> None:
    taps, there = Taps(), devices(a="running", b="backoff", c="paused")
    orders, told = ask(taps, tmp_path, there)
    assert orders == [OpenTap("a", "drop", str(tmp_path), "tap-1"), OpenTap("c", "drop", str(tmp_path), "tap-3")]
    assert [(tap["device"], tap["file"], tap["state"], tap["error"]) for tap in told] == [
        ("a", "tap-1", "running", None), ("b", "tap-2", "backoff", None), ("c", "tap-3", "paused", None)]
    assert taps.open(there["b"]) == [OpenTap("b", "drop", str(tmp_path), "tap-2")]
    assert taps.open(there["a"]) == [OpenTap("a", "drop", str(tmp_path), "tap-1")]


def test_several_share_one_until_the_last_has_gone(tmp_path: Path) -> None:
    taps, there = Taps(), devices(a="running")
    ask(taps, tmp_path, there, holder=1)
    (tmp_path / "tap-1").touch()
    assert ask(taps, tmp_path, there, holder=2)[0] == []
    orders, told = ask(taps, tmp_path, there, holder=3, overflow="block")
    assert orders == [OpenTap("a", "block", str(tmp_path), "tap-2")]
    assert told[0]["file"] == "tap-2"
    assert list(taps.end(1)) == []
    assert list(taps.end(1)) == []
    assert list(taps.end(2)) == [CloseTap("a", "drop")]
    assert list(taps.end(3)) == [CloseTap("a", "block")]
    assert taps.open(there["a"]) == []


def test_an_unknown_device_opens_nothing(tmp_path: Path) -> None:
    taps, request = Taps(), TapRequest(1, "drop", str(tmp_path), ("a", "jbos"))
    assert list(taps.take(request, devices(a="running", jobs="running"))) == []
    with pytest.raises(UnknownDeviceError, match="there is no device 'jbos'; did you mean jobs"):
        request.reply.result()
    assert list(taps.end(1)) == []


def test_a_file_that_is_gone_is_made_again_and_in_another_folder_it_has_another_name(tmp_path: Path) -> None:
    taps, there = Taps(), devices(a="running")
    ask(taps, tmp_path, there)
    assert ask(taps, tmp_path, there)[0] == [OpenTap("a", "drop", str(tmp_path), "tap-1")]
    (tmp_path / "tap-1").touch()
    assert ask(taps, tmp_path, there)[0] == []
    orders, told = ask(taps, "/elsewhere", there, holder=2)
    assert orders == [OpenTap("a", "drop", "/elsewhere", "tap-2")]
    assert (told[0]["folder"], told[0]["file"]) == ("/elsewhere", "tap-2")


def test_why_a_device_could_not_be_opened_is_told_and_it_is_tried_again(tmp_path: Path) -> None:
    taps, there = Taps(), devices(a="running")
    ask(taps, tmp_path, there)
    (tmp_path / "tap-1").touch()
    taps.note(TapOpened("a", "drop", "a: cannot be tapped: Too many open files"))
    orders, told = ask(taps, tmp_path, there)
    assert orders == [OpenTap("a", "drop", str(tmp_path), "tap-1")]
    assert told[0]["error"] == "a: cannot be tapped: Too many open files"
    taps.note(TapOpened("a", "drop"))
    assert ask(taps, tmp_path, there)[1][0]["error"] is None
    taps.note(TapOpened("gone", "drop", "x"))
