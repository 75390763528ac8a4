from __future__ import annotations

import json
from pathlib import Path

import pytest

from zmqtopo.observe.recording.copy import as_json, copy
from zmqtopo.observe.recording.errors import WriteError
from zmqtopo.observe.recording.moment import moment
from zmqtopo.observe.recording.reader import Recording
from zmqtopo.observe.recording.selection import Selection
from zmqtopo.observe.tap.decode import decoder

from .conftest import Make


def test_a_part_is_a_recording_with_all_that_was_said(make: Make, tmp_path: Path) -> None:
    with Recording(str(make([[b"%d" % number] for number in range(10)]))) as recording:
        selection = Selection(since=moment("2ms"), until=moment("5ms"))
        assert copy(recording, selection, str(tmp_path / "part.mcap"), replace=False, library="test") == 3
    with Recording(str(tmp_path / "part.mcap")) as part:
        found = [(message.sequence, message.frames) for message in part.messages()]
        assert found == [(3, [b"2"]), (4, [b"3"]), (5, [b"4"])]
        assert part.cut is None
        assert part.attachments == {"topology.yaml": b"devices: {}\n"}
        assert part.metadata == {"topology": "made", "part": "yes"}
        assert [flow.metadata["in"] for flow in part.flows.values()] == ["PULL"]


def test_a_file_that_ends_in_the_middle_becomes_whole(make: Make, tmp_path: Path) -> None:
    with Recording(str(make([[b"x"]] * 5, finish=False))) as recording:
        copy(recording, Selection(), str(tmp_path / "part.mcap"), replace=False, library="test")
        assert recording.cut
    with Recording(str(tmp_path / "part.mcap")) as part:
        assert len(list(part.messages())) == 5
        assert part.cut is None


def test_a_full_disk_is_said(make: Make) -> None:
    with Recording(str(make([[b"x"]]))) as recording, pytest.raises(WriteError, match="/dev/full: No space left"):
        copy(recording, Selection(), "/dev/full", replace=True, library="test")


def test_a_message_as_json(make: Make) -> None:
    with Recording(str(make([["é".encode(), b"\xff\0", b"\x91\x07"]]))) as recording:
        line = as_json(next(recording.messages()), decoder(["auto"], None))
    assert line.endswith("\n")
    assert json.loads(line) == {
        "device": "jobs", "flow": "in_to_out", "number": 1, "time": "2026-11-18T11:06:40.000000000Z",
        "frames": [{"size": 2, "text": "é"}, {"size": 2, "hex": "ff00"}, {"size": 2, "msgpack": [7]}],
    }
