"""What the verbs that need a good file have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable

from zmqtopo.checks import Checked, examine
from zmqtopo.config.model import Topology
from zmqtopo.config.wording import printable
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE
from zmqtopo.service.watch import ChangingFileError, read_at_rest


def load_or_report(path: str, *, strict_variables: bool = False) -> Topology | None:
    """Return the topology in ``path`` (``-`` is standard input); None, and a report on stderr, when it has errors.

    Warnings of a file without errors go to stderr too.
    """
    checked = examine(path, strict_variables=strict_variables)
    report(checked)
    return None if checked.has_errors else checked.topology


def examine_to_run(path: str, *, streams: bool = True) -> Checked:
    """Examine a file that is meant to run, in which an undefined variable is an error. Raises ChangingFileError."""
    return read_at_rest(path, lambda path: examine(path, strict_variables=True, streams=streams))


def load_to_run(path: str, claim: Callable[[Topology], None] = lambda topology: None) -> Topology | int:
    """Return the topology in ``path`` if it can run here and now, else, after a report on stderr, the exit code.

    That is 78 for a file with errors, an undefined variable among them, and 1 where only the machine says no.
    ``claim`` is called with a good topology before the machine is asked, which would otherwise name the ports of one
    that runs already.
    """
    from zmqtopo.checks import with_machine

    try:
        checked = examine_to_run(path)
    except ChangingFileError as error:
        print(f"zmqtopo: error: {printable(str(error))}", file=sys.stderr)
        return EXIT_BAD_FILE
    refusal = EXIT_BAD_FILE
    if not checked.has_errors and checked.topology is not None:
        if checked.topology.devices:
            claim(checked.topology)
        checked, refusal = with_machine(checked), EXIT_FAILURE
    report(checked)
    return refusal if checked.topology is None or checked.has_errors else checked.topology


def report(checked: Checked) -> None:
    """Write errors and warnings to stderr; what is only information belongs to ``validate``."""
    problems = [problem for problem in checked.problems if problem.severity != "info"]
    if problems:
        from zmqtopo.report import text

        text.full(problems, {checked.file: checked.lines}, sys.stderr, colour=text.wants_colour(sys.stderr))
