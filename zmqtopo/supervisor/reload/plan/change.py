"""One difference between two topologies, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from zmqtopo.config.wording import printable

Needs = Literal["nothing", "loop", "options", "connections", "sockets", "up"]
"""What a change takes: nothing, another way for the loop (prefix, overflow), options set on the sockets that are there,
inproc addresses connected again after others have bound them again, new sockets, or to be started anew as a whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two values at ``path``, such as ``in.options.rcvhwm``.

    ``old`` and ``new`` are as a file says them, None where there is none; a secret is never among them. Where the
    value is the same and something else makes the device change, ``because`` says what.
    """

    path: str
    old: Any = None
    new: Any = None
    needs: Needs = "sockets"
    because: str = ""

    def __str__(self) -> str:
        if self.because:
            return f"{self.path}: {self.because}"
        return f"{self.path} {_shown(self.old)} -> {_shown(self.new)}"

    def reversed(self) -> Change:
        """The way back."""
        return Change(self.path, self.new, self.old, self.needs, self.because)

    def plain(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        told = {"path": self.path, "old": self.old, "new": self.new}
        return told | {"because": self.because} if self.because else told


def differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value of each leaf that differs between two trees of `zmqtopo.config.dump`."""
    if isinstance(old, dict) or isinstance(new, dict):
        old, new = old or {}, new or {}
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield ".".join(path), readable(old), readable(new)


def readable(value: Any) -> Any:
    """Return a value of a file as JSON can say it, and without the doubling of ``$`` that only a file needs."""
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return repr(value)[2:-1]
    return value.replace("$$", "$") if isinstance(value, str) else value


def _shown(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(_shown, value)) or "none"
        case {"file": path}:
            return f"the file {printable(path)}"
        case str():
            return printable(value) or "''"
        case _:
            return str(value)
