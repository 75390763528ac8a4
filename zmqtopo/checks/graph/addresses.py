"""Who binds what: finds two binds that claim one address, and the bind that a connect reaches.

Everything is looked up by key, so a topology of ten thousand sockets costs ten thousand look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from zmqtopo.config.endpoint import WILDCARD_HOSTS, Endpoint

_TCP_PORTS = frozenset({"tcp", "ws", "wss"})  # these three share the ports of TCP


class Claim(Protocol):
    """What the book needs to know about a bind or a connect."""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where, or None when it is not known."""

    @property
    def process(self) -> str:
        """The operating-system process it belongs to; equal text, same process."""

    @property
    def ours(self) -> bool:
        """Whether zmqtopo runs it, which puts it on this machine."""

    @property
    def ipv6(self) -> bool:
        """Whether the socket has the option ``ipv6``, which opens ``*`` to both families."""


C = TypeVar("C", bound=Claim)
Key = tuple[str | int | None, ...]


@dataclass(slots=True)
class _Port(Generic[C]):
    """The claims on one port of one machine in one address family."""

    first: C | None = None
    wildcard: C | None = None
    hosts: dict[str, C] = field(default_factory=dict)


class AddressBook(Generic[C]):
    """The binds of a topology.

    A device is on this machine. A peer is where its address says: on this machine with a loopback
    address, ``*``, ipc or an address that one of our devices binds too, else on a machine named by the host.
    """

    def __init__(self, binds: Iterable[C]) -> None:
        binds = list(binds)
        self._our_hosts = {b.endpoint.host for b in binds if b.ours and b.endpoint is not None}
        self._ports: dict[Key, _Port[C]] = {}
        self._exact: dict[Key, C] = {}
        self.clashes: list[tuple[C, C]] = []
        """Pairs (later, earlier) that claim one address; each later bind is in one pair at most."""
        for bind in binds:
            earlier = self._add(bind)
            if earlier is not None:
                self.clashes.append((bind, earlier))

    def find(self, connect: C) -> C | None:
        """The bind that this connect reaches, or None when no one in the file binds it."""
        endpoint = connect.endpoint
        if endpoint is None:
            return None
        key = self.key(connect)
        if endpoint.transport not in _TCP_PORTS:
            return self._exact.get(key)
        machine, transport, host, port = key
        hosts = (host, *sorted(WILDCARD_HOSTS)) if machine == "" else (host,)
        return next((c for h in hosts if (c := self._exact.get((machine, transport, h, port))) is not None), None)

    def key(self, claim: C) -> Key:
        """Equal for two addresses that mean the same place, however they are spelled."""
        endpoint = claim.endpoint
        assert endpoint is not None  # callers have looked
        if endpoint.transport == "ipc":
            return "ipc", endpoint.path
        if endpoint.transport == "inproc":
            return "inproc", claim.process, endpoint.path
        host = canonical_host(endpoint.host)
        return self._machine(endpoint), endpoint.transport, host, endpoint.port

    def is_local(self, claim: C) -> bool:
        """Whether the address is on this machine."""
        return claim.endpoint is not None and self._machine(claim.endpoint) == ""

    def _machine(self, endpoint: Endpoint) -> str:
        """The machine of an address: empty for this one."""
        return "" if endpoint.is_local or endpoint.host in self._our_hosts else endpoint.host

    def _add(self, bind: C) -> C | None:
        endpoint = bind.endpoint
        if endpoint is None or endpoint.is_system_port:
            return None  # the system never chooses an address that is taken
        key = self.key(bind)
        same = self._exact.setdefault(key, bind)
        if endpoint.transport in ("ipc", "inproc", "vmci"):
            return same if same is not bind else None
        if endpoint.transport not in _TCP_PORTS:
            return None  # several sockets may bind one multicast group, one udp port or one tipc service
        machine, _, host, port = key
        earlier = [self._claim((machine, port, family), str(host), bind) for family in _families(bind, str(host))]
        return next((e for e in earlier if e is not None), None)

    def _claim(self, key: Key, host: str, bind: C) -> C | None:
        port = self._ports.setdefault(key, _Port())
        if host in WILDCARD_HOSTS:
            earlier = port.first
            port.wildcard = port.wildcard or bind
        else:
            earlier = port.wildcard or port.hosts.get(host)
            port.hosts.setdefault(host, bind)
        port.first = port.first or bind
        return earlier


def canonical_host(host: str) -> str:
    """The host as it is compared: libzmq resolves localhost to 127.0.0.1 first."""
    return "127.0.0.1" if host == "localhost" else host


def _families(bind: Claim, host: str) -> tuple[int, ...]:
    """The address families a bind takes: ``[::]`` both (libzmq clears IPV6_V6ONLY), ``*`` as the option ipv6 says."""
    if host == "::" or (host == "*" and bind.ipv6):
        return (4, 6)
    return (6,) if ":" in host else (4,)
