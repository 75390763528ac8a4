"""Writes MCAP (https://mcap.dev/spec): chunks of messages, and at the end a summary that lets readers jump to a time.

The package's own writer counts what a full disk has refused as written, and takes twice the time for a message; the
records that are not messages are those of the package.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Statistics,
    SummaryOffset,
)

from zmqtopo.observe.recording.output import Output

MAGIC: Final = b"\x89MCAP0\r\n"
CHUNK_SIZE: Final = 1 << 20
"""Bytes of messages after which a chunk ends: what readers have to hold in memory, and enough to compress well."""
COMPRESSIONS: Final = ("zstd", "lz4", "none")
_RECORD: Final = struct.Struct("<BQ")
_MESSAGE: Final = struct.Struct("<BQHIQQ")
_MESSAGE_HEAD: Final = _MESSAGE.size - _RECORD.size
_INDEX: Final = struct.Struct("<BQHI")


class Writer:
    """Writes one file. All that writes raises OSError; what is in the file then are whole records."""

    def __init__(self, output: Output, library: str, compression: str = "zstd") -> None:
        """Begin the file; ``library`` says who writes it."""
        self._output = output
        self._compression = "" if compression == "none" else compression
        self._compress = _compressor(compression)
        self._channels: dict[int, Channel] = {}
        self._counts: dict[int, int] = {}
        self._chunk_indexes: list[ChunkIndex] = []
        self._attachment_indexes: list[AttachmentIndex] = []
        self._metadata_indexes: list[MetadataIndex] = []
        self.written = 0
        """Messages in the file; those of the open chunk are not."""
        self.earliest: int | None = None
        """Time of the first of them, in ns since 1970."""
        self.latest = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._first: int | None = None
        self._last = 0
        self._indexes: dict[int, list[int]] = {}
        output.write(MAGIC + _bytes(Header(profile="zmqtopo", library=library)))

    def channel(self, topic: str, metadata: Mapping[str, str]) -> int:
        """Begin a channel; its number."""
        # Outside of chunks, so that a chunk that cannot be written takes no channel with it.
        channel = Channel(id=len(self._channels) + 1, topic=topic, message_encoding="msgpack",
                          metadata=dict(metadata), schema_id=0)
        self._output.write(_bytes(channel))
        self._channels[channel.id] = channel
        self._counts[channel.id] = 0
        return channel.id

    def add(self, channel: int, sequence: int, time: int, data: bytes) -> None:
        """Add a message; ``time`` in ns since 1970. It may end a chunk."""
        if self._first is None:
            self._first = self._last = time
        elif time < self._first:
            self._first = time
        elif time > self._last:
            self._last = time
        # A reader finds a message in the chunk by its time and its offset.
        self._indexes.setdefault(channel, []).extend((time, self._size))
        head = _MESSAGE.pack(0x05, _MESSAGE_HEAD + len(data), channel, sequence & 0xFFFFFFFF, time, time)
        self._parts += (head, data)
        self._size += _MESSAGE.size + len(data)
        if self._size >= CHUNK_SIZE:
            self.flush()

    @property
    def waiting(self) -> int:
        """Messages in the open chunk."""
        return sum(len(index) for index in self._indexes.values()) // 2

    def flush(self) -> None:
        """Write the open chunk, if there is anything in it."""
        if self._first is None:
            return
        messages = b"".join(self._parts)
        data = self._compress(messages)
        chunk = Chunk(
            compression=self._compression, data=data, message_start_time=self._first, message_end_time=self._last,
            uncompressed_crc=zlib.crc32(messages), uncompressed_size=len(messages),
        )
        record = _bytes(chunk)
        start = self._output.size
        offsets, parts, at = {}, [record], start + len(record)
        for channel, index in self._indexes.items():
            offsets[channel] = at
            parts.append(_INDEX.pack(0x07, 6 + 8 * len(index), channel, 8 * len(index)))
            parts.append(struct.pack(f"<{len(index)}Q", *index))
            at += len(parts[-1]) + len(parts[-2])
        counts = {channel: len(index) // 2 for channel, index in self._indexes.items()}
        self._begin_chunk()     # also when it cannot be written: its messages are gone then
        self._output.write(b"".join(parts))
        self._chunk_indexes.append(ChunkIndex(
            message_start_time=chunk.message_start_time, message_end_time=chunk.message_end_time,
            chunk_start_offset=start, chunk_length=len(record), message_index_offsets=offsets,
            message_index_length=at - start - len(record), compression=chunk.compression,
            compressed_size=len(data), uncompressed_size=chunk.uncompressed_size,
        ))
        for channel, count in counts.items():
            self._counts[channel] += count
        self.written += sum(counts.values())
        self.earliest = min(chunk.message_start_time, self.earliest or chunk.message_start_time)
        self.latest = max(chunk.message_end_time, self.latest)

    def attachment(self, name: str, media_type: str, data: bytes, time: int) -> None:
        """Add a file; ``time`` in ns since 1970."""
        start = self._output.size
        record = _bytes(Attachment(create_time=0, log_time=time, name=name, media_type=media_type, data=data))
        self._output.write(record)
        self._attachment_indexes.append(AttachmentIndex(
            offset=start, length=len(record), create_time=0, log_time=time, data_size=len(data), name=name,
            media_type=media_type,
        ))

    def metadata(self, name: str, data: Mapping[str, str]) -> None:
        """Add a record of names and values."""
        start = self._output.size
        record = _bytes(Metadata(name=name, metadata=dict(data)))
        self._output.write(record)
        self._metadata_indexes.append(MetadataIndex(offset=start, length=len(record), name=name))

    def finish(self) -> None:
        """End the file with its summary, which has no message of the open chunk."""
        end = _bytes(DataEnd(data_section_crc=0))
        start = self._output.size + len(end)
        groups: list[tuple[Opcode, list[Any]]] = [
            (Opcode.CHANNEL, list(self._channels.values())),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, self._chunk_indexes),
            (Opcode.ATTACHMENT_INDEX, self._attachment_indexes),
            (Opcode.METADATA_INDEX, self._metadata_indexes),
        ]
        summary, offsets = b"", b""
        for opcode, records in groups:
            group = b"".join(map(_bytes, records))
            if group:
                offsets += _bytes(SummaryOffset(
                    group_opcode=opcode, group_start=start + len(summary), group_length=len(group)
                ))
            summary += group
        offset_start = start + len(summary)
        summary += offsets
        head = struct.pack("<BQQQ", Opcode.FOOTER, 20, start, offset_start)
        footer = Footer(summary_start=start, summary_offset_start=offset_start,
                        summary_crc=zlib.crc32(head, zlib.crc32(summary)))
        self._output.write(end + summary + _bytes(footer) + MAGIC)

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=len(self._attachment_indexes), channel_count=len(self._channels),
            channel_message_counts={channel: count for channel, count in self._counts.items() if count},
            chunk_count=len(self._chunk_indexes), message_count=self.written,
            metadata_count=len(self._metadata_indexes), message_start_time=self.earliest or 0,
            message_end_time=self.latest, schema_count=0,
        )

    def _begin_chunk(self) -> None:
        self._parts, self._size, self._indexes = [], 0, {}
        self._first, self._last = None, 0


def _bytes(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return bytes(builder.end())     # type: ignore[no-untyped-call]


def _compressor(compression: str) -> Callable[[bytes], bytes]:
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=1).compress   # as fast as lz4 here, and half as large
    if compression == "lz4":
        import lz4.frame  # type: ignore[import-untyped]

        compress: Callable[[bytes], bytes] = lz4.frame.compress
        return compress
    return bytes
