"""Rules about who may connect to the ipc paths that a socket binds."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Socket

_WRITE = 0o222
_GROUP_WRITE = 0o020


@rule(
    "endpoint", "ipc-permissions", "error",
    finds="A `mode` or `group` that protects nothing or lets nobody in: on a socket that binds no ipc path, beside an "
    "abstract name, or without the write permission that connecting takes.",
    why="Permissions belong to the file of an ipc path. An abstract name `ipc://@NAME` and a tcp port have none, so "
    "everybody on this machine could connect where the file says that few may.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: "ipc://@jobs", mode: "0660"}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: ipc:///run/feed/jobs, mode: "0660"}
            out: {bind: tcp://*:5560}
        """,
)
def ipc_permissions(graph: Graph) -> Iterator[Finding]:
    """Look at the sockets that name a mode or a group."""
    binds: dict[End, list[Link]] = {}
    for link in graph.binds:
        binds.setdefault(link.end, []).append(link)
    for end in graph.ends:
        socket = end.socket
        if isinstance(socket, Socket) and (socket.mode is not None or socket.group is not None):
            yield from _of_socket(end, socket, binds.get(end, []))


def _of_socket(end: End, socket: Socket, binds: list[Link]) -> Iterator[Finding]:
    what, place = ("a group", socket.group_place) if socket.group is not None else ("a mode", socket.mode_place)
    ipc = [link for link in binds if link.endpoint and link.endpoint.transport == "ipc"]
    abstract = [link for link in ipc if link.endpoint and link.endpoint.path.startswith("@")]
    if not ipc and "bind" not in socket.unread and all(link.endpoint for link in binds):
        yield Finding(place, f"{end.name} has {what}, but binds no ipc path", "remove it, or bind an ipc path")
    for link in abstract:
        yield Finding(link.place, f"{end.name} has {what}, but {link.text} is an abstract name, which has none",
                      "use a path, such as one below /run", place)
    if socket.mode is None or "mode" in socket.unread:
        return
    if not socket.mode & _WRITE:
        yield Finding(socket.mode_place, f"with the mode {socket.mode:04o} nobody can connect to {end.name}, since "
                      "that takes write permission", 'such as mode: "0660"')
    elif socket.group is not None and not socket.mode & _GROUP_WRITE:
        yield Finding(socket.mode_place, f"with the mode {socket.mode:04o} the group of {end.name} cannot connect, "
                      "since that takes write permission", f'write mode: "{socket.mode | 0o060:04o}"',
                      socket.group_place)
