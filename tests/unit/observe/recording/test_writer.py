from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader

from zmqtopo.observe.recording.frames import pack, unpack
from zmqtopo.observe.recording.output import Output
from zmqtopo.observe.recording.reader import Recording
from zmqtopo.observe.recording.writer import COMPRESSIONS, Writer

from .conftest import MILLISECOND, START, Make


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_reader_of_mcap_reads_it(make: Make, compression: str) -> None:
    path = make(([b"%d" % number, b"\0\xff"] for number in range(250)), compression=compression)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert (summary.statistics.message_count, summary.statistics.chunk_count) == (250, 3)
        found = list(reader.iter_messages())
        assert [unpack(message.data) for _, _, message in found] == [[b"%d" % n, b"\0\xff"] for n in range(250)]
        assert [message.sequence for _, _, message in found] == list(range(1, 251))
        channel = found[0][1]
        assert (channel.topic, channel.message_encoding) == ("jobs.in_to_out", "msgpack")
        assert channel.metadata == {"device": "jobs", "flow": "in_to_out", "in": "PULL", "out": "PUSH"}
        # It finds a time by the index.
        part = reader.iter_messages(starting_at=START + 100 * MILLISECOND, ending_before=START + 103 * MILLISECOND)
        assert [message.sequence for _, _, message in part] == [101, 102, 103]
        assert [attachment.data for attachment in reader.iter_attachments()] == [b"devices: {}\n"]
        assert [metadata.metadata for metadata in reader.iter_metadata()] == [{"topology": "made"}]


def test_a_number_beyond_32_bits_keeps_its_low_ones(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "a.mcap"))
    writer = Writer(output, "test")
    writer.add(writer.channel("a.in_to_out", {}), (1 << 32) + 5, START, pack([b"x"]))
    writer.flush()
    output.close()
    with Recording(str(tmp_path / "a.mcap")) as recording:
        assert [message.sequence for message in recording.messages()] == [5]


def test_chunks_end_by_themselves(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "a.mcap"))
    writer = Writer(output, "test")
    channel = writer.channel("a.in_to_out", {})
    for number in range(5):
        writer.add(channel, number, START, pack([bytes(300_000)]))
    assert (writer.written, writer.waiting) == (4, 1)
    output.close()


class Full(Output):
    """A disk that takes no more than so many bytes."""

    room = 1 << 60

    def write(self, data: bytes) -> None:
        if self.size + len(data) > self.room:
            raise OSError(28, "No space left on device")
        super().write(data)


def test_what_a_full_disk_refuses_does_not_count(tmp_path: Path) -> None:
    output = Full(str(tmp_path / "a.mcap"))
    writer = Writer(output, "test", "none")
    channel = writer.channel("a.in_to_out", {})
    writer.add(channel, 1, START, pack([os.urandom(1000)]))
    writer.flush()
    output.room = output.size + 600
    writer.add(channel, 2, START + 1, pack([os.urandom(1000)]))
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    assert (writer.written, writer.waiting) == (1, 0)
    writer.finish()     # the room of the chunk that did not fit is enough for the end
    output.close()
    with (tmp_path / "a.mcap").open("rb") as file:
        reader: Any = make_reader(file)
        assert [message.sequence for _, _, message in reader.iter_messages()] == [1]
        assert reader.get_summary().statistics.message_count == 1
