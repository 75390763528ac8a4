from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from zmqtopo.observe.recording import recorder as module
from zmqtopo.observe.recording.errors import WriteError
from zmqtopo.observe.recording.reader import Recording
from zmqtopo.observe.recording.recorder import FLUSH_INTERVAL, Plan, Recorder, SourceEnded

from .conftest import START


@dataclass
class Message:
    number: int
    frames: list[bytes]
    device: str = "jobs"
    flow: str = "in_to_out"

    @property
    def time(self) -> int:
        return START + self.number


class World:
    """A tap that shows batches, one each tenth of a second, and a clock."""

    def __init__(self, *batches: Sequence[Message]) -> None:
        self.now = 0.0
        self.batches = list(batches)
        self.late: list[Message] = []
        self.asked: list[float] = []
        self.before_each: Callable[[int], None] = lambda left: None

    def clock(self) -> float:
        return self.now

    def receive(self, timeout: float) -> Sequence[Message]:
        self.asked.append(timeout)
        self.before_each(len(self.batches))
        if not self.batches:
            raise SourceEnded("it has ended")
        self.now += min(timeout, 0.1)
        return self.batches.pop(0)

    def rest(self) -> Sequence[Message]:
        return self.late

    def record(self, plan: Plan, is_over: Callable[[], bool] = lambda: False) -> Recorder:
        recorder = Recorder(plan, lambda device: {"in": "PULL", "out": "PUSH"}, clock=self.clock)
        recorder.run(self, is_over)
        recorder.close(lambda: {"recorded": str(recorder.recorded)})
        return recorder


def messages(first: int, last: int, size: int = 3) -> list[Message]:
    return [Message(number, [os.urandom(size)]) for number in range(first, last + 1)]


def numbers(path: str | Path) -> list[int]:
    with Recording(str(path)) as recording:
        found = [message.sequence for message in recording.messages()]
        assert recording.cut is None
        return found


def said(path: str | Path) -> Mapping[str, str]:
    with Recording(str(path)) as recording:
        for _ in recording.messages():
            continue
        return recording.metadata


def test_what_is_shown_is_recorded(tmp_path: Path) -> None:
    path = str(tmp_path / "a.mcap")
    back = Message(9, [b"x"], flow="out_to_in")
    world = World(messages(1, 3), [], [*messages(7, 8), back])
    recorder = world.record(Plan(path, metadata={"host": "here"}, attachments={"topology.yaml": b"devices: {}"}))
    assert (recorder.recorded, recorder.reason, recorder.failed, recorder.files) == (6, "it has ended", False, [path])
    assert numbers(path) == [1, 2, 3, 7, 8, 9]
    assert said(path) == {"host": "here", "recorded": "6", "reason": "it has ended"}
    with Recording(path) as recording:
        assert recording.attachments == {"topology.yaml": b"devices: {}"}
        assert [message.flow.name for message in recording.messages()][-1] == "out_to_in"
        assert [flow.topic for flow in recording.flows.values()] == ["jobs.in_to_out", "jobs.out_to_in"]
        assert recording.flows[1].metadata == {"device": "jobs", "flow": "in_to_out", "in": "PULL", "out": "PUSH"}


def test_it_is_in_the_file_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    found: dict[int, int] = {}

    def look(left: int) -> None:
        with Recording(str(path)) as recording:
            found[left] = len(list(recording.messages()))

    world = World(*[[message] for message in messages(1, 25)])
    world.before_each = look
    world.record(Plan(str(path)))
    a_second = round(FLUSH_INTERVAL / 0.1)
    for left, there in found.items():
        assert 25 - left - there <= a_second + 1


@pytest.mark.parametrize(("plan", "recorded", "reason"), [
    ({"count": 5}, 5, "5 messages recorded"),
    ({"seconds": 0.35}, 8, "time is up"),
])
def test_it_ends_as_planned(tmp_path: Path, plan: dict[str, float], recorded: int, reason: str) -> None:
    path = str(tmp_path / "a.mcap")
    batches = [messages(first, first + 1) for first in range(1, 100, 2)]
    recorder = World(*batches).record(Plan(path, **plan))   # type: ignore[arg-type]
    assert (recorder.recorded, recorder.reason, recorder.failed) == (recorded, reason, False)
    assert numbers(path) == list(range(1, recorded + 1))


def test_a_signal_ends_it(tmp_path: Path) -> None:
    world = World(messages(1, 2), messages(3, 4))
    world.late = messages(5, 5)
    recorder = world.record(Plan(str(tmp_path / "a.mcap")), lambda: len(world.batches) == 1)
    assert (recorder.recorded, recorder.reason) == (3, "interrupted")
    assert numbers(tmp_path / "a.mcap") == [1, 2, 5]


def test_files_by_size(tmp_path: Path) -> None:
    batches = [messages(number, number, 400_000) for number in range(1, 10)]
    recorder = World(*batches).record(Plan(str(tmp_path / "a.mcap"), rotate_size=1_000_000))
    assert [Path(file).name for file in recorder.files] == [f"a-0000{number}.mcap" for number in (1, 2, 3, 4)]
    assert [number for file in recorder.files for number in numbers(file)] == list(range(1, 10))
    assert recorder.recorded == 9
    assert said(recorder.files[0])["continued"] == "yes"
    assert "continued" not in said(recorder.files[-1])


def test_files_by_time(tmp_path: Path) -> None:
    batches = [messages(number, number) for number in range(1, 51)]
    recorder = World(*batches).record(Plan(str(tmp_path / "a.mcap"), rotate_time=2))
    assert len(recorder.files) == 3
    assert [number for file in recorder.files for number in numbers(file)] == list(range(1, 51))


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_text("mine")
    with pytest.raises(WriteError, match="already exists"):
        World().record(Plan(str(tmp_path / "a.mcap")))
    (tmp_path / "a-00002.mcap").write_text("mine")
    with pytest.raises(WriteError, match=r"a-00002.mcap already exists"):
        World().record(Plan(str(tmp_path / "a.mcap"), rotate_size=10))
    World().record(Plan(str(tmp_path / "a.mcap"), replace=True))
    assert numbers(tmp_path / "a.mcap") == []


def test_room_that_is_to_stay_free(tmp_path: Path) -> None:
    batches = [messages(number, number) for number in range(1, 100)]
    recorder = World(*batches).record(Plan(str(tmp_path / "a.mcap"), free=1 << 60))
    assert recorder.failed
    assert "bytes are free where" in recorder.reason
    assert numbers(tmp_path / "a.mcap") == list(range(1, recorder.recorded + 1))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_ends_it_and_the_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Full(module.Output):
        """A disk with room for some chunks of 300 kB."""

        def write(self, data: bytes) -> None:
            if self.size + len(data) > 1_500_000:
                raise OSError(number, os.strerror(number))
            super().write(data)

    monkeypatch.setattr(module, "Output", Full)
    batches = [messages(each, each, 30_000) for each in range(1, 200)]
    recorder = World(*batches).record(Plan(str(tmp_path / "a.mcap"), compression="none"))
    assert recorder.failed
    assert str(tmp_path / "a.mcap") in recorder.reason
    assert ("the disk is full" in recorder.reason) == (number != errno.EIO)
    assert numbers(tmp_path / "a.mcap") == list(range(1, recorder.recorded + 1))
    assert 30 <= recorder.recorded < 50
    assert said(tmp_path / "a.mcap")["recorded"] == str(recorder.recorded)
