"""From a file to a topology that runs in this process, or to the reason why it cannot."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from zmqtopo.checks import with_machine
from zmqtopo.config.model import Topology
from zmqtopo.config.wording import printable
from zmqtopo.control.errors import ControlError
from zmqtopo.control.folder import Folder
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.stderr import complain, errors_and_warnings
from zmqtopo.service.watch import ChangingFileError, examine_to_run, renamed


class CannotRunError(Exception):
    """A file cannot run here and now, which standard error says by now; ``code`` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def run_here(
    file: str, *, name: str | None, abort_on_failure: bool, log_format: Literal["text", "json"], watch: bool,
    quiet: bool, launcher: int | None = None, http: str | None = None,
) -> int:
    """Run a topology in this process, under its own name or another one, and return the exit code of ``up``.

    ``quiet`` leaves out what is neither a warning nor an error on standard error. ``http`` is where to serve HTTP,
    whatever the file says. ``launcher`` is the descriptor that hears what concerns the start, and that it has
    succeeded.
    """
    raise_limits()
    claimed: list[Folder] = []
    source = "-" if file == "-" else os.path.abspath(file)  # noqa: PTH100 - follows no links
    try:
        topology = load_to_run(file, lambda found: claimed.append(Folder.claim(found.name, source)), http, name)
        if not topology.devices:
            print(f"zmqtopo: {printable(topology.name)}: nothing to run", file=sys.stderr)
            return 0
        from zmqtopo.service.foreground import Foreground  # which brings zmq

        return Foreground(
            topology, source, claimed[0], launcher, name=name, abort_on_failure=abort_on_failure,
            log_format=log_format, watch=watch, quiet=quiet, http=http,
        ).run()
    except CannotRunError as error:
        return error.code
    except ControlError as error:
        complain(str(error))
        return EXIT_FAILURE
    finally:
        for folder in claimed:
            folder.give_back()


def load_to_run(path: str, claim: Callable[[Topology], None] = lambda topology: None,
                 http: str | None = None, name: str | None = None) -> Topology:
    """Return the topology in ``path`` if it can run here and now; what keeps it from that goes to standard error.

    Raises CannotRunError with 78 for a file with errors, an undefined variable among them, and with 1 where only the
    machine says no. ``claim`` is called with a good topology before the machine is asked, which would otherwise name
    the ports of one that runs already. With ``http``, which replaces where the file wants HTTP, it is 2 when that is
    not an address that can be used, and 69 where the packages for HTTP are missing.
    """
    try:
        checked = examine_to_run(path)
    except ChangingFileError as error:
        complain(str(error))
        raise CannotRunError(EXIT_BAD_FILE) from None
    code = EXIT_BAD_FILE
    if name is not None:
        checked = renamed(checked, name)
    if not checked.has_errors and checked.topology is not None:
        checked = replace(checked, topology=_with_http(checked.topology, http))
        if checked.topology is not None and checked.topology.devices:
            claim(checked.topology)
        checked, code = with_machine(checked), EXIT_FAILURE
    errors_and_warnings(checked)
    if checked.topology is None or checked.has_errors:
        raise CannotRunError(code)
    return checked.topology


def _with_http(topology: Topology, address: str | None) -> Topology:
    if address is None and topology.http is None:
        return topology
    from zmqtopo.service.web import HttpError, missing_extra, with_address

    try:
        topology = with_address(topology, address)
    except HttpError as error:
        complain(str(error))
        raise CannotRunError(EXIT_USAGE) from None
    if missing := missing_extra("http"):
        complain(missing)
        raise CannotRunError(EXIT_UNAVAILABLE)
    return topology


def raise_limits() -> None:
    """Let this process, and those that it will start, have what the system allows them at most; for ``up``.

    The soft limit of open files is 1024 in most places for the sake of select(2), which nothing here calls, and a
    broker needs a file for each client. Where the system says no, all stays as it is.
    """
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        _, hard = resource.getrlimit(limit)
        with contextlib.suppress(OSError, ValueError):      # macOS refuses more than kern.maxfilesperproc
            resource.setrlimit(limit, (hard, hard))
