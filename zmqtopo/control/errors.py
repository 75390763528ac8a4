"""What can keep a command from a running topology; every message is for the user."""

from __future__ import annotations


class ControlError(Exception):
    """A topology cannot be asked, or a state folder cannot be had."""


class NotRunningError(ControlError):
    """There is no running topology of that name or file."""


class AlreadyRunningError(ControlError):
    """A topology of that name runs already, in the process ``pid``."""

    def __init__(self, name: str, pid: int | None) -> None:
        super().__init__(
            f"a topology {name} is running already{f' as process {pid}' if pid else ''}; "
            f"end it with: zmqtopo down {name}, or give this one another name"
        )
        self.pid = pid
