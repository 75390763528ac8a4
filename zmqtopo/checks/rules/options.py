"""Rules about socket options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.model import Socket
from zmqtopo.config.problem import Place
from zmqtopo.config.wording import listing

SCOPE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "subscribe": frozenset({"SUB"}),
    "unsubscribe": frozenset({"SUB"}),
    "conflate": frozenset({"DEALER", "PUB", "PULL", "PUSH", "SUB"}),
    "invert_matching": frozenset({"PUB", "SUB", "XPUB"}),
    "only_first_subscribe": frozenset({"XPUB", "XSUB"}),
    "xpub_manual": frozenset({"XPUB"}),
    "xpub_manual_last_value": frozenset({"XPUB"}),
    "xpub_nodrop": frozenset({"PUB", "XPUB"}),
    "xpub_verbose": frozenset({"XPUB"}),
    "xpub_verboser": frozenset({"XPUB"}),
    "xpub_welcome_msg": frozenset({"XPUB"}),
    "xsub_verbose_unsubscribe": frozenset({"XSUB"}),
    "connect_routing_id": frozenset({"ROUTER", "STREAM"}),
    "probe_router": frozenset({"DEALER", "REQ", "ROUTER"}),
    "req_correlate": frozenset({"REQ"}),
    "req_relaxed": frozenset({"REQ"}),
    "router_handover": frozenset({"ROUTER"}),
    "router_mandatory": frozenset({"ROUTER"}),
    "router_notify": frozenset({"ROUTER"}),
    "router_raw": frozenset({"ROUTER"}),
    "stream_notify": frozenset({"STREAM"}),
})
"""The options that only some socket types have: "Applicable socket types" of zmq_setsockopt(3)."""

FEW: Final = 100_000
"""Subscriptions that a forwarder may well have. Who writes a larger mark for them has thought of them."""


@rule(
    "socket", "option-scope", "error",
    finds="An option that this socket type does not have.",
    why="libzmq refuses it with EINVAL when the device starts, or takes it and does nothing.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559, options: {router_mandatory: true}}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          requests:
            type: queue
            in: {bind: tcp://*:5559, options: {router_mandatory: true}}
            out: {bind: tcp://*:5560}
        """,
)
def option_scope(graph: Graph) -> Iterator[Finding]:
    """Compare each option with the type of its socket, unless that is unreadable."""
    for end in graph.ends:
        if not isinstance(end.socket, Socket) or not end.type_known:
            continue
        for option in end.socket.options:
            if option not in SCOPE or end.type in SCOPE[option]:
                continue
            hint = f"only {listing(sorted(SCOPE[option]), 'and')} {'has' if len(SCOPE[option]) == 1 else 'have'} it"
            if option in ("subscribe", "unsubscribe") and end.type == "XSUB":
                hint = "XSUB takes its subscriptions from XPUB; for fixed ones use SUB with PUB"
            message = f"{end.name} is of type {end.type}, which has no option {option}"
            yield Finding(_place(end.socket, option), message, hint)


@rule(
    "socket", "unlimited-hwm", "warning",
    finds="A high-water mark of 0, which means no limit.",
    why="When a receiver is slower than its sender, the queue takes all the memory of the machine, and then "
    "the system ends the process with every message in it.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {sndhwm: 0}}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {sndhwm: 100000}}
        """,
)
def unlimited_hwm(graph: Graph) -> Iterator[Finding]:
    """Look at the three options that set a mark, once for each place where one is written."""
    for end in graph.ends:
        if not isinstance(end.socket, Socket):
            continue
        unlimited = [o for o in ("hwm", "rcvhwm", "sndhwm") if end.socket.options.get(o, 1) == 0]
        for place in dict.fromkeys(_place(end.socket, option) for option in unlimited):
            yield Finding(
                place, f"{end.name} has no limit for the messages that wait in it",
                "set a number of messages, such as 100000",
            )


@rule(
    "socket", "few-subscriptions", "warning",
    finds="A SUB or XSUB with an `sndhwm` below 100,000.",
    why="What these send are subscriptions, to each publisher that connects all at once, and libzmq loses those beyond "
    "the mark without a word. Where the file says nothing, it is a million.",
    bad="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559, options: {sndhwm: 1000}}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559, options: {rcvhwm: 1000}}
            out: {bind: tcp://*:5560}
        """,
)
def few_subscriptions(graph: Graph) -> Iterator[Finding]:
    """Look at the mark that is written for it, itself or by a merge."""
    for end in graph.ends:
        if isinstance(end.socket, Socket) and end.type in ("SUB", "XSUB"):
            mark = end.socket.options.get("sndhwm", 0)
            if isinstance(mark, int) and 0 < mark < FEW:
                yield Finding(
                    _place(end.socket, "sndhwm"),
                    f"{end.name} is of type {end.type}: of more than {mark:,} subscriptions libzmq loses the others",
                    "leave it out, and limit messages with rcvhwm",
                )


def _place(socket: Socket, option: str) -> Place:
    return socket.option_places.get(option, socket.place)
