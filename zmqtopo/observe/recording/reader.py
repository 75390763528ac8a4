"""Reads recordings: from the beginning, in the order of the file, and as far as there are whole records.

The package's readers want the summary at the end, which a file does not have whose writer was killed, and take any
length for true that a damaged file says.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self, TypeVar

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Footer, Header, Metadata

from zmqtopo.config.wording import quote
from zmqtopo.observe.recording.errors import RecordingError
from zmqtopo.observe.recording.frames import unpack
from zmqtopo.observe.recording.writer import MAGIC

LONGEST_RECORD: Final = 1 << 30
"""Bytes of a record, or of a chunk when it is decompressed; a chunk of ours is as long as a message, or 1 MiB."""
_RECORD: Final = struct.Struct("<BQ")
_MESSAGE: Final = struct.Struct("<HIQQ")
_Record = TypeVar("_Record")


@dataclass(slots=True, eq=False)
class Flow:
    """One way through one device, ``name`` in_to_out or out_to_in: a channel of the file."""

    id: int
    topic: str
    metadata: dict[str, str]
    device: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        device, _, name = self.topic.rpartition(".")
        self.device = self.metadata.get("device", device)
        self.name = self.metadata.get("flow", name)


class Recorded(NamedTuple):
    """A message of a recording; ``sequence`` are the low 32 bits of its number, ``time`` is in ns since 1970."""

    flow: Flow
    sequence: int
    time: int
    data: bytes

    @property
    def frames(self) -> list[bytes]:
        """Its frames. Raises RecordingError where the file has something else."""
        try:
            return unpack(self.data)
        except ValueError as error:
            raise RecordingError(f"message {self.sequence} of {self.flow.topic} cannot be read: {error}") from None


class CutError(Exception):
    """The file ends, or is damaged, where a record should be; the message says which."""


class Recording:
    """A recording that is read once from its beginning to its end."""

    def __init__(self, path: str) -> None:
        """Open ``path``, ``-`` for standard input, and read what comes before messages. Raises RecordingError."""
        self.path = path
        self.name = "standard input" if path == "-" else quote(path)
        self.flows: dict[int, Flow] = {}
        self.metadata: dict[str, str] = {}
        """What the recorder says of itself and, at the end, of what it has recorded."""
        self.attachments: dict[str, bytes] = {}
        self.cut: str | None = None
        """Where and why the file could not be read to its end; None until then, and for a whole one."""
        self.cut_at: int | None = None
        """The byte up to which it could be read, if it is cut."""
        self.position = 0
        """Bytes that have been read."""
        self._file = self._open()
        try:
            self._records = self._all()
            self._ahead = next(self._records, None)
        except BaseException:
            self.close()
            raise

    def messages(self) -> Iterator[Recorded]:
        """The messages, in the order of the file. Raises RecordingError for what is not a recording."""
        if self._ahead is not None:
            first, self._ahead = self._ahead, None
            yield first
            yield from self._records

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened; of a pipe, those that have been read."""
        return self.position if self._size is None else self._size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the file ----------------------------------------------------------------------------------------------------

    def _open(self) -> IO[bytes]:
        try:
            # A named pipe whose writer is yet to come opens at once, and is refused.
            descriptor = os.dup(0) if self.path == "-" else os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise RecordingError(f"{self.name} cannot be read: {error.strerror}") from None
        info = os.fstat(descriptor)
        regular = stat.S_ISREG(info.st_mode)
        self._size = info.st_size if regular else None
        if stat.S_ISDIR(info.st_mode) or (not regular and self.path != "-"):
            os.close(descriptor)
            hint = "; its content may come from standard input, as -" if stat.S_ISFIFO(info.st_mode) else ""
            kind = "a folder and not a file" if stat.S_ISDIR(info.st_mode) else "not a file"
            raise RecordingError(f"{self.name} is {kind}{hint}")
        return os.fdopen(descriptor, "rb")

    def _read(self, size: int) -> bytes:
        """So many bytes; raises CutError when there are fewer."""
        left = LONGEST_RECORD if self._size is None else self._size - self.position
        if size > min(left, LONGEST_RECORD):
            raise CutError("the file ends in the middle of a record" if size <= LONGEST_RECORD
                           else "what follows is not a record")
        try:
            data = self._file.read(size)
        except OSError as error:
            raise CutError(f"the file cannot be read further: {error.strerror}") from None
        self.position += len(data)
        if len(data) < size:
            raise CutError("the file ends in the middle of a record")
        return data

    # -- records -----------------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[Recorded]:
        self._begin()
        whole = self.position
        try:
            while True:
                opcode, size = _RECORD.unpack(self._read(_RECORD.size))
                body = self._read(size)
                if opcode == Opcode.FOOTER:
                    _parse(Footer.read, body)
                    if self._read(len(MAGIC)) != MAGIC:
                        raise CutError("what ends the file is damaged")
                    return
                yield from self._take(opcode, body)
                whole = self.position
        except CutError as error:
            self.cut_at = whole
            self.cut = f"cut at byte {whole:,}: {error}"

    def _begin(self) -> None:
        try:
            if self._read(len(MAGIC)) != MAGIC:
                raise CutError
            opcode, size = _RECORD.unpack(self._read(_RECORD.size))
            if opcode != Opcode.HEADER:
                raise CutError
            header = _parse(Header.read, self._read(size))
        except CutError:
            what = "is empty" if self.position == 0 and not self._size and self._size is not None else (
                "is not a recording: it is not an MCAP file")
            raise RecordingError(f"{self.name} {what}") from None
        if header.profile != "zmqtopo":
            who = quote(header.library) if header.library else "another program"
            raise RecordingError(f"{self.name} is not a recording of zmqtopo: it is an MCAP file of {who}")

    def _take(self, opcode: int, body: bytes) -> Iterator[Recorded]:
        match opcode:
            case Opcode.CHUNK:
                for inner, part in self._inside(_parse(Chunk.read, body)):
                    yield from self._take(inner, part)
            case Opcode.MESSAGE:
                yield self._message(body)
            case Opcode.CHANNEL:
                channel = _parse(Channel.read, body)
                self.flows.setdefault(channel.id, Flow(channel.id, channel.topic, channel.metadata))
            case Opcode.METADATA:
                metadata = _parse(Metadata.read, body)
                if metadata.name == "zmqtopo":
                    self.metadata |= metadata.metadata
            case Opcode.ATTACHMENT:
                attachment = _parse(Attachment.read, body)
                self.attachments[attachment.name] = attachment.data

    def _inside(self, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
        data = _decompressed(chunk)
        if chunk.uncompressed_crc not in (0, zlib.crc32(data)):
            raise CutError("a chunk is damaged")
        at = 0
        while at + _RECORD.size <= len(data):
            opcode, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if opcode == Opcode.CHUNK or at + size > len(data):
                raise CutError("a chunk is damaged")
            yield opcode, data[at : at + size]
            at += size

    def _message(self, body: bytes) -> Recorded:
        if len(body) < _MESSAGE.size:
            raise CutError("a message is damaged")
        channel, sequence, time, _ = _MESSAGE.unpack_from(body)
        if channel not in self.flows:
            raise CutError("a message is damaged")
        return Recorded(self.flows[channel], sequence, time, body[_MESSAGE.size:])


def _parse(read: Callable[[ReadDataStream], _Record], body: bytes) -> _Record:
    try:
        return read(ReadDataStream(io.BytesIO(body)))
    except (McapError, struct.error, ValueError) as error:
        raise CutError("a record is damaged") from error


def _decompressed(chunk: Chunk) -> bytes:
    """The records of a chunk; never more than it says that it has."""
    size = chunk.uncompressed_size
    if size > LONGEST_RECORD:
        raise CutError(f"a chunk of {size:,} bytes is longer than this program reads")
    data: Any = chunk.data
    try:
        if chunk.compression == "zstd":
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(chunk.data) as stream:
                data = stream.read(size) if size else b""
        elif chunk.compression == "lz4":
            import lz4.frame  # type: ignore[import-untyped]

            data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size)
        elif chunk.compression:
            raise CutError(f"there is no decompression for {quote(chunk.compression)}")
    except CutError:
        raise
    except Exception as error:      # of a C library each, and each of its own kind
        raise CutError("a chunk is damaged") from error
    if len(data) != size:
        raise CutError("a chunk is damaged")
    return bytes(data)
