"""Endpoints as values: parsed once, compared by what they mean and not by how they are spelled.

The forms are those of libzmq's man pages zmq_tcp, zmq_ipc, zmq_inproc, zmq_udp, zmq_ws, zmq_pgm,
zmq_tipc and zmq_vmci, and of its norm_engine.cpp. Whether this libzmq has a transport is not asked here.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from zmqtopo.config.wording import closest, listing, quote

TRANSPORTS = ("tcp", "ipc", "inproc", "udp", "ws", "wss", "pgm", "epgm", "norm", "tipc", "vmci")
"""Every transport that some build of libzmq knows; the names are lower case only."""

WILDCARD_HOSTS = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104 - recognised here, bound nowhere

_WITH_PORT = frozenset({"tcp", "udp", "ws", "wss", "pgm", "epgm", "norm", "vmci"})
_MULTICAST = frozenset({"udp", "pgm", "epgm", "norm"})
_EXAMPLES = {
    "tcp": "tcp://127.0.0.1:5555", "ipc": "ipc:///run/feed.sock", "inproc": "inproc://feed",
    "udp": "udp://239.0.0.1:5555", "ws": "ws://127.0.0.1:8080/feed", "wss": "wss://127.0.0.1:8443/feed",
    "pgm": "pgm://eth0;239.192.1.1:5555", "epgm": "epgm://eth0;239.192.1.1:5555",
    "norm": "norm://eth0;239.192.1.1:5555", "tipc": "tipc://{5560,0,0}", "vmci": "vmci://*:5555",
}
_HOST = re.compile(r"[\w.-]+")
_FOUR_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+){3}")


class EndpointError(ValueError):
    """A text that is no endpoint; ``hint`` says what would be one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ZeroMQ endpoint, taken apart.

    ``host`` is lower case and without brackets (``*`` for every interface), ``port`` None where the
    system chooses it (``*`` or 0). ``path`` is the path of ipc (``*`` where the system chooses it,
    ``@name`` abstract), the name of inproc, the address of tipc, or the path of ws and wss (empty
    for ``/``). ``source`` is what stands before ``;``: the local address of a tcp connect, the
    interface of a multicast transport.
    """

    transport: str
    host: str = ""
    port: int | None = None
    path: str = ""
    source: str = ""

    def __str__(self) -> str:
        if self.transport not in _WITH_PORT:
            return f"{self.transport}://{self.path}"
        # norm writes its node id as `7,` before the interface, or alone before the address.
        before = self.source and self.source + ("" if self.source.endswith(",") else ";")
        return f"{self.transport}://{before}{_host_port(self.host, self.port)}{self.path}"

    @property
    def is_wildcard_host(self) -> bool:
        """Whether it stands for every interface: one binds to it and connects to another name."""
        return self.host in WILDCARD_HOSTS

    @property
    def is_system_port(self) -> bool:
        """Whether the system chooses the port, or the path of ipc, when it is bound."""
        return self.port is None if self.transport in _WITH_PORT else self == _ANY_IPC

    @property
    def is_local(self) -> bool:
        """Whether the address itself says that it is on this machine."""
        if self.transport in ("ipc", "inproc"):
            return True
        if self.host == "localhost" or self.is_wildcard_host:
            return True
        return self.host == "::1" or bool(_FOUR_NUMBERS.fullmatch(self.host) and self.host.startswith("127."))

    @property
    def needs_ipv6(self) -> bool:
        """Whether libzmq takes it only on a socket with the option ipv6."""
        return ":" in self.host or "[" in self.source

    def reachable(self) -> Endpoint:
        """Return what a program on this machine connects to: a wildcard host becomes the loopback address.

        libzmq clears IPV6_V6ONLY, so ``[::]`` takes IPv4 too, for which a client needs no option.
        """
        return replace(self, host="127.0.0.1") if self.is_wildcard_host else self


_ANY_IPC = Endpoint("ipc", path="*")


def ordinary(text: str) -> str:
    """Return the address that libzmq says it has bound as a client without the option ipv6 can use it, if it can.

    A socket with ipv6 has ``[::]`` for ``*``, which takes IPv4 too, and ``[::ffff:127.0.0.1]`` for ``127.0.0.1``.
    """
    if not text.startswith("tcp://[::"):
        return text
    endpoint = parse(text)
    return str(replace(endpoint, host="0.0.0.0") if endpoint.host == "::" else endpoint)  # noqa: S104 - only shown


def parse(text: str) -> Endpoint:
    """Return the endpoint that ``text`` spells; raises EndpointError, which has a hint, when it is none."""
    if not text:
        raise EndpointError("the address is empty", "write it as tcp://127.0.0.1:5555")
    if text != text.strip() or not text.isprintable():
        raise EndpointError(f"{quote(text)} has blanks around it or characters that cannot be printed")
    transport, mark, rest = text.partition("://")
    if not mark:
        raise EndpointError(f"{quote(text)} is not a valid address: it has no '://'", _without_mark(text))
    if transport not in TRANSPORTS:
        near = closest(transport, TRANSPORTS)
        hint = f"did you mean {near}://?" if near else f"known are {listing(TRANSPORTS, 'and')}"
        raise EndpointError(f"unknown transport {quote(transport)} in {quote(text)}", hint)
    if transport in _WITH_PORT:
        return _with_port(text, transport, rest)
    if transport == "ipc":
        return Endpoint("ipc", path=_ipc_path(text, rest))
    if not rest:
        raise EndpointError(f"{quote(text)} has no {'name' if transport == 'inproc' else 'address'}",
                            _such_as(transport))
    return Endpoint(transport, path=rest)


def _with_port(text: str, transport: str, rest: str) -> Endpoint:
    path = source = ""
    if transport in ("ws", "wss"):
        rest, slash, path = rest.partition("/")
        path = slash + path if path else ""
    if transport in _MULTICAST or transport == "tcp":
        source, _, rest = rest.rpartition(";")
        if transport == "norm" and not source and "," in rest:
            source, _, rest = rest.partition(",")
            source += ","
    if transport == "tcp" and source:
        source = _host_port(*_split(text, transport, source))
    host, port = _split(text, transport, rest)
    return Endpoint(transport, host, port, path, source)


def _split(text: str, transport: str, rest: str) -> tuple[str, int | None]:
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        raise EndpointError(f"{quote(text)} has no port",
                            _such_as(transport) if len(text) > 60 else f"write {text.replace(rest, f'{rest}:PORT', 1)}")
    if not port:
        raise EndpointError(f"{quote(text)} has no port behind the last ':'",
                            _such_as(transport) if len(text) > 60 else f"write {text}PORT")
    return _host(text, transport, host), _port(text, port)


def _port(text: str, port: str) -> int | None:
    if port == "*":
        return None
    if not (port.isascii() and port.isdigit()):
        raise EndpointError(f"{quote(port)} in {quote(text)} is not a valid port",
                            "a port is a number from 1 to 65535, or * (or 0) where the system chooses")
    number = int(port[-9:]) if port[:-9].strip("0") == "" else 10**9
    if number > 65535:
        raise EndpointError(f"port {port[:20]} in {quote(text)} is over 65535",
                            "a port is a number from 1 to 65535, or * (or 0) where the system chooses")
    return number or None


def _host(text: str, transport: str, host: str) -> str:
    if not host:
        raise EndpointError(f"{quote(text)} has no host",
                            f"write {transport}://*:PORT to bind to every interface")
    if host == "*":
        return host
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if bracketed or ":" in bare:
        try:
            address = IPv6Address(bare)
            if address.is_link_local and not address.scope_id:
                raise EndpointError(f"{quote(bare)} in {quote(text)} is a link-local address without its interface",
                                    f"write the interface behind it, such as [{address}%eth0]")
            # An IPv4 address in IPv6's spelling, which libzmq takes with and without the option ipv6.
            return str(address.ipv4_mapped or address)
        except AddressValueError:
            raise EndpointError(f"{quote(bare)} in {quote(text)} is not a valid IPv6 address",
                                "an address has one host and one port; IPv6 is written as [::1]") from None
    if _FOUR_NUMBERS.fullmatch(bare):
        try:
            return str(IPv4Address(bare))
        except AddressValueError:
            raise EndpointError(f"{quote(bare)} in {quote(text)} is not a valid IPv4 address",
                                "it has four numbers from 0 to 255") from None
    if not _HOST.fullmatch(bare):
        raise EndpointError(f"{quote(bare)} in {quote(text)} is not a valid host name", _such_as(transport))
    return bare.lower()


def _ipc_path(text: str, path: str) -> str:
    if not path:
        raise EndpointError(f"{quote(text)} has no path", _such_as("ipc"))
    if path == "@":
        raise EndpointError(f"{quote(text)} has no name behind the '@'", "write ipc://@name")
    if path == "*" or path.startswith("@"):
        return path
    if path.startswith("~"):
        raise EndpointError(f"the '~' in {quote(text)} is not expanded", "write the whole path, or ${HOME} for it")
    normal = posixpath.normpath(path)
    # POSIX leaves the meaning of two leading slashes open; Linux and macOS read them as one.
    return normal[1:] if normal.startswith("//") else normal


def _host_port(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{'*' if port is None else port}"


def _such_as(transport: str) -> str:
    return f"write it as {_EXAMPLES[transport]}"


def _without_mark(text: str) -> str:
    head = re.split(r"[:/]", text, maxsplit=1)[0]
    if head in TRANSPORTS:
        return _such_as(head)
    if re.fullmatch(r".+:(\d+|\*)", text):
        return f"write tcp://{text}" if text.isprintable() and len(text) < 60 else ""
    return "an address is transport://..., a reference is DEVICE.in, DEVICE.out or DEVICE.mon"
