"""Recordings made for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from zmqtopo.observe.recording.frames import pack
from zmqtopo.observe.recording.output import Output
from zmqtopo.observe.recording.writer import Writer

START = 1_795_000_000_000_000_000
"""A time in ns since 1970."""
MILLISECOND = 1_000_000

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a recording of one flow: messages of these frames, a millisecond apart."""

    def make(
        messages: Iterable[list[bytes]], name: str = "made.mcap", *, device: str = "jobs", flow: str = "in_to_out",
        types: tuple[str, str] = ("PULL", "PUSH"), chunk: int = 100, finish: bool = True, compression: str = "zstd",
    ) -> Path:
        path = tmp_path / name
        output = Output(str(path))
        writer = Writer(output, "zmqtopo test", compression)
        writer.metadata("zmqtopo", {"topology": "made"})
        writer.attachment("topology.yaml", "application/yaml", b"devices: {}\n", START)
        channel = writer.channel(f"{device}.{flow}", {
            "device": device, "flow": flow, "in": types[0], "out": types[1]})
        for number, frames in enumerate(messages):
            writer.add(channel, number + 1, START + number * MILLISECOND, pack(frames))
            if number % chunk == chunk - 1:
                writer.flush()
        writer.flush()
        if finish:
            writer.finish()
        output.close()
        return path

    return make
