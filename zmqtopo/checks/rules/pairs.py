"""Rules about the two socket types of a device: can it pass messages between them."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import End, Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.sockets import DEVICE_PAIRS, receives
from zmqtopo.config.model import DEFAULT_TYPES, Device, Socket
from zmqtopo.config.wording import listing

_ROUTERS = ("ROUTER", "ROUTER")

_CARRY_NOTHING = {
    ("XSUB", "PUB"): (
        "PUB keeps the subscriptions to itself, so XSUB never asks a publisher for anything",
        "use XSUB with XPUB, which passes subscriptions on, or SUB with PUB",
    ),
}
"""Pairs that look right: why no message passes, and what to use."""


@rule(
    "socket", "socket-pair", "error",
    finds="Two socket types that cannot serve this type of device.",
    why="Such a device starts and then carries nothing, or loses what it cannot pass on. "
    "queue takes ROUTER/DEALER, DEALER/DEALER, PAIR/PAIR and DEALER/ROUTER; forwarder XSUB/XPUB, SUB/PUB, "
    "SUB/XPUB and XPUB/XSUB; streamer PULL/PUSH, PULL/PUB, PULL/XPUB and SUB/PUSH; monitored_queue all of these and "
    "ROUTER/ROUTER; proxy every pair of which one can receive what the other can send.",
    bad="""
        devices:
          events:
            type: forwarder
            in: {type: SUB, bind: tcp://*:5559}
            out: {type: PUSH, bind: tcp://*:5560}
        """,
    good="""
        devices:
          events:
            type: forwarder
            in: {type: SUB, bind: tcp://*:5559}
            out: {type: PUB, bind: tcp://*:5560}
        """,
)
def socket_pair(graph: Graph) -> Iterator[Finding]:
    """Look each pair up; a type that may be a default only because the real one is unreadable proves nothing."""
    for device in graph.topology.devices.values():
        if not has_wrong_pair(device):
            continue
        pair = device.in_.type, device.out.type
        if pair == _ROUTERS and device.type == "queue":
            continue  # router-router says more
        guilty = _guilty(device, device.in_, device.out)
        other = device.out if guilty is device.in_ else device.in_
        reason, hint = _explain(device, pair, guilty)
        yield Finding(
            guilty.type_place, f"{device.name} is a {device.type} with {pair[0]} as in and {pair[1]} as out: {reason}",
            hint, other.type_place if other.type_place != guilty.type_place else None,
        )


@rule(
    "socket", "router-router", "error",
    finds="A queue with ROUTER on both sides.",
    why="A message from one ROUTER carries first its sender, then its receiver. Only monitored_queue swaps the "
    "two, so that the other ROUTER finds the receiver in front.",
    bad="""
        devices:
          mesh:
            type: queue
            in: {type: ROUTER, bind: tcp://*:5559}
            out: {type: ROUTER, bind: tcp://*:5560}
        """,
    good="""
        devices:
          mesh:
            type: monitored_queue
            in: {type: ROUTER, bind: tcp://*:5559}
            out: {type: ROUTER, bind: tcp://*:5560}
            mon: {bind: tcp://*:5561}
        """,
)
def router_router(graph: Graph) -> Iterator[Finding]:
    """Look for the one pair that needs the swap."""
    for device in graph.topology.devices.values():
        if device.type == "queue" and (device.in_.type, device.out.type) == _ROUTERS:
            yield Finding(
                device.out.type_place,
                f"{device.name} is a queue with ROUTER on both sides, and nobody swaps the addresses",
                "use type: monitored_queue with a mon, or DEALER as out", device.in_.type_place,
            )


def has_wrong_pair(device: Device) -> bool:
    """Whether the two types, as far as they are known, carry nothing in this device."""
    if device.type not in DEVICE_PAIRS:
        return False
    if not all(End(device, socket, socket.role).type_known for socket in (device.in_, device.out)):
        return False
    return (device.in_.type, device.out.type) not in DEVICE_PAIRS[device.type]


def _guilty(device: Device, in_: Socket, out: Socket) -> Socket:
    """The socket to point at: the one that fits nowhere, else the one that is not the default."""
    pairs = DEVICE_PAIRS[device.type]
    if device.type == "proxy":
        return in_ if in_.type in ("STREAM", "XSUB") else out
    if in_.type not in {i for i, _ in pairs}:
        return in_
    if out.type not in {o for _, o in pairs}:
        return out
    return out if in_.type == _defaults(device)[0] else in_


def _explain(device: Device, pair: tuple[str, str], guilty: Socket) -> tuple[str, str]:
    if "STREAM" in pair:
        return ("STREAM is not a type that devices take",
                "use ROUTER with options: {router_raw: true}, which speaks raw TCP as STREAM does")
    if device.type == "proxy":
        return _explain_proxy(pair)
    if pair in _CARRY_NOTHING:
        return _CARRY_NOTHING[pair]
    if {"REQ", "REP"} & set(pair):
        return "REQ and REP let one request pass at a time, and only in turn", "use ROUTER as in and DEALER as out"
    pairs = DEVICE_PAIRS[device.type]
    reason = "they cannot pass messages to each other"
    elsewhere = [name for name in ("queue", "forwarder", "streamer") if pair in DEVICE_PAIRS[name]]
    if elsewhere:
        return f"that pair makes a {elsewhere[0]}", f"use type: {elsewhere[0]}, or {_default(device)}"
    if pair[::-1] in pairs:
        return "that is the wrong way round", f"use {pair[1]} as in and {pair[0]} as out"
    for kept in ("in", "out") if guilty.role == "in" else ("out", "in"):
        if kept == "in":
            keep, change, choice = pair[0], "out", sorted(o for i, o in pairs if i == pair[0])
        else:
            keep, change, choice = pair[1], "in", sorted(i for i, o in pairs if o == pair[1])
        if choice:
            hint = f"with {keep} as {kept}, use {listing(choice)} as {change}"
            return reason, hint + (", or type: proxy for these two" if pair in DEVICE_PAIRS["proxy"] else "")
    return reason, f"use {_default(device)}"


def _explain_proxy(pair: tuple[str, str]) -> tuple[str, str]:
    one, other = pair if pair[0] in ("XSUB", "REP", "REQ") else pair[::-1]
    if "XSUB" in pair:
        return ("XSUB receives what subscriptions from an XPUB ask for, and nothing else",
                "use SUB, which subscribes by option, or XPUB on the other side")
    if "REP" in pair:
        side = other if one == "REP" else one
        return (f"REP takes the next request only after an answer, and none comes from {side}",
                "use DEALER, ROUTER, PAIR or REQ on the other side, or ROUTER in place of REP")
    if "REQ" in pair:
        return (f"REQ sends what comes in on the other side, and no message comes in on {other}",
                "use a type that receives on the other side, such as ROUTER or DEALER")
    if not (receives(pair[0]) or receives(pair[1])):
        return "neither of them receives messages", "use a type that receives on one side, such as SUB or DEALER"
    return "neither of them sends messages", "use a type that sends on one side, such as PUSH or DEALER"


def _default(device: Device) -> str:
    in_, out = _defaults(device)
    return f"{in_} as in and {out} as out"


def _defaults(device: Device) -> tuple[str, str]:
    return DEFAULT_TYPES[device.type] if device.type else ("", "")
