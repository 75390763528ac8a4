"""What a terminal shows while devices stop: how many messages wait, and how long that may still take."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from zmqtopo.control.client import connect
from zmqtopo.control.errors import ControlError

INTERVAL: Final = 0.5
"""Seconds before the first line, which most stops never show, and between two."""

CLEAR: Final = "\r\x1b[K"
"""Go back to the begin of the line and erase it (ECMA-48)."""


@contextlib.contextmanager
def shown(topology: str) -> Iterator[None]:
    """Show on stderr, if it is a terminal, which devices of a topology are draining; one line, updated in place."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    shower = threading.Thread(target=_show, args=(topology, over), name="zmqtopo draining", daemon=True)
    shower.start()
    try:
        yield
    finally:
        over.set()
        shower.join()


def draining(devices: Sequence[dict[str, Any]]) -> str:
    """A line about the devices that stop, from what ``ps`` says; empty when there is none."""
    return "; ".join(_told(device) for device in devices if device["state"] == "stopping")


def _told(device: dict[str, Any]) -> str:
    waiting = sum(flow["in_hand"] for flow in device["counters"].values())
    left = device["stops_within"]
    within = "" if left is None else f", {math.ceil(left)} s left"
    # More may wait in libzmq's queues.
    count = f", at least {waiting:,} waiting" if waiting else ""
    return f"{device['name']}: draining{count}{within}"


def _show(topology: str, over: threading.Event) -> None:
    visible = False
    try:
        # A connection of its own: on the other one the answer of the stop is awaited.
        while not over.wait(INTERVAL):
            with connect(topology) as client:
                line = draining(client.devices())
            if line or visible:
                width = shutil.get_terminal_size().columns - 1
                print(f"{CLEAR}{line[:width]}", end="", file=sys.stderr, flush=True)
                visible = True
    except (ControlError, OSError):
        pass        # it has ended, or is not to be asked; the command's own answer says more
    if visible:
        with contextlib.suppress(OSError):
            print(CLEAR, end="", file=sys.stderr, flush=True)
