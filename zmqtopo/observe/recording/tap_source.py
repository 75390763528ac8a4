"""What a tap shows, as a recorder takes it, with what becomes of the devices meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zmqtopo.observe.recording.recorder import SourceEnded
from zmqtopo.observe.tap.reader import Tapped, TapReader


class TapSource:
    """A `Source` over a tap; ``say`` is told what happens to the devices."""

    def __init__(self, reader: TapReader, say: Callable[[str], None]) -> None:
        self._reader = reader
        self._say = say

    def receive(self, timeout: float) -> Sequence[Tapped]:
        """As `Source` says."""
        tapped = self._reader.receive(timeout)
        self._tell()
        if not tapped and self._reader.ended:
            raise SourceEnded(self._reader.ended)
        return tapped

    def rest(self) -> Sequence[Tapped]:
        """As `Source` says; then what has passed is known exactly."""
        self._reader.settle()
        tapped = self._reader.receive(0)
        self._tell()
        return tapped

    def _tell(self) -> None:
        for note in self._reader.notes():
            self._say(note)
