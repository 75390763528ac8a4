"""Rules about mon, the socket that sees a copy of every message."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.sockets import MON_CAN_BLOCK, MON_NEVER_BLOCKS
from zmqtopo.config.model import WITH_MON


@rule(
    "socket", "mon-type", "error",
    finds="A mon whose socket type cannot send copies: anything but PUB, XPUB, PUSH, PAIR and DEALER.",
    why="ROUTER would take the prefix for an address and drop the copy; REQ and REP want an answer after each "
    "message; SUB, XSUB and PULL cannot send messages at all.",
    bad="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {type: SUB, bind: tcp://*:5561}
        """,
    good="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {type: PUB, bind: tcp://*:5561}
        """,
)
def mon_type(graph: Graph) -> Iterator[Finding]:
    """Look at the type of each mon of a device that may have one."""
    for device in graph.topology.devices.values():
        mon = device.mon
        if mon and device.type in WITH_MON and mon.type and mon.type not in MON_NEVER_BLOCKS | MON_CAN_BLOCK:
            yield Finding(
                mon.type_place, f"{device.name}.mon is of type {mon.type}, which cannot send a copy of each message",
                "use PUB (never slows the device), or PUSH, which every copy reaches",
            )


@rule(
    "socket", "mon-not-allowed", "error",
    finds="A mon on a queue, forwarder or streamer.",
    why="Only monitored_queue and proxy copy their messages. monitored_queue takes the "
    "same socket types, so nothing else has to change.",
    bad="""
        devices:
          requests:
            type: queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {bind: tcp://*:5561}
        """,
    good="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {bind: tcp://*:5561}
        """,
)
def mon_not_allowed(graph: Graph) -> Iterator[Finding]:
    """Look for a mon on any other type of device; what may be meant for a mon and is none has its finding."""
    for device in graph.topology.devices.values():
        if device.mon and "mon" not in device.unread and device.type not in WITH_MON | {""}:
            # A monitored_queue has the default types of a queue, so those of the others have to be written.
            types = "" if device.type == "queue" else (
                f" with in: {{type: {device.in_.type}}} and out: {{type: {device.out.type}}}"
            )
            yield Finding(
                device.mon.place, f"{device.name} is a {device.type}, and only a monitored_queue or a proxy has a mon",
                f"use type: monitored_queue{types}", device.type_place,
            )


@rule(
    "socket", "mon-missing", "error",
    finds="A monitored_queue without mon.",
    why="Its copies would go nowhere; a device without copies is a queue, forwarder or streamer.",
    bad="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          requests:
            type: queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
        """,
)
def mon_missing(graph: Graph) -> Iterator[Finding]:
    """Look for a monitored_queue whose mon is not there, not even in a form that cannot be read."""
    for device in graph.topology.devices.values():
        if device.type == "monitored_queue" and device.mon is None and "mon" not in device.unread:
            yield Finding(
                device.type_place, f"{device.name} is a monitored_queue without mon",
                "add a mon, such as mon: {bind: tcp://*:5561}, or use another type of device",
            )


@rule(
    "socket", "mon-blocks", "warning",
    finds="A PUSH, PAIR or DEALER mon with `overflow: block`, which is the default for these types.",
    why="When the program that reads mon is slow or absent, the device waits for it and passes on nothing.",
    bad="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {type: PUSH, bind: tcp://*:5561}
        """,
    good="""
        devices:
          requests:
            type: monitored_queue
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560}
            mon: {type: PUSH, bind: tcp://*:5561, overflow: drop}
        """,
)
def mon_blocks(graph: Graph) -> Iterator[Finding]:
    """Look for a mon that can fill and then makes the device wait."""
    for device in graph.topology.devices.values():
        mon = device.mon
        if mon is None or device.type not in WITH_MON or mon.unread & {"type", "overflow"}:
            continue
        if mon.type in MON_CAN_BLOCK and mon.overflow == "block":
            yield Finding(
                mon.overflow_place, f"{device.name} stands still while its {mon.type} mon is full or has no reader",
                "use overflow: drop, or a PUB mon, if the device matters more than the copies",
            )
