"""What the keys do to a device: each asks its topology on a connection of its own, in a thread that may wait."""

from __future__ import annotations

from typing import Final, Protocol

from zmqtopo.control.client import connect
from zmqtopo.control.errors import ControlError

ACTION_TIMEOUT: Final = 15.0
"""Seconds after which a device that does not pause, resume or restart is said not to have done so yet."""


class Acting(Protocol):
    """Who does it."""

    def __call__(self, verb: str, topology: str, device: str) -> str:
        """Do it and say what has come of it; this may wait."""


def act(verb: str, topology: str, device: str) -> str:
    """Pause, resume or restart a device; what has come of it, in words."""
    try:
        with connect(topology) as client:
            response = client.ask(verb, device, timeout=ACTION_TIMEOUT)
    except ControlError as error:
        return f"{verb} {device}: {error}"
    if not response.get("ok"):
        return f"{verb} {device}: {'; '.join(map(str, response.get('errors', ())))}"
    states = [f"{one['name']}: {one['state']}" for one in response.get("devices", ())]
    return "; ".join(states) or f"nothing to {verb}: {device} does not run"
