"""How late messages were, in a space that does not grow with their number."""

from __future__ import annotations

from collections import Counter


class Lateness:
    """Counts delays in classes whose width is at most 1/64 of the delay."""

    def __init__(self) -> None:
        self._classes: Counter[int] = Counter()
        self.most = 0
        """The longest delay in ns."""

    def add(self, delay: int) -> None:
        """Count a delay in ns; one that is negative was in time."""
        if delay <= 0:
            self._classes[0] += 1
            return
        self.most = max(delay, self.most)
        shift = max(delay.bit_length() - 7, 0)
        self._classes[(delay >> shift) << shift] += 1

    def quantile(self, share: float) -> int:
        """The delay in ns that at least this share of all did not exceed, rounded down to its class; 0 without any."""
        rest = share * self._classes.total()
        for delay, count in sorted(self._classes.items()):
            rest -= count
            if rest <= 0:
                return delay
        return 0
