"""What the verbs that need a good file have in common."""

from __future__ import annotations

from zmqtopo.checks import examine
from zmqtopo.config.model import Topology
from zmqtopo.report.stderr import errors_and_warnings


def load_or_report(path: str, *, strict_variables: bool = False) -> Topology | None:
    """Return the topology in ``path`` (``-`` is standard input); None, and a report on stderr, when it has errors.

    Warnings of a file without errors go to stderr too.
    """
    checked = examine(path, strict_variables=strict_variables)
    errors_and_warnings(checked)
    return None if checked.has_errors else checked.topology
