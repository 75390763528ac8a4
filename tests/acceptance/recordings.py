"""Recordings made for tests, without a topology."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from zmqtopo.observe.recording.frames import pack
from zmqtopo.observe.recording.output import Output
from zmqtopo.observe.recording.writer import Writer


def record(
    path: Path, messages: Sequence[Sequence[bytes]], *, devices: Sequence[str] = ("jobs",), flow: str = "in_to_out",
    types: tuple[str, str] = ("PULL", "PUSH"), interval: float = 0.001,
) -> None:
    """Write messages, so many seconds apart, of each of the devices."""
    output = Output(str(path))
    writer = Writer(output, "zmqtopo test")
    channels = [
        writer.channel(f"{device}.{flow}", {"device": device, "flow": flow, "in": types[0], "out": types[1]})
        for device in devices
    ]
    begin = time.time_ns()
    for number, frames in enumerate(messages):
        for channel in channels:
            writer.add(channel, number + 1, begin + round(number * interval * 1e9), pack(frames))
    writer.flush()
    writer.finish()
    output.close()
