"""Devices whose type is the mistake: all that is connected to them, on both sides, suits another type of device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zmqtopo.checks.graph import End, Link
from zmqtopo.checks.sockets import can_talk
from zmqtopo.config.model import DEFAULT_TYPES, WITH_MON, Device, DeviceType, Socket

Connection = tuple[Link, Link]
"""Who binds and who connects."""

# A monitored_queue has the default types of a queue, and is not meant where no mon is.
_MEANT: tuple[DeviceType, ...] = ("queue", "forwarder", "streamer")


@dataclass(slots=True)
class Use:
    """A device and the links at the other ends of the connections of its in and of its out."""

    device: Device
    at_in: list[Link] = field(default_factory=list)
    at_out: list[Link] = field(default_factory=list)

    @property
    def wrong_in(self) -> list[Link]:
        """Those that do not talk to its in."""
        return [link for link in self.at_in if not can_talk(self.device.in_.type, link.end.type)]

    @property
    def wrong_out(self) -> list[Link]:
        """Those that do not talk to its out."""
        return [link for link in self.at_out if not can_talk(self.device.out.type, link.end.type)]

    @property
    def meant(self) -> DeviceType | None:
        """The one type whose default socket types suit all of these; None where there is none.

        It is one at most: no socket type but STREAM, which takes everything, talks to the same side of two of them.
        """
        return next((kind for kind in _MEANT if self._suits(*DEFAULT_TYPES[kind])), None)

    @property
    def is_mistaken(self) -> bool:
        """Whether its type alone is wrong: the types of its sockets follow from it, and both sides suit another."""
        device = self.device
        if device.mon is not None and device.type not in WITH_MON:
            return False  # mon-not-allowed speaks about its type
        if not (_is_default(device.in_) and _is_default(device.out)):
            return False
        return bool(self.wrong_in and self.wrong_out and self.meant)

    def _suits(self, in_: str, out: str) -> bool:
        return (all(can_talk(in_, link.end.type) for link in self.at_in)
                and all(can_talk(out, link.end.type) for link in self.at_out))


def mistaken(connections: Sequence[Connection]) -> dict[str, Use]:
    """Find, by name, the devices whose type explains all that is wrong with their connections.

    ``connections`` are the good and the bad ones between sockets whose types are known and otherwise right.
    Where two such devices do not talk to each other, each would explain the other away: neither is believed.
    """
    uses: dict[str, Use] = {}
    for bind, connect in connections:
        for here, there in ((bind, connect), (connect, bind)):
            if isinstance(device := here.end.owner, Device) and is_side(here.end):
                use = uses.setdefault(device.name, Use(device))
                (use.at_in if here.end.role == "in" else use.at_out).append(there)
    found = {name: use for name, use in uses.items() if use.is_mistaken}
    doubted = {
        name for name, use in found.items()
        if any(is_side(link.end) and link.end.owner.name in found for link in (*use.wrong_in, *use.wrong_out))
    }
    return {name: use for name, use in found.items() if name not in doubted}


def is_side(end: End) -> bool:
    """Whether it is the in or the out of a device."""
    return end.role in ("in", "out")


def _is_default(socket: Socket) -> bool:
    """Whether the file surely leaves the type of this socket to the type of the device.

    A type that is not written has the place of the socket. So has, with all else, what an alias brings: nobody can
    tell then.
    """
    written = {address.place for address in (*socket.bind, *socket.connect)}
    return socket.type_place == socket.place and socket.place not in written
