"""What other threads ask of the thread of the supervisor. Commands, reloads and looks are requests too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Request:
    """What the supervisor's thread takes from its inbox beside the events of workers."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class StopRequest(Request):
    """Stop the whole topology; ``force`` skips the wait.

    ``within`` is what it may take, in seconds, None for the ``stop_timeout`` of each device; ``by`` is who asks.
    """

    force: bool = False
    within: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Callback(Request):
    """Call something in the supervisor's thread."""

    do: Callable[[], object]
