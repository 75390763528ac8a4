from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest
from mcap.writer import CompressionType
from mcap.writer import Writer as OtherWriter

from zmqtopo.observe.recording.errors import RecordingError
from zmqtopo.observe.recording.reader import Recording
from zmqtopo.observe.recording.writer import COMPRESSIONS

from .conftest import START, Make

MESSAGES = [[b"%d" % number, os.urandom(20)] for number in range(300)]


def read(path: Path) -> tuple[list[list[bytes]], str | None]:
    with Recording(str(path)) as recording:
        return [message.frames for message in recording.messages()], recording.cut


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_it_reads_what_is_written(make: Make, compression: str) -> None:
    path = make(MESSAGES, compression=compression)
    assert read(path) == (MESSAGES, None)
    with Recording(str(path)) as recording:
        # Before the first message is taken.
        assert recording.metadata == {"topology": "made"}
        assert recording.attachments == {"topology.yaml": b"devices: {}\n"}
        assert [(flow.device, flow.name) for flow in recording.flows.values()] == [("jobs", "in_to_out")]
        assert next(recording.messages()).time == START


def test_a_file_without_its_end_is_read(make: Make) -> None:
    frames, cut = read(make(MESSAGES, finish=False))
    assert frames == MESSAGES
    assert cut is not None
    assert "the file ends in the middle of a record" in cut


def test_a_file_is_read_up_to_any_cut(make: Make, tmp_path: Path) -> None:
    whole = make(MESSAGES).read_bytes()
    most = 0
    for size in range(60, len(whole), 97):
        part = tmp_path / "part.mcap"
        part.write_bytes(whole[:size])
        frames, cut = read(part)
        assert frames == MESSAGES[: len(frames)]
        assert len(frames) % 100 == 0
        assert len(frames) >= most
        assert cut is not None
        most = len(frames)
    assert most == 300


def test_damage_ends_it_and_no_message_is_wrong(make: Make, tmp_path: Path) -> None:
    whole = make(MESSAGES).read_bytes()
    choose = random.Random(5)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(3):
            data[choose.randrange(60, len(data))] = choose.randrange(256)
        (tmp_path / "bad.mcap").write_bytes(data)
        try:
            frames, _ = read(tmp_path / "bad.mcap")
        except RecordingError:
            continue
        assert all(frame in MESSAGES for frame in frames)


def test_a_length_without_bound_is_not_believed(make: Make, tmp_path: Path) -> None:
    data = make([], finish=False).read_bytes()
    (tmp_path / "bad.mcap").write_bytes(data + struct.pack("<BQ", 6, 1 << 62) + bytes(100))
    frames, cut = read(tmp_path / "bad.mcap")
    assert frames == []
    assert cut is not None
    assert "what follows is not a record" in cut


@pytest.mark.parametrize(("content", "words"), [
    (b"", "is empty"),
    (b"devices: {}\n", "it is not an MCAP file"),
    (b"\x89MCAP0\r\n", "it is not an MCAP file"),
    (os.urandom(4000), "it is not an MCAP file"),
])
def test_what_is_no_recording_is_said_to_be_none(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.mcap").write_bytes(content)
    with pytest.raises(RecordingError, match=words):
        Recording(str(tmp_path / "a.mcap"))


def test_an_mcap_file_of_another_program_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    writer = OtherWriter(str(path), compression=CompressionType.LZ4)
    writer.start("ros2", library="libmcap 1.0")
    writer.finish()     # type: ignore[no-untyped-call]
    with pytest.raises(RecordingError, match=r"it is an MCAP file of 'libmcap 1.0'"):
        Recording(str(path))


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match=r"is not a file; its content may come from standard input"):
        Recording(str(tmp_path / "pipe"))
    with pytest.raises(RecordingError, match="is a folder and not a file"):
        Recording(str(tmp_path))
    with pytest.raises(RecordingError, match="No such file"):
        Recording(str(tmp_path / "nothing"))
    with pytest.raises(RecordingError, match="is not a file"):
        Recording("/dev/null")
