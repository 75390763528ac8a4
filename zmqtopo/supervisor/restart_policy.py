"""Whether a device that has ended starts again, and when."""

from __future__ import annotations

from dataclasses import dataclass

from zmqtopo.config.model import Restart


@dataclass(frozen=True, slots=True)
class NoRestart:
    """It is not started again; ``error`` is its last one, empty when it has ended without one."""

    error: str


def restart_delay(restart: Restart, failures: int, error: str, jitter: float) -> float | NoRestart:
    """Seconds to wait before a device that has ended by itself for the ``failures``th time in a row starts again.

    The wait doubles with each failure in a row up to a cap, and ``jitter`` (0 to 1) spreads it over its upper half, so
    that devices that fell together do not come back together.
    """
    if restart.policy == "never" or (restart.policy == "on-failure" and not error):
        return NoRestart(error)
    if restart.max_retries is not None and failures > restart.max_retries:
        retries = "1 retry" if restart.max_retries == 1 else f"{restart.max_retries} retries"
        return NoRestart(f"{error} (after {retries})")
    first, most = restart.backoff
    wait: float = min(first * 2 ** min(failures - 1, 32), most)
    return wait * (0.5 + jitter / 2)
