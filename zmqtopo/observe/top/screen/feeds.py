"""What the screens of one device show: lines that come in while they are looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from zmqtopo.control.client import connect
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.log import MOST_LINES, Log
from zmqtopo.observe.peers import PRESENT, Peers, ask, name
from zmqtopo.observe.peers.watch import Changes, text
from zmqtopo.observe.tap.decode import decoder
from zmqtopo.observe.tap.printers import TextPrinter
from zmqtopo.observe.tap.reader import TapReader
from zmqtopo.report.figures import duration

LINES_KEPT: Final = 2000
"""Lines of a feed that are kept; older ones make way."""


MESSAGES_AT_ONCE: Final = 20
"""Messages that are shown of what has come since the last look, four times a second: more nobody reads."""

HEAD: Final = 200
"""Bytes of a frame that are shown."""


PEERS_INTERVAL: Final = 1.0
"""Seconds between two looks at who is connected."""


class Feed(Protocol):
    """Lines that somebody waits for, in one thread."""

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


class TapFeed:
    """What passes one device, the latest of it: as much as can be read."""

    def __init__(self, topology: str, device: str) -> None:
        """Look on from now on. Raises ControlError."""
        self._reader = TapReader(connect(topology), [device])
        self._lines: list[str] = []
        self._printer = TextPrinter(self._take, decoder(["auto"], HEAD))
        self._left_out = 0
        self._is_told = False

    def read(self, timeout: float) -> list[str]:
        """The last messages, and how many passed beside them."""
        messages = self._reader.receive(timeout)
        shown = messages[-MESSAGES_AT_ONCE:]
        left_out, self._left_out = self._left_out, self._reader.left_out
        missing = len(messages) - len(shown) + self._left_out - left_out
        if missing > 0 and shown:
            self._printer.gap(shown[0], missing)
        for message in shown:
            self._printer.message(message)
        self._lines += self._reader.notes()
        if self._reader.ended and not self._is_told:
            self._is_told = True
            self._lines.append(self._reader.ended)
        elif self._is_told:
            time.sleep(timeout)     # nothing more will come
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """Look on no more."""
        self._reader.close()

    def _take(self, text: str | bytes) -> None:
        self._lines.append(str(text).rstrip("\n"))


class PeersFeed:
    """Who is connected to a device, and then who comes, goes and cannot get in."""

    def __init__(self, topology: str, device: str) -> None:
        """Look for the first time. Raises ControlError."""
        self._over = threading.Event()
        self._device = device
        self._client = connect(topology)
        try:
            found = self._ask()
        except BaseException:
            self._client.close()
            raise
        rows = found.of(*PRESENT)
        self._lines = [_present(row) for row in rows] or ["nobody is connected"]
        if any(one["noted"] == "off" for one in found.devices):
            self._lines = ["peers are not tracked for this device: its file says peers: false"]
        self._changes = Changes(found)
        self._at = time.monotonic()

    def read(self, timeout: float) -> list[str]:
        """What has happened, seen once a second."""
        if not self._lines:
            self._over.wait(timeout)
            if time.monotonic() - self._at >= PEERS_INTERVAL:
                self._at = time.monotonic()
                self._lines = [f"{time.strftime('%H:%M:%S', time.localtime(event['time']))} {text(event)}"
                               for event in self._changes.since(self._ask())]
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._client.close()

    def _ask(self) -> Peers:
        found = ask(self._client, [self._device])
        if found.refusal is not None:
            raise ControlError("; ".join(map(str, found.refusal.get("errors", ()))))
        return found


def _present(row: dict[str, Any]) -> str:
    since = f" for {duration(max(time.time() - row['since'], 0))}" if row["since"] else ""
    return f"{row['socket']:<3} {name(row)}: {row['state']}{since}"


VIEWS: Final[Views] = {"l": ("log", LogFeed), "p": ("peers", PeersFeed), "t": ("messages", TapFeed)}
"""What the keys t, p and l show."""
