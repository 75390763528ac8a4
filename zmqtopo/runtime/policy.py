"""Whether a device that has ended starts again, and when."""

from __future__ import annotations

from zmqtopo.runtime.member import Member


class GivenUpError(Exception):
    """It is not started again; the message is its last error, empty when it has ended without one."""


def wait_before_restart(member: Member, error: str, now: float, jitter: float) -> float:
    """Seconds to wait before a device that has ended by itself starts again; counts the failure.

    The wait doubles with each failure in a row up to a cap, and ``jitter`` (0 to 1) spreads it over its upper half, so
    that devices that fell together do not come back together. Raises `GivenUpError`.
    """
    restart = member.device.restart
    if restart.policy == "never" or (restart.policy == "on-failure" and not error):
        raise GivenUpError(error)
    if member.since is not None and now - member.since >= restart.stable_after:
        member.failures = 0
    member.failures += 1
    if restart.max_retries is not None and member.failures > restart.max_retries:
        retries = "1 retry" if restart.max_retries == 1 else f"{restart.max_retries} retries"
        raise GivenUpError(f"{error} (after {retries})")
    first, most = restart.backoff
    wait: float = min(first * 2 ** min(member.failures - 1, 32), most)
    return wait * (0.5 + jitter / 2)
