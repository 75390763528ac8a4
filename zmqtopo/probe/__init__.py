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
from zmqtopo.probe.files import ipc_dir_missing, unknown_group
from zmqtopo.probe.hosts import host_unresolvable
from zmqtopo.probe.limits import too_many_sockets, too_many_threads
from zmqtopo.probe.options import option_unavailable
from zmqtopo.probe.ports import port_in_use
from zmqtopo.probe.present import Present
from zmqtopo.probe.transports import transport_unavailable

__all__ = ["Present", "probe", "with_machine"]

_FIND: Final[dict[str, Callable[[Graph, Present | None], Iterator[Finding]]]] = {
    "port-in-use": port_in_use,
    "ipc-dir-missing": lambda graph, _: ipc_dir_missing(graph),
    "unknown-group": lambda graph, _: unknown_group(graph),
    "host-unresolvable": lambda graph, _: host_unresolvable(graph),
    "too-many-sockets": lambda graph, _: too_many_sockets(graph),
    "too-many-threads": too_many_threads,
    "transport-unavailable": lambda graph, _: transport_unavailable(graph),
    "option-unavailable": lambda graph, _: option_unavailable(graph),
}


def probe(topology: Topology, present: Present | None = None) -> list[Problem]:
    """What keeps this machine from running ``topology`` now, sorted by place; takes some seconds at most.

    Every port is bound for an instant and let go of: it may be taken a moment later. With ``present`` it is asked
    about what is new beside that.
    """
    graph = Graph(topology)
    if present is not None:
        graph.binds, graph.connects = (tuple(link for link in links if link.end.owner.name in present.fresh)
                                       for links in (graph.binds, graph.connects))
    rules = (Rule(w.family, w.name, w.severity, w.finds, w.why, w.bad, w.good, _asking(_FIND[w.name], present))
             for w in MACHINE)
    return in_order([problem for rule in rules for problem in rule.problems(graph)])


def _asking(
    find: Callable[[Graph, Present | None], Iterator[Finding]], present: Present | None
) -> Callable[[Graph], Iterator[Finding]]:
    return lambda graph: find(graph, present)


def with_machine(checked: Checked, present: Present | None = None) -> Checked:
    """The file with what the machine says added to its problems, but for what its comments silence; see `probe`."""
    if checked.topology is None:
        return checked
    found = Ignores(checked.file, checked.lines).kept(probe(checked.topology, present))
    return replace(checked, problems=in_order([*checked.problems, *(below(p, checked.above) for p in found)]))
