"""Rules about profiles of security: whether they are used, let somebody in, and protect what they are for."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from zmqtopo.checks.graph import End, Graph, Link
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.unusable import place_of
from zmqtopo.config.model import Device, Profile, Socket
from zmqtopo.config.problem import Place
from zmqtopo.config.security import BY_HAND, callers, needs_none, profile_of
from zmqtopo.config.wording import closest, quote

_LAN = "  lan: {curve: keys/broker.key_secret, allow: keys/clients/}"
_DEVICE = """
        devices:
          events: {type: forwarder, security: lan, in: {bind: tcp://*:5561}, out: {bind: tcp://*:5562}}
        """
_GOOD = f"""
        security:
        {_LAN}{_DEVICE}"""


@rule(
    "security", "unknown-profile", "error",
    finds="A `security` that names a profile which the file does not have.",
    why="The socket would be open where the file says that it is not.",
    bad=_GOOD.replace("  lan:", "  wan:"),
    good=_GOOD,
)
def unknown_profile(graph: Graph) -> Iterator[Finding]:
    """Look at each name once, where it stands."""
    if "security" in graph.topology.unread:
        return
    known = graph.topology.security
    told: set[Place] = set()
    for end in graph.ends:
        name, place = end.socket.security, end.socket.security_place
        if name and name not in known and place not in told:
            told.add(place)
            near = closest(name, known)
            hint = f"did you mean {near}?" if near else "add it to security, or write none"
            yield Finding(place, f"there is no security profile {quote(name)}", hint)


@rule(
    "security", "unused-security", "warning",
    finds="A profile of `security` that nothing in the file has.",
    why="Sockets that were meant to have it are open, or it is left from something that is gone.",
    bad=_GOOD.replace("security: lan, ", ""),
    good=_GOOD,
)
def unused_security(graph: Graph) -> Iterator[Finding]:
    """Look for each profile among the sockets and peers."""
    if any(end.owner.unread for end in graph.ends) or graph.topology.unread & {"devices", "defaults", "peers"}:
        return
    used = {end.socket.security for end in graph.ends if end.socket.security}
    if used - graph.topology.security.keys():
        return      # it may be a misspelt one that is meant
    for profile in graph.topology.security.values():
        if profile.name not in used:
            yield Finding(profile.place, f"nothing has the security profile {profile.name}",
                          f"give a device or a socket security: {profile.name}, or remove it")


@rule(
    "security", "raw-security-option", "error",
    finds="An option of CURVE, PLAIN or ZAP beside a profile of security on one socket.",
    why="A profile sets these options. One that is set by hand takes its place, and the socket may be less secured "
    "than the profile says.",
    bad=_GOOD.replace("{bind: tcp://*:5561}", "{bind: tcp://*:5561, options: {curve_server: true}}"),
    good=_GOOD,
)
def raw_security_option(graph: Graph) -> Iterator[Finding]:
    """Look at the options that stand in the file."""
    for end, socket, profile in _secured(graph):
        for name in sorted(BY_HAND & socket.option_places.keys() - socket.secured_by):
            yield Finding(place_of(socket, name), f"{end.name} has {name} by hand and the security profile "
                          f"{profile.name}, which sets it", "remove one of the two", socket.security_place)


@rule(
    "security", "nobody-allowed", "error",
    finds="A socket that binds with a profile that lets nobody in: CURVE without `allow`, or a profile that says "
    "neither a key nor a user, an address or a user id.",
    why="Who is not named may not connect. That a socket is open to everybody who has its public key has to be written "
    "out as `allow: any`.",
    bad=_GOOD.replace(", allow: keys/clients/", ""),
    good=_GOOD,
)
def nobody_allowed(graph: Graph) -> Iterator[Finding]:
    """Look at what binds; devices of the file that refer to it are allowed by themselves."""
    for end, socket, profile in _secured(graph):
        assert isinstance(end.owner, Device)
        if profile.unread or "zap_domain" not in socket.secured_by or profile.allow_any or profile.allow:
            continue
        if profile.curve and any(callers(end.owner, socket, graph.topology)):
            continue
        if profile.curve or not (profile.plain or profile.allow_ips or profile.allow_uids):
            hint = "add allow: FOLDER with the public keys of those who may" if profile.curve else (
                "add curve and allow, plain, allow_ips or allow_uids")
            yield Finding(profile.place, f"the security profile {profile.name} lets nobody connect to {end.name}", hint)
            return


@rule(
    "security", "allow-any", "info",
    finds="A profile with `allow: any`.",
    why="What passes is encrypted, and everybody who has the public key of this side may connect; a public key is not "
    "kept secret.",
    bad=_GOOD.replace("keys/clients/", "any"),
    good=_GOOD,
)
def allow_any(graph: Graph) -> Iterator[Finding]:
    """Look at each profile that a socket that binds has, once."""
    told: set[str] = set()
    for _, socket, profile in _secured(graph):
        if profile.allow_any and socket.bind and profile.name not in told:
            told.add(profile.name)
            yield Finding(profile.places.get("allow", profile.place), f"with {profile.name} everybody who has the "
                          "public key may connect", "name a folder with the keys of those who may")


@rule(
    "security", "plain-unencrypted", "warning",
    finds="A profile with PLAIN on a socket that other machines reach.",
    why="PLAIN sends names, passwords and messages as they are: who is on the way reads them.",
    bad="""
        security:
          users: {plain: keys/users}
        devices:
          events: {type: forwarder, security: users, in: {bind: tcp://*:5561}, out: {bind: tcp://*:5562}}
        """,
    good="""
        security:
          users: {plain: keys/users}
        devices:
          events:
            type: forwarder
            security: users
            in: {bind: tcp://127.0.0.1:5561}
            out: {bind: tcp://127.0.0.1:5562}
        """,
)
def plain_unencrypted(graph: Graph) -> Iterator[Finding]:
    """Look at each socket with such a profile, and tell of a profile once."""
    told: set[str] = set()
    for end, socket, profile in _secured(graph):
        links = [link for link in (*graph.binds, *graph.connects) if link.end is end and _leaves_this_machine(link)]
        if profile.plain and not profile.curve and links and profile.name not in told and socket.secured_by:
            told.add(profile.name)
            yield Finding(links[0].place, f"{end.name} has PLAIN, and its passwords and messages can be read on the "
                          "network", "use curve, which encrypts")


@rule(
    "security", "mon-open", "warning",
    finds="A mon that is less protected than the device whose messages it copies.",
    why="It has a copy of every message: who may not connect to in and out reads them there.",
    bad="""
        security:
          lan: {curve: keys/broker.key_secret, allow: keys/clients/}
        devices:
          jobs:
            type: monitored_queue
            in: {bind: tcp://*:5561, security: lan}
            out: {bind: tcp://*:5562, security: lan}
            mon: {bind: tcp://*:5563}
        """,
    good="""
        security:
          lan: {curve: keys/broker.key_secret, allow: keys/clients/}
        devices:
          jobs:
            type: monitored_queue
            security: lan
            in: {bind: tcp://*:5561}
            out: {bind: tcp://*:5562}
            mon: {bind: tcp://*:5563}
        """,
)
def mon_open(graph: Graph) -> Iterator[Finding]:
    """Compare mon with the other two sockets of each device."""
    for device in graph.topology.devices.values():
        mon, others = device.mon, (device.in_, device.out)
        if mon is None or mon.security or needs_none(mon, device, graph.topology) or "security" in mon.unread:
            continue
        links = [link for link in (*graph.binds, *graph.connects)
                 if link.end.socket is mon and _leaves_this_machine(link)]
        if links and all(socket.secured_by for socket in others):
            yield Finding(links[0].place, f"{device.name}.mon has no security, and sends copies of what {device.name} "
                          "protects", f"give it security: {device.in_.security}")


def _leaves_this_machine(link: Link) -> bool:
    endpoint = link.endpoint
    if endpoint is None or endpoint.transport in ("ipc", "inproc", "vmci"):
        return False
    if endpoint.is_wildcard_host:
        return True
    try:
        return not ipaddress.ip_address(endpoint.host).is_loopback
    except ValueError:
        return endpoint.host not in ("localhost", "lo")


def _secured(graph: Graph) -> Iterator[tuple[End, Socket, Profile]]:
    """Yield the sockets of devices that have a profile, of which all is known."""
    for end in graph.ends:
        if isinstance(end.socket, Socket) and "options" not in end.socket.unread:
            profile = profile_of(end.socket, graph.topology)
            if profile is not None:
                yield end, end.socket, profile
