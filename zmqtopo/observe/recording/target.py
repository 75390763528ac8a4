"""Where messages of a recording go: to a socket of a running topology, or to an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.names import REFERENCE
from zmqtopo.config.wording import closest, listing, quote
from zmqtopo.control.client import connect, running
from zmqtopo.control.errors import ControlError
from zmqtopo.observe.recording.errors import NoTargetError

PARTNER: Final = {"PULL": "PUSH", "ROUTER": "DEALER", "DEALER": "DEALER", "XSUB": "XPUB", "SUB": "XPUB", "XPUB": "XSUB",
                  "PAIR": "PAIR"}
"""The type that sends to each type; an XPUB tells who subscribes, which a PUB does not."""
TYPES: Final = ("PUSH", "PUB", "XPUB", "XSUB", "DEALER", "ROUTER", "PAIR")
"""Those that may send whatever a recording has at any time."""


@dataclass(frozen=True, slots=True)
class Target:
    """A socket to send with: ``flow`` and ``device`` are what it is meant to play, if it is known."""

    address: str
    type: str
    binds: bool = False
    flow: str | None = None
    device: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.device}.{'in' if self.flow == 'in_to_out' else 'out'}" if self.device else self.address


def to_address(address: str, type_: str, *, binds: bool) -> Target:
    """The target at an address. Raises NoTargetError."""
    try:
        endpoint = parse(address)
    except EndpointError as error:
        raise NoTargetError(str(error)) from None
    if endpoint.transport == "inproc":
        raise NoTargetError(f"{address} is within one process, and nothing else reaches it")
    if not binds and (endpoint.is_wildcard_host or endpoint.is_system_port):
        raise NoTargetError(f"{address} is for --bind: nobody can connect to '*'")
    return Target(address, "XPUB" if type_ == "PUB" else type_, binds)


def to_device(reference: str) -> Target:
    """The target that ``TOPOLOGY/DEVICE.SOCKET`` means, or ``DEVICE.SOCKET`` where one running topology has it.

    Raises NoTargetError, and the errors of `connect`.
    """
    topology, slash, rest = reference.rpartition("/")
    form = REFERENCE.fullmatch(rest)
    if form is None:
        raise NoTargetError(f"{quote(reference)} is not a socket of a device: write DEVICE.in or TOPOLOGY/DEVICE.in")
    name, role = form[1], form[2]
    if role == "mon":
        raise NoTargetError(f"{rest} takes no messages: a mon only sends; write {name}.in")
    found = [topology] if slash else _with_device(name)
    if not found:
        raise NoTargetError(f"no running topology has a device {quote(name)}")
    if len(found) > 1:
        raise NoTargetError(f"{listing(found, 'and')} have a device {quote(name)}: write {found[0]}/{rest}")
    with connect(found[0]) as client:
        devices = {device["name"]: device for device in client.devices()}
    if name not in devices:
        near = closest(name, devices)
        raise NoTargetError(f"{found[0]} has no device {quote(name)}" + (f"; did you mean {near}?" if near else ""))
    return _socket(devices[name], role)


def _socket(device: dict[str, Any], role: str) -> Target:
    name, type_ = f"{device['name']}.{role}", device["sockets"][role]
    partner = PARTNER.get(type_)
    if partner is None:
        raise NoTargetError(f"{name} is a {type_}, which only sends; messages go to {device['name']}.in")
    if device["state"] not in ("running", "paused"):
        raise NoTargetError(f"{device['name']} is {device['state']}: start it first")
    bound = [parse(address) for address in device["endpoints"][role]]
    reached = [endpoint.reachable() for endpoint in bound if endpoint.transport != "inproc"]
    if not reached:
        where = ("binds only inproc, which nothing outside of its process reaches" if bound
                 else "binds no address; where it connects to, --bind can take its messages' place")
        raise NoTargetError(f"{name} {where}")
    best = min(reached, key=lambda endpoint: {"ipc": 0, "tcp": 1}.get(endpoint.transport, 2))
    return Target(str(best), partner, flow="in_to_out" if role == "in" else "out_to_in", device=device["name"])


def _with_device(name: str) -> list[str]:
    found = []
    for topology in running():
        try:
            with connect(topology) as client:
                if any(device["name"] == name for device in client.devices()):
                    found.append(topology)
        except ControlError:
            continue    # it has ended, or does not answer
    return found


def check_identities(type_: str, *, keep: bool) -> None:
    """Raise NoTargetError where identities and the type of the socket do not fit."""
    if keep and type_ != "ROUTER":
        raise NoTargetError(f"--keep-identities is for --type ROUTER: a {type_} would send them as a part of messages")
    if type_ == "ROUTER" and not keep:
        raise NoTargetError("a ROUTER sends to whom the first frame names: use --keep-identities, or --type DEALER")
