"""The rules about this machine, which open sockets and resolve names: a new one is entered here."""

from __future__ import annotations

from typing import Final

from zmqtopo.checks.machine import available_options, certificates, files, hosts, key_files, limits, ports, transports
from zmqtopo.checks.rule import Rule

MACHINE_RULES: Final[tuple[Rule, ...]] = (
    ports.port_in_use,
    files.ipc_dir_missing,
    files.unknown_group,
    hosts.host_unresolvable,
    limits.too_many_sockets,
    limits.too_many_threads,
    transports.transport_unavailable,
    available_options.option_unavailable,
    key_files.key_files,
    key_files.option_file,
    certificates.key_missing,
    certificates.key_readable,
)
"""What is asked of this machine; whether their examples are good or bad depends on it."""

KEY_RULES: Final[tuple[Rule, ...]] = (
    key_files.key_files, key_files.option_file, certificates.key_missing, certificates.key_readable,
)
"""Those of them that look at keys; what ``zmqtopo keys verify`` asks."""
