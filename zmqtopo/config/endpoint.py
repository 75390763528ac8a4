"""Endpoints as values: parsed once, compared by what they mean and not by how they are spelled."""

from __future__ import annotations

from dataclasses import dataclass


class EndpointError(ValueError):
    """A text that is no endpoint; ``hint`` says what would be one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ZeroMQ endpoint, taken apart.

    ``host`` is lower case and without brackets (``*`` for every interface), ``port`` None where the
    system chooses it (``*`` or 0). ``path`` is the path of ipc (``*`` where the system chooses it,
    ``@name`` abstract), the name of inproc, or the path of ws and wss. ``source`` is what stands
    before ``;`` in a connect.
    """

    transport: str
    host: str = ""
    port: int | None = None
    path: str = ""
    source: str = ""
