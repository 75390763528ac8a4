"""What can keep a command from a running topology; every message is for the user."""

from __future__ import annotations

from collections.abc import Sequence

from zmqtopo.config.wording import listing


class ControlError(Exception):
    """A topology cannot be asked, or a state folder cannot be had."""


class NotRunningError(ControlError):
    """There is no running topology of that name or file."""


class AmbiguousError(ControlError):
    """Several running topologies may be meant; the message names them."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        super().__init__(f"{what} {listing(names, 'and')}; name the one that is meant")
        self.names = list(names)


class AlreadyRunningError(ControlError):
    """A topology of that name runs already, in the process ``pid``."""

    def __init__(self, name: str, pid: int | None) -> None:
        super().__init__(
            f"a topology {name} is running already{f' as process {pid}' if pid else ''}; "
            f"end it with: zmqtopo down {name}, or run this one with --name and another name"
        )
        self.pid = pid
