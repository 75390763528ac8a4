"""A part of a recording as a recording of its own, or as lines of JSON."""

from __future__ import annotations

import json

from zmqtopo.observe.recording.errors import WriteError
from zmqtopo.observe.recording.output import Output
from zmqtopo.observe.recording.reader import Recorded, Recording
from zmqtopo.observe.recording.selection import Selection
from zmqtopo.observe.recording.writer import Writer
from zmqtopo.observe.tap.decode import Decode
from zmqtopo.observe.tap.decode import message as as_dict
from zmqtopo.observe.tap.reader import Tapped


def copy(recording: Recording, selection: Selection, path: str, *, replace: bool, library: str) -> int:
    """Write what is selected to ``path``, with all that the recording says; how many messages.

    Raises RecordingError and WriteError.
    """
    output = Output(path, replace=replace)
    try:
        writer = Writer(output, library)
        channels: dict[int, int] = {}
        for message in selection.of(recording):
            flow = message.flow
            if flow.id not in channels:
                channels[flow.id] = writer.channel(flow.topic, flow.metadata)
            writer.add(channels[flow.id], message.sequence, message.time, message.data)
        writer.flush()
        for name, data in recording.attachments.items():
            writer.attachment(name, "application/yaml", data, writer.latest)
        writer.metadata("zmqtopo", recording.metadata | {"part": "yes"})
        writer.finish()
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from None
    finally:
        output.close()
    return writer.written


def as_json(message: Recorded, decode: Decode) -> str:
    """A message as a line of JSON, in the form of ``zmqtopo tap --format json``."""
    flow = message.flow
    tapped = Tapped(flow.device, flow.name, message.sequence, message.time, message.frames)
    return json.dumps(as_dict(tapped, decode)) + "\n"
