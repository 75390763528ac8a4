"""Whether the folders are there in which ipc makes its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.machine.http import http_folder_missing
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Socket
from zmqtopo.config.wording import quote


@rule(
    "machine", "ipc-dir-missing", "error",
    finds="A bind of an ipc path in a folder that is not there or in which no file can be made.",
    why="The path of an ipc address is a file of the system, and libzmq makes no folder for it.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///no/such/folder/jobs}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///tmp/jobs}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def ipc_dir_missing(graph: Graph) -> Iterator[Finding]:
    """Look at the folder of every ipc path that a device binds; a relative path begins where ``up`` is called."""
    yield from http_folder_missing(graph)
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
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and {folder} is not a folder",
                          "use a path in a folder")
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(link.place, f"{link.end.name} binds {link.text}, and no file can be made in {folder}",
                          "use a folder that this user may write to")


@rule(
    "machine", "unknown-group", "error",
    finds="A `group` that this machine does not have, or that this user may not give to a file.",
    why="The device could not start: only a member of a group, or root, may give a file to it.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///tmp/jobs, group: no-such-group}
            out: {bind: tcp://127.0.0.1:*}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///tmp/jobs, mode: "0600"}
            out: {bind: tcp://127.0.0.1:*}
        """,
)
def unknown_group(graph: Graph) -> Iterator[Finding]:
    """Look up the group of every ipc path that a device binds, and whether this user is in it."""
    from zmqtopo.broker.ipc import group_number

    for end in {link.end: None for link in graph.binds if link.ours}:
        socket = end.socket
        if not isinstance(socket, Socket) or socket.group is None:
            continue
        shown = quote(str(socket.group))
        try:
            number = group_number(socket.group)
        except LookupError:
            yield Finding(socket.group_place, f"{end.name} has the group {shown}, which is not on this machine",
                          "make it: groupadd -r NAME, or name one that getent group lists")
            continue
        if os.geteuid() != 0 and number not in (*os.getgroups(), os.getegid()):
            yield Finding(socket.group_place, f"{end.name} has the group {shown}, of which this user is not a member",
                          "add the user to the group (usermod -aG GROUP USER) and log in again")
