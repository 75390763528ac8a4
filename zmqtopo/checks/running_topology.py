"""What a topology holds that runs already, for questions about the one that is to take its place."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from zmqtopo.config.endpoint import EndpointError, parse
from zmqtopo.config.model import Topology

_WILDCARDS = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Present:
    """A running topology, beside which only the devices ``fresh`` of the new one get sockets.

    ``bound`` are the addresses that it has bound: a device that takes one over finds it free.
    """

    topology: Topology
    fresh: frozenset[str]
    bound: Iterable[str] = ()
    _hosts: dict[int, set[str]] = field(init=False, default_factory=lambda: defaultdict(set))
    _paths: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for text in self.bound:
            try:
                endpoint = parse(text)
            except EndpointError:
                continue
            if endpoint.port is not None:
                self._hosts[endpoint.port].add(endpoint.host)
            elif endpoint.transport == "ipc":
                self._paths.add(os.path.realpath(endpoint.path))

    def has_port(self, address: str, port: int) -> bool:
        """Whether it has a TCP port of an address, in numbers, or of one that stands for it."""
        hosts = self._hosts.get(port, set())
        return bool(hosts) and (address in _WILDCARDS or address in hosts or bool(hosts & _WILDCARDS))

    def has_path(self, path: str) -> bool:
        """Whether it has the path of an ipc address."""
        return os.path.realpath(path) in self._paths
