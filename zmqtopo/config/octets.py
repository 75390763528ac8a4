"""What libzmq takes as the value of an option that is text or bytes; nothing here ever repeats a value."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_interface
from types import MappingProxyType
from typing import Final

from zmqtopo.config.curve import CURVE_KEYS, key_bytes
from zmqtopo.config.endpoint import EndpointError, parse

LENGTHS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({
    "bindtodevice": (1, 15),     # IFNAMSIZ of Linux is 16, with the final NUL
    "connect_routing_id": (1, 255),
    "gssapi_principal": (1, 255),
    "gssapi_service_principal": (1, 255),
    "identity": (1, 255),        # the old name of routing_id
    "plain_password": (1, 255),
    "plain_username": (1, 255),
    "routing_id": (1, 255),
    "socks_password": (0, 255),
    "socks_username": (0, 255),
    "zap_domain": (1, 255),
})
"""Bytes at least and at most: zmq_setsockopt(3), and options.cpp of libzmq 4.3.5, which answers EINVAL to others."""

_ROUTING_IDS: Final = ("connect_routing_id", "identity", "routing_id")


def check_octets(name: str, value: bytes) -> None:
    """Raise ValueError, in words for the user and without the value, where libzmq would refuse or misread it."""
    least, most = LENGTHS.get(name, (0, len(value)))
    if not least <= len(value) <= most:
        raise ValueError(f"{name} has from {least} to {most} bytes, and this has {len(value)}")
    if name in _ROUTING_IDS and value.startswith(b"\0"):
        raise ValueError(f"{name} must not begin with a zero byte, as the names do that libzmq gives itself")
    if name == "bindtodevice" and (b"\0" in value or b"/" in value):
        raise ValueError("bindtodevice is not a valid name of a network interface")
    if name in CURVE_KEYS and key_bytes(value) is None:
        raise ValueError(f"{name} is not a valid key: it has 40 characters of Z85, or 32 bytes")
    if name == "tcp_accept_filter":
        _check_network(value)
    if name == "metadata" and not _is_metadata(value):
        raise ValueError("metadata has the form X-NAME:VALUE")
    if name == "socks_proxy":
        _check_proxy(value)


def accept_filter(value: str, *, ipv6: bool) -> str:
    """Return an accept filter as a socket takes it: one with ``ipv6`` sees IPv4 addresses as ``::ffff:10.0.0.1``.

    Without this libzmq compares the first bits of that with those of the filter: 10.0.0.0/8 would let everybody in.
    """
    network = ip_interface(value.strip("[]")).network
    if not ipv6 or network.version == 6:
        return value
    return f"::ffff:{network.network_address}/{96 + network.prefixlen}"


def _check_network(value: bytes) -> None:
    try:
        text = value.decode("ascii")
        ip_interface(text.strip("[]"))
        well_formed = "%" not in text and not text.partition("/")[2].count(".")
    except ValueError:
        well_formed = False
    if not well_formed:
        raise ValueError("tcp_accept_filter is not a valid address or network: write it as 10.0.0.0/8 or fd00::/8")


def _check_proxy(value: bytes) -> None:
    try:
        endpoint = parse(f"tcp://{value.decode('ascii')}")
    except (EndpointError, UnicodeDecodeError):
        endpoint = None
    if endpoint is None or endpoint.is_wildcard_host or endpoint.is_system_port or endpoint.source:
        raise ValueError("socks_proxy is not a valid address: write it as 127.0.0.1:1080")


def _is_metadata(value: bytes) -> bool:
    key, colon, text = value.partition(b":")
    # libzmq takes a value of four bytes for a number and refuses it.
    return bool(key.startswith(b"X-") and len(key) <= 255 and colon and text and len(value) != 4)
