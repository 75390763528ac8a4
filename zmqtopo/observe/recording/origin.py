"""What a recording says of where it comes from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from zmqtopo import __version__
from zmqtopo.config.secrets import concealed_lines

LONGEST_FILE: Final = 16 << 20
"""Bytes of a topology that is attached; a longer one is left out."""


def metadata(topology: str, source: str, said: Mapping[str, str]) -> dict[str, str]:
    """Versions, host and topology, with what else is to be said."""
    import zmq

    return {
        "zmqtopo": __version__, "pyzmq": zmq.__version__, "libzmq": zmq.zmq_version(),
        "python": platform.python_version(), "host": platform.node(), "topology": topology, "file": source, **said,
    }


def attachments(source: str) -> dict[str, bytes]:
    """The file of a topology as it is now, with asterisks for secrets; nothing when it cannot be read."""
    try:
        with Path(source).open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
        if source == "-" or len(data) > LONGEST_FILE:
            return {}
        lines = data.decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return {}
    return {"topology.yaml": "\n".join(concealed_lines(lines)).encode()}


def description(device: Mapping[str, Any]) -> dict[str, str]:
    """What is said of a device in its channels, from what ``ps`` says."""
    told = {"type": str(device.get("type", ""))}
    for role in ("in", "out"):
        told[role] = str(device.get("sockets", {}).get(role) or "")
        told[f"{role}_endpoints"] = " ".join(device.get("endpoints", {}).get(role, ()))
    return told


def descriptions(devices: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The same of several, by name."""
    return {str(device["name"]): description(device) for device in devices}
