"""Mappings by the names of a topology: a name that is not there is told with what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn, TypeVar

from zmqtopo.config.names import REFERENCE
from zmqtopo.config.wording import closest, listing, quote

V = TypeVar("V")


class UnknownNameError(KeyError):
    """A device or socket that is not there. It reads as a sentence, where a KeyError quotes its key."""

    def __str__(self) -> str:
        return str(self.args[0])


class ByName(dict[str, V]):
    """A dict by names; `what` says what they name."""

    def __init__(self, entries: Iterable[tuple[str, V]] | Mapping[str, V], what: str = "device") -> None:
        super().__init__(entries)
        self._what = what

    def __missing__(self, key: object) -> NoReturn:
        unknown(key, self, self._what)


def unknown(name: object, known: Iterable[str], what: str) -> NoReturn:
    """Raise UnknownNameError, which says what is near, or what there is."""
    names = list(known)
    text = str(name)
    near = closest(text, names) if text else None
    if near is None and (reference := REFERENCE.fullmatch(text)) and reference[1] in names:
        near = reference[1]     # DEVICE.SOCKET, where a device is named
    hint = f"did you mean {quote(near)}?" if near else f"there {_are(names)}"
    raise UnknownNameError(f"there is no {what} {quote(text)}; {hint}") from None


def _are(names: list[str]) -> str:
    shown = names if len(names) <= 8 else [*names[:8], f"{len(names) - 8} more"]
    return f"{'is' if len(names) == 1 else 'are'} {listing(shown, 'and') or 'none'}"


def device_and_role(socket: str, devices: Mapping[str, object]) -> tuple[str, str]:
    """The two parts of ``DEVICE.SOCKET``. Raises UnknownNameError for no such device, and where no socket is named."""
    name, dot, role = socket.rpartition(".")
    if socket in devices:
        raise UnknownNameError(f"{quote(socket)} is a device; name one of its sockets too, such as "
                               f"{quote(socket + '.in')}")
    if not dot:
        near = closest(socket, devices)
        raise UnknownNameError(f"{quote(socket)} is not DEVICE.SOCKET; "
                               + (f"did you mean {quote(near + '.in')}?" if near else "write 'DEVICE.in'"))
    if name not in devices:
        near = closest(name, devices)
        raise UnknownNameError(f"there is no device {quote(name)}; "
                               + (f"did you mean {quote(f'{near}.{role}')}?" if near else
                                  f"there {_are(list(devices))}"))
    return name, role
