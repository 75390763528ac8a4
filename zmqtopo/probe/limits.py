"""Whether a process may have as many sockets as its devices need."""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding
from zmqtopo.config.model import Device

LIBZMQ_LIMIT: Final = 65535  # ZMQ_SOCKET_LIMIT, which zmq_ctx_get(3) tells; the same in every build

_OF_A_PROCESS: Final = 32
"""Descriptors beside those of the devices: standard streams, libzmq's own threads, libraries, the supervisor's."""


def too_many_sockets(graph: Graph) -> Iterator[Finding]:
    """Count by process; told at the first device of it."""
    topology = graph.topology
    together: dict[str, list[Device]] = defaultdict(list)
    for device in topology.devices.values():
        together[device.process].append(device)
    allowed = min(topology.context.max_sockets or LIBZMQ_LIMIT, LIBZMQ_LIMIT)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for devices in together.values():
        sockets = sum(1 for device in devices for _ in device.sockets)
        # Each socket of ZeroMQ has a descriptor to wake it, each bind one that listens, each device two to be told.
        needed = _OF_A_PROCESS + sockets + sum(2 + sum(len(s.bind) for s in d.sockets) for d in devices)
        who = devices[0].name if len(devices) == 1 else f"the process of {devices[0].name} and {len(devices) - 1} more"
        if sockets > allowed:
            by = "context.max_sockets" if topology.context.max_sockets == allowed else "libzmq"
            yield Finding(devices[0].place, f"{who} has {sockets} sockets, and {by} allows {allowed}",
                          "raise context.max_sockets, or leave it out" if by != "libzmq" else
                          "spread the devices over several processes (run: process/NAME)")
        elif files != resource.RLIM_INFINITY and needed > files:
            yield Finding(devices[0].place, f"{who} has {sockets} sockets, which need {needed} open files, and the "
                          f"system allows a process {files}", f"raise the limit: ulimit -n {2 * needed}")
