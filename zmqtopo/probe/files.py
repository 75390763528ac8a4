"""Whether the folders are there in which ipc makes its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding


def ipc_dir_missing(graph: Graph) -> Iterator[Finding]:
    """Look at the folder of every ipc path that a device binds; a relative path begins where ``up`` is called."""
    for link in graph.binds:
        endpoint = link.endpoint
        if not link.ours or endpoint is None or endpoint.transport != "ipc":
            continue
        if endpoint.is_system_port or endpoint.path.startswith("@"):
            continue  # abstract names are no files
        folder = Path(endpoint.path).parent
        if not folder.exists():
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and there is no folder {folder}",
                          f"make it: mkdir -p {folder}")
        elif not folder.is_dir():
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and {folder} is no folder",
                          "use a path in a folder")
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and no file can be made in {folder}",
                          "use a folder that this user may write to")
