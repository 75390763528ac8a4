"""Rules about the security that is set by socket options: CURVE, PLAIN and GSSAPI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from zmqtopo.checks.graph import End, Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.checks.rules.unusable import place_of
from zmqtopo.config.curve import CURVE_KEYS, key_bytes, missing_keys, public_key
from zmqtopo.config.model import Address, Peer, Socket
from zmqtopo.config.wording import listing

KeyReader = Callable[[Socket, str], bytes | None]
"""Returns the 32 bytes of the key that an option of a socket names; None where they are not known."""

_SERVERS: Final = {"CURVE": "curve_server", "PLAIN": "plain_server", "GSSAPI": "gssapi_server"}
_CLIENTS: Final = {
    "CURVE": ("curve_serverkey",), "PLAIN": ("plain_username", "plain_password"),
    "GSSAPI": ("gssapi_service_principal",),
}
_EITHER: Final = {"CURVE": ("curve_publickey", "curve_secretkey"), "PLAIN": (), "GSSAPI": ("gssapi_principal",)}

_SERVER_SIDE: Final = "curve_server: true, curve_secretkey: {file: broker.secret}"
_CLIENT_SIDE: Final = "curve_publickey: {file: b.public}, curve_secretkey: {file: b.secret}"


@dataclass(frozen=True, slots=True)
class _Side:
    """What the options of a socket make of it, each with the options that say so."""

    serves: dict[str, str]
    calls: dict[str, str]
    others: dict[str, str]

    @property
    def mechanisms(self) -> list[str]:
        return [name for name in _SERVERS if name in self.serves or name in self.calls or name in self.others]

    @property
    def is_clear(self) -> bool:
        """Whether it is one thing only: not two mechanisms, nor both sides of one."""
        return len(self.mechanisms) < 2 and not (self.serves.keys() & self.calls.keys())


@rule(
    "security", "security-both-ways", "error",
    finds="A socket with two security mechanisms, or with what the server and what the client of one has.",
    why="A socket has one mechanism and one side of it. libzmq takes the option that was set last and drops the others "
    "without a word.",
    bad=f"""
        devices:
          prices:
            type: forwarder
            in: {{bind: tcp://*:5559}}
            out: {{bind: tcp://*:5560, options: {{{_SERVER_SIDE}, plain_username: feed}}}}
        """,
    good=f"""
        devices:
          prices:
            type: forwarder
            in: {{bind: tcp://*:5559}}
            out: {{bind: tcp://*:5560, options: {{{_SERVER_SIDE}}}}}
        """,
)
def security_both_ways(graph: Graph) -> Iterator[Finding]:
    """Look at each socket of a device."""
    for end, socket in sockets_with_options(graph):
        side = _side(socket)
        if side.is_clear:
            continue
        both = {**side.others, **side.calls, **side.serves}
        if len(side.mechanisms) > 1:
            said = listing([f"{name} ({both[name]})" for name in side.mechanisms], "and")
            place = place_of(socket, both[side.mechanisms[-1]])
            yield Finding(place, f"{end.name} has {said}, and a socket has one mechanism", "remove all but one")
        else:
            name = side.mechanisms[0]
            yield Finding(
                place_of(socket, side.calls[name]),
                f"{end.name} is the server of {name} by {side.serves[name]} and its client by {side.calls[name]}",
                "remove one of the two; a device that needs both has them at different sockets",
            )


@rule(
    "security", "curve-keys", "error",
    finds="A CURVE server without its secret key, a client without its own two keys, keys that do not belong together, "
    "and a secret key of zeros.",
    why="libzmq takes zeros for a key that is missing. A server with that secret key can be read and imitated by "
    "everybody, and a client with half of a pair never gets in, without a word.",
    bad="""
        devices:
          prices:
            type: forwarder
            in: {bind: tcp://*:5559}
            out: {bind: tcp://*:5560, options: {curve_server: true}}
        """,
    good=f"""
        devices:
          prices:
            type: forwarder
            in: {{bind: tcp://*:5559}}
            out: {{bind: tcp://*:5560, options: {{{_SERVER_SIDE}}}}}
        """,
)
def curve_keys(graph: Graph) -> Iterator[Finding]:
    """Look at the keys of each socket of a device."""
    for end, socket in sockets_with_options(graph):
        missing = [key for key in missing_keys(socket.options) if key != "curve_serverkey"]
        first = next((key for key in ("curve_server", *CURVE_KEYS) if socket.options.get(key)), "curve_server")
        if missing:
            hint = "write it as curve_secretkey: {file: PATH}, a file that only the service can read"
            yield Finding(place_of(socket, first), f"{end.name} has {first} and not {listing(missing, 'and')}", hint)
        else:
            yield from wrong_keys(end, socket, written_key)


def wrong_keys(end: End, socket: Socket, key: KeyReader) -> Iterator[Finding]:
    """Yield what is wrong with the pair of keys of a socket, as far as ``key`` knows them."""
    secret, public = key(socket, "curve_secretkey"), key(socket, "curve_publickey")
    if secret == bytes(32):
        yield Finding(place_of(socket, "curve_secretkey"),
                      f"{end.name}: the secret key is all zeros, which everybody knows",
                      "make a pair of keys: python -m zmq.curve_keygen")
    elif secret is not None and public is not None and public_key(secret) != public:
        yield Finding(place_of(socket, "curve_publickey"),
                      f"{end.name}: curve_publickey is not the public key of curve_secretkey",
                      "use the two keys of one pair", place_of(socket, "curve_secretkey"))


@rule(
    "security", "server-key-missing", "error",
    finds="A CURVE socket with a pair of keys that is neither the server nor knows the server's public key.",
    why="A client encrypts what it says first with the server's public key. Without one it never gets in, and anyone "
    "who knows that libzmq takes zeros instead can pass for the server.",
    bad=f"""
        devices:
          prices:
            type: forwarder
            in: {{connect: tcp://feed:5559, options: {{{_CLIENT_SIDE}}}}}
            out: {{bind: tcp://*:5560}}
        """,
    good=f"""
        devices:
          prices:
            type: forwarder
            in: {{connect: tcp://feed:5559, options: {{{_CLIENT_SIDE}, curve_serverkey: {{file: feed.public}}}}}}
            out: {{bind: tcp://*:5560}}
        """,
)
def server_key_missing(graph: Graph) -> Iterator[Finding]:
    """Look at clients that have all but this."""
    for end, socket in sockets_with_options(graph):
        if missing_keys(socket.options) == ("curve_serverkey",):
            yield Finding(place_of(socket, "curve_publickey"), f"{end.name} has keys of CURVE and no curve_serverkey",
                          "give it the server's public key, or curve_server: true where this is the server")


@rule(
    "security", "mixed-security", "error",
    finds="The two ends of one connection with different security: one end only, two mechanisms, two servers, two "
    "clients, or a client with a key that is not its server's.",
    why="The handshake fails, again and again, and neither side hears of it.",
    bad=f"""
        devices:
          feed:
            type: forwarder
            in: {{bind: tcp://*:5559}}
            out: {{bind: tcp://*:5560, options: {{{_SERVER_SIDE}}}}}
          prices:
            type: forwarder
            in: {{connect: feed.out}}
            out: {{bind: tcp://*:5561}}
        """,
    good=f"""
        devices:
          feed:
            type: forwarder
            in: {{bind: tcp://*:5559}}
            out: {{bind: tcp://*:5560, options: {{{_SERVER_SIDE}}}}}
          prices:
            type: forwarder
            in: {{connect: feed.out, options: {{{_CLIENT_SIDE}, curve_serverkey: {{file: broker.public}}}}}}
            out: {{bind: tcp://*:5561}}
        """,
)
def mixed_security(graph: Graph) -> Iterator[Finding]:
    """Look at each connection between two devices whose sockets are right by themselves."""
    yield from differences(graph, written_key)


def differences(graph: Graph, key: KeyReader) -> Iterator[Finding]:
    """Yield the connections whose two ends have different security, as far as ``key`` knows their keys."""
    for bind, connect in graph.connections:
        if bind.endpoint is not None and bind.endpoint.transport == "inproc":
            continue    # libzmq leaves out all security there
        sides = _certain(bind.end, graph, binds=True), _certain(connect.end, graph, binds=False)
        if sides[0] is None or sides[1] is None:
            continue
        why = _difference(bind.end, sides[0], connect.end, sides[1], key)
        if why:
            yield Finding(connect.place, f"{connect.end.name} connects to {bind.end.name}: {why}",
                          "give both ends the same mechanism: the server's side to one, its public key to the other",
                          bind.place)


@rule(
    "security", "no-authenticator", "error",
    finds="Options that ask an authenticator (ZAP, RFC 27): `plain_server`, `zap_domain` and `zap_enforce_domain`.",
    why="A device has none. With PLAIN, and with a domain that is enforced, nobody can get in; with a domain alone "
    "everybody does. PLAIN with `zap_enforce_domain` and no domain aborts the process at the first client. A program "
    "that runs the topology in a context of its own, with an authenticator in it, may silence this rule.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559, options: {plain_server: true}}
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:5559}
            out: {bind: tcp://127.0.0.1:5560}
        """,
)
def no_authenticator(graph: Graph) -> Iterator[Finding]:
    """Look at each socket that somebody reaches from outside of its process."""
    for end, socket in sockets_with_options(graph):
        if all(isinstance(a, Address) and a.endpoint is not None and a.endpoint.transport == "inproc"
               for a in (*socket.bind, *socket.connect)):
            continue
        # A profile of the file brings its authenticator.
        options = {name: value for name, value in socket.options.items() if name not in socket.secured_by}
        plain, enforced, domain = (options.get(o) for o in ("plain_server", "zap_enforce_domain", "zap_domain"))
        option, what = "", ""
        if plain:
            option = "plain_server"
            what = "libzmq aborts at the first client" if enforced and not domain else "nobody can get in"
        elif domain:
            option, what = "zap_domain", "nobody can get in" if enforced else "everybody gets in"
        elif enforced:
            option, what = "zap_enforce_domain", "without zap_domain it enforces nothing, and everybody gets in"
        if option:
            yield Finding(place_of(socket, option), f"{end.name}: no device has an authenticator for {option}: {what}",
                          "use CURVE, with which only who knows the server's public key gets in")


def sockets_with_options(graph: Graph) -> Iterator[tuple[End, Socket]]:
    """Yield the sockets of devices of whose options all is known."""
    for end in graph.ends:
        if isinstance(end.socket, Socket) and _is_readable(end.socket):
            yield end, end.socket


def _is_readable(socket: Socket) -> bool:
    return "options" not in socket.unread and all(name in socket.options for name in socket.option_places)


def _side(socket: Socket) -> _Side:
    options = socket.options
    return _Side(
        {name: option for name, option in _SERVERS.items() if options.get(option)},
        {name: option for name, several in _CLIENTS.items() for option in several if option in options},
        {name: option for name, several in _EITHER.items() for option in several if option in options},
    )


def _certain(end: End, graph: Graph, *, binds: bool) -> _Side | None:
    """The security of an end; None where the file does not say it, as of most peers, and where another rule speaks."""
    if isinstance(end.socket, Peer):
        return _side_of_peer(end.socket, graph, binds=binds)
    if not isinstance(end.socket, Socket) or not _is_readable(end.socket) or missing_keys(end.socket.options):
        return None
    side = _side(end.socket)
    return side if side.is_clear else None


def _side_of_peer(peer: Peer, graph: Graph, *, binds: bool) -> _Side | None:
    """What the profile of a peer makes of its end of a connection."""
    profile = graph.topology.security.get(peer.security) if peer.security else None
    if peer.security is None or (peer.security and profile is None) or (profile is not None and profile.unread):
        return None
    name = "" if profile is None else "CURVE" if profile.curve or profile.server else "PLAIN" if profile.plain else ""
    said = {name: f"security: {peer.security}"} if name else {}
    return _Side(said, {}, {}) if binds else _Side({}, said, {})


def _difference(bind: End, one: _Side, connect: End, other: _Side, key: KeyReader) -> str:
    """Why the two sides do not come together; empty when they may."""
    if one.mechanisms != other.mechanisms:
        return (f"{connect.name} has {_mechanism(other)}, and {bind.name} has {_mechanism(one)}")
    if not one.mechanisms:
        return ""
    name = one.mechanisms[0]
    if (name in one.serves) == (name in other.serves):
        return f"both are {'servers' if name in one.serves else 'clients'} of {name}"
    server, client = (bind, connect) if name in one.serves else (connect, bind)
    if not (isinstance(server.socket, Socket) and isinstance(client.socket, Socket)):
        return ""       # which keys a peer has nobody but it knows
    known, secret = key(client.socket, "curve_serverkey"), key(server.socket, "curve_secretkey")
    public = public_key(secret) if secret is not None else key(server.socket, "curve_publickey")
    if name == "CURVE" and known is not None and public is not None and known != public:
        return f"the curve_serverkey of {client.name} is not the public key of {server.name}"
    return ""


def _mechanism(side: _Side) -> str:
    return side.mechanisms[0] if side.mechanisms else "no security"


def written_key(socket: Socket, name: str) -> bytes | None:
    """The key where it stands in the topology; the rule `key-files` of this machine opens other files."""
    value = socket.options.get(name)
    return key_bytes(value) if isinstance(value, (str, bytes)) else None
