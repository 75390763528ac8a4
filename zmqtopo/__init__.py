"""Run ZeroMQ brokers from one YAML file that is checked before it runs.

>>> import zmqtopo
>>> with zmqtopo.up("topologies/pipeline.yaml") as running:  # doctest: +SKIP
...     print(running.endpoints)

Importing this package imports nothing else: each name brings its module when it is first used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zmqtopo.api import Running, up
    from zmqtopo.config.model import Topology
    from zmqtopo.config.problem import Problem, TopologyError
    from zmqtopo.supervisor.commands import CommandError
    from zmqtopo.supervisor.supervisor import StartError

    __version__: str

__all__ = [
    "CommandError", "Problem", "Running", "StartError", "Topology", "TopologyError",
    "__version__", "check", "load", "up",
]

_HOMES = {
    "CommandError": "zmqtopo.supervisor.commands",
    "Problem": "zmqtopo.config.problem",
    "Running": "zmqtopo.api",
    "StartError": "zmqtopo.supervisor.supervisor",
    "Topology": "zmqtopo.config.model",
    "TopologyError": "zmqtopo.config.problem",
    "up": "zmqtopo.api",
}


def check(topology: str | os.PathLike[str] | Mapping[str, Any]) -> list[Problem]:
    """Return every problem of a file, or of a dict with its keys, sorted by place; an empty list when all is well.

    Opens no socket. A file that cannot be read is a problem too, and nothing is raised, but TypeError for a dict with
    what no file can have.
    """
    # The package has another name than this function: once imported, it would take its place.
    from zmqtopo.checks import check_file, examine_mapping

    return examine_mapping(topology).problems if isinstance(topology, Mapping) else check_file(topology)


def load(topology: str | os.PathLike[str] | Mapping[str, Any]) -> Topology:
    """Return the topology of a file, or of a dict with its keys, or raise TopologyError with all problems.

    An undefined variable is an error here, since what is loaded is meant to run. Raises TypeError for a dict with what
    no file can have, such as a function.
    """
    from zmqtopo.checks import examine, examine_mapping
    from zmqtopo.config.problem import TopologyError

    checked = (examine_mapping(topology, strict_variables=True) if isinstance(topology, Mapping)
               else examine(topology, strict_variables=True))
    if checked.topology is None or checked.has_errors:
        raise TopologyError(checked.problems)
    return checked.topology


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("zmqtopo")
        except PackageNotFoundError:  # a source tree that nobody has installed
            return "0+source"
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
