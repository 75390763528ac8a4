"""The devices of a topology as cases: each for itself, with its own types and options, on free ports.

What a device is connected to is left out, so each of its sockets binds an address of its own, of the first transport
that it has in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from zmqtopo.bench.cases import (
    TRANSPORTS,
    Case,
    Contestant,
    Requests,
    Selection,
    Stream,
    socket_for,
    title,
    topics_for,
    window_for,
)
from zmqtopo.config.endpoint import Endpoint
from zmqtopo.config.model import ContextSettings, Device, MonSocket, Reference, Run, Socket, Topology
from zmqtopo.config.reference import nearest

_ONE_WAY: Final = frozenset({"PULL", "SUB", "XSUB", "PUSH", "PUB", "XPUB"})

_STRANGERS: Final = (
    "curve_", "plain_", "gssapi_", "zap_", "wss_", "socks_", "subscribe", "bindtodevice", "conflate", "linger",
    "ipc_filter_", "use_fd", "routing_id", "connect_routing_id", "probe_router", "only_first_subscribe", "maxmsgsize",
    "hello_msg", "disconnect_msg", "hiccup_msg", "router_notify", "router_raw", "invert_matching", "xpub_manual",
    "xpub_welcome_msg",
)
"""Options, by their beginnings, that decide who may talk to whom or what comes through, and not how fast."""


def cases_of(topology: Topology, selection: Selection, only: Iterable[Contestant]) -> list[Case]:
    """The cases of each device, of every size and, where it has any, number of subscribers that is asked for."""
    return [
        _case(topology, device, size, load, tuple(only))
        for device in topology.devices.values()
        for size in selection.sizes
        for load in _loads(device, size, selection)
    ]


def _case(
    topology: Topology, device: Device, size: int, load: Stream | Requests, only: tuple[Contestant, ...]
) -> Case:
    transports = {socket.role: _transport(topology, device, socket) for socket in device.sockets}
    sockets = {socket.role: _apart(socket, transports[socket.role], size) for socket in device.sockets}
    # inproc is for threads of one process: such a device is measured in one, whatever its process is.
    run = Run() if "inproc" in transports.values() else Run(device.run.kind)
    mon = sockets.get("mon")
    apart = replace(device, in_=sockets["in"], out=sockets["out"], run=run,
                    mon=mon if isinstance(mon, MonSocket) else None)
    able = tuple(contestant for contestant in only if _can_take_part(contestant, apart))
    settings = ContextSettings(topology.context.io_threads)
    case = Case(device.type, apart, size, load, able, settings)
    return replace(case, title=title(f"{device.name} ({device.type})", size, case.transport, load))


def _can_take_part(contestant: Contestant, device: Device) -> bool:
    if contestant == "zmq.proxy":
        return not (device.in_.type == device.out.type == "ROUTER")     # the addresses would have to change places
    if contestant == "zmqtopo.plain":
        return device.mon is not None
    if contestant in ("zmqtopo.thread", "zmqtopo.process"):
        return contestant == f"zmqtopo.{device.run.kind}"
    if contestant == "zmq.monitored_queue":
        return (device.in_.type, device.out.type) != ("PULL", "XPUB")       # the first subscription would end it
    return True


def _loads(device: Device, size: int, selection: Selection) -> list[Stream | Requests]:
    types = {device.in_.type, device.out.type}
    readers = 1 if device.mon is not None else 0
    if types <= _ONE_WAY:
        if not types & {"PULL", "PUSH"}:
            return [Stream(n, max(topics_for(size, selection.topics), n), readers, selection.rate)
                    for n in selection.subscribers]
        return [Stream(readers=readers, rate=selection.rate)]
    marks = (device.in_.options.get(name) for name in ("sndhwm", "rcvhwm"))
    # A ROUTER loses replies for which it has no room, and hears of room for more by halves of its mark.
    most = min([selection.window, *(max(mark // 4, 1) for mark in marks if isinstance(mark, int) and mark > 0)])
    if types == {"PAIR"} or device.in_.type == device.out.type == "DEALER":
        # Replies of a DEALER go to its clients in turn, no matter which asked.
        return [Requests(1, window_for(size, 1, most), readers=readers)]
    return [Requests(selection.clients, window_for(size, selection.clients, most), selection.workers, readers)]


def _transport(topology: Topology, device: Device, socket: Socket) -> str:
    for address in (*socket.bind, *socket.connect):
        endpoint = nearest(address, device, topology) if isinstance(address, Reference) else address.endpoint
        if isinstance(address, Reference) and endpoint is None:
            endpoint = _chosen_by_the_system(topology, address)
        if endpoint is not None and endpoint.transport in TRANSPORTS:
            return endpoint.transport
    return "tcp"


def _chosen_by_the_system(topology: Topology, reference: Reference) -> Endpoint | None:
    """What a reference leads to whose address is not known yet, as far as its transport goes."""
    device = topology.devices.get(reference.device)
    socket = device.socket(reference.socket) if device else None
    return next((a.endpoint for a in socket.bind if a.endpoint and a.endpoint.is_system_port), None) if socket else None


def _apart(socket: Socket, transport: str, size: int) -> Socket:
    """The socket at an address of its own."""
    options = {name: value for name, value in socket.options.items() if not name.startswith(_STRANGERS)}
    if socket.type == "SUB":
        options["subscribe"] = (b"",)
    fresh = socket_for(socket.role, socket.type, transport, size, options)
    if isinstance(socket, MonSocket):
        return replace(socket, bind=fresh.bind, connect=(), options=fresh.options)
    return fresh
