"""Rules about inproc: it reaches as far as one context, which is one process."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Device, Reference
from zmqtopo.config.wording import Guesses


@rule(
    "endpoint", "inproc-across-processes", "error",
    finds="A connect to an inproc name that only another process binds. A peer is always another process.",
    why="inproc lives inside one ZeroMQ context. Connect and send succeed all the same, and nothing ever arrives.",
    bad="""
        devices:
          ingest:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: inproc://jobs}
          store:
            type: streamer
            run: process
            in: {connect: inproc://jobs}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          ingest:
            type: streamer
            run: process/jobs
            in: {bind: tcp://*:5559}
            out: {bind: inproc://jobs}
          store:
            type: streamer
            run: process/jobs
            in: {connect: inproc://jobs}
            out: {bind: tcp://*:5560}
        """,
)
def inproc_across_processes(graph: Graph) -> Iterator[Finding]:
    """For a connect that meets nobody, see who binds the name elsewhere."""
    names: dict[str, Link] = {}
    for bind in graph.binds:
        if bind.endpoint and bind.endpoint.transport == "inproc":
            names.setdefault(bind.endpoint.path, bind)
    for connect in _alone(graph):
        elsewhere = names.get(connect.endpoint.path) if connect.endpoint else None
        if elsewhere is not None and _are_apart(connect, elsewhere):
            yield Finding(
                connect.place,
                f"{connect.end.name} connects to {connect.text}, which {elsewhere.end.name} binds in another process",
                _remedy(connect, elsewhere), elsewhere.place,
            )
    for connect, target in _references_across(graph):
        yield Finding(
            connect.place,
            f"{connect.end.name} connects to {connect.text}, which binds only inproc, in another process",
            _remedy(connect, target), target.place,
        )


@rule(
    "endpoint", "inproc-unbound", "error",
    finds="A connect to an inproc name that nothing in that process binds.",
    why="Since libzmq 4.0 such a connect succeeds and waits for a bind that never comes.",
    bad="""
        devices:
          store:
            type: streamer
            in: {connect: inproc://jbos}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          ingest:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: inproc://jobs}
          store:
            type: streamer
            in: {connect: inproc://jobs}
            out: {bind: tcp://*:5560}
        """,
)
def inproc_unbound(graph: Graph) -> Iterator[Finding]:
    """For a connect that meets nobody, see that no one anywhere binds the name or may have meant to."""
    bound = [b.endpoint.path for b in graph.binds if b.endpoint and b.endpoint.transport == "inproc"]
    unreadable = {end.process for end in graph.ends if "bind" in end.socket.unread}
    unreadable |= {bind.process for bind in graph.binds if bind.endpoint is None}
    names = set(bound)
    guesses = Guesses()
    for connect in _alone(graph):
        if connect.endpoint and connect.endpoint.path not in names and connect.process not in unreadable:
            yield Finding(
                connect.place,
                f"{connect.end.name} connects to {connect.text}, which nothing in its process binds",
                _did_you_mean_inproc(guesses.closest(connect.endpoint.path, bound)),
            )


def _alone(graph: Graph) -> Iterator[Link]:
    """The inproc connects that no bind of their own process answers."""
    for node in graph.nodes:
        if not node.binds:
            yield from (c for c in node.connects if c.endpoint and c.endpoint.transport == "inproc")


def _references_across(graph: Graph) -> Iterator[tuple[Link, Link]]:
    """The references that only an inproc address in another process could satisfy."""
    for connect in graph.connects:
        if isinstance(connect.written, Reference) and connect.endpoint is None:
            targets = graph.binds_of(connect.written)
            only_inproc = targets and all(t.endpoint and t.endpoint.transport == "inproc" for t in targets)
            if only_inproc and _are_apart(connect, targets[0]):
                yield connect, targets[0]


def _are_apart(one: Link, other: Link) -> bool:
    """Whether it is certain that two sockets, whose processes differ, are to run in different ones."""
    return one.end.process_known and other.end.process_known


def _remedy(connect: Link, bind: Link) -> str:
    here, there = connect.end.owner, bind.end.owner
    if isinstance(here, Device) and isinstance(there, Device):
        return "use ipc or tcp, or run both devices in one process (run: process/NAME for both)"
    return "use ipc or tcp: a peer is a program of its own"


def _did_you_mean_inproc(near: str | None) -> str:
    return f"did you mean inproc://{near}?" if near else "let a device of the same process bind it"
