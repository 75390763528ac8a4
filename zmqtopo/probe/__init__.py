"""Questions to the machine: the rules of the family machine, which open sockets and ask for names.

Only ``up`` and ``validate --probe`` come here. Each question is a function from a graph to findings; the
words about it stand in `zmqtopo.checks.machine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from zmqtopo.checks import Checked, in_order
from zmqtopo.checks.graph import Graph
from zmqtopo.checks.ignore import Ignores
from zmqtopo.checks.machine import MACHINE
from zmqtopo.checks.rule import Finding, Rule
from zmqtopo.config.model import Topology
from zmqtopo.config.problem import Problem, below
from zmqtopo.probe.files import ipc_dir_missing
from zmqtopo.probe.hosts import host_unresolvable
from zmqtopo.probe.limits import too_many_sockets, too_many_threads
from zmqtopo.probe.ports import port_in_use
from zmqtopo.probe.transports import transport_unavailable

__all__ = ["probe", "with_machine"]

_FIND: Final[dict[str, Callable[[Graph], Iterator[Finding]]]] = {
    "port-in-use": port_in_use,
    "ipc-dir-missing": ipc_dir_missing,
    "host-unresolvable": host_unresolvable,
    "too-many-sockets": too_many_sockets,
    "too-many-threads": too_many_threads,
    "transport-unavailable": transport_unavailable,
}


def probe(topology: Topology) -> list[Problem]:
    """What keeps this machine from running ``topology`` now, sorted by place; takes some seconds at most.

    Every port is bound for an instant and let go of: it may be taken a moment later.
    """
    graph = Graph(topology)
    rules = (Rule(w.family, w.name, w.severity, w.finds, w.why, w.bad, w.good, _FIND[w.name]) for w in MACHINE)
    return in_order([problem for rule in rules for problem in rule.problems(graph)])


def with_machine(checked: Checked) -> Checked:
    """The file with what the machine says added to its problems, but for what its comments silence."""
    if checked.topology is None:
        return checked
    found = Ignores(checked.file, checked.lines).kept(probe(checked.topology))
    return replace(checked, problems=in_order([*checked.problems, *(below(p, checked.above) for p in found)]))
