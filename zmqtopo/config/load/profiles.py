"""The profiles of security of a file as values of the model."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Final

from zmqtopo.config.model import Profile
from zmqtopo.config.options import is_known
from zmqtopo.config.wording import quote
from zmqtopo.config.yaml.tree import Spot, Value

ANY: Final = "any"
"""The word that lets in everybody who knows the public key."""

Report = Callable[[str, Spot, str], None]
"""Takes what is wrong with a value, its spot and a hint."""


def profile(name: str, value: dict[str, Value], spot: Spot, folder: Path, report: Report) -> Profile:
    """Return the profile of a value that the schema has checked; relative paths count from ``folder``."""
    given = {key: said for key, said in value.items() if is_known(said) and not key.startswith("x-")}
    unread = given.keys() != {key for key in value if not key.startswith("x-")}
    value = given
    allow = _texts(value, "allow")
    paths = {key: str((folder / value[key]).absolute()) for key in ("curve", "server", "plain") if key in value}
    return Profile(
        name, **paths,
        allow=None if "allow" not in value else () if allow == [ANY]
        else tuple(str((folder / path).absolute()) for path in allow),
        allow_any=allow == [ANY],
        allow_ips=tuple(_networks(value, spot, report)),
        allow_uids=tuple(_list(value, "allow_uids")),
        unread=unread,
        place=spot.key_place,
        places={key: spot[key].place for key in value},
    )


def _networks(value: dict[str, Value], spot: Spot, report: Report) -> list[str]:
    found = []
    for text in _texts(value, "allow_ips"):
        try:
            found.append(str(ipaddress.ip_network(text)))
        except ValueError as error:
            why, hint = f"{quote(text)} is not an address or a network", "write it as 192.0.2.7, 10.0.0.0/8 or fd00::/8"
            if "host bits" in str(error):
                network = ipaddress.ip_network(text, strict=False)
                why, hint = f"{quote(text)} has bits behind its prefix", f"the network is {network}"
            report(why, spot["allow_ips"], hint)
    return found


def _texts(value: dict[str, Value], key: str) -> list[str]:
    return [str(text) for text in _list(value, key)]


def _list(value: dict[str, Value], key: str) -> list[Value]:
    said = value.get(key, [])
    return said if isinstance(said, list) else [said]
