"""What the screens of one device show: lines that come in while they are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from zmqtopo.observe.log import MOST_LINES, Log

LINES_KEPT: Final = 2000
"""Lines of a feed that are kept; older ones make way."""


class Feed(Protocol):
    """Lines that somebody waits for."""

    def read(self, timeout: float) -> list[str]:
        """What has come, after ``timeout`` seconds at most."""

    def close(self) -> None:
        """Nobody wants more."""


Views = dict[str, tuple[str, Callable[[str, str], Feed]]]
"""By key: what a screen of one device shows, in a word, and what opens its feed of topology and device."""


class LogFeed:
    """The log of a topology as far as it is about one device."""

    def __init__(self, topology: str, device: str) -> None:
        self._log = Log(topology)
        self._device = device
        self._over = threading.Event()
        self._log.new()     # what comes from here on is new
        self._unread = self._log.last(MOST_LINES)

    def read(self, timeout: float) -> list[str]:
        """What has been written."""
        entries, self._unread = self._unread, []
        if not entries:
            self._over.wait(timeout)
            entries = self._log.new()
        return [f"{entry.get('time', '')} {entry['message']}" for entry in entries
                if entry.get("device") == self._device]

    def close(self) -> None:
        """Wait no longer."""
        self._over.set()


VIEWS: Final[Views] = {"l": ("log", LogFeed)}
"""What the keys t, p and l show."""
