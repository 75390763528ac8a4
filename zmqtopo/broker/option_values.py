"""Socket options of the model as the numbers and values that pyzmq takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import zmq

from zmqtopo.config.certificate import part, read_file
from zmqtopo.config.curve import key_bytes, missing_keys
from zmqtopo.config.model import File, OptionValue, Role, Socket
from zmqtopo.config.octets import accept_filter, check_octets
from zmqtopo.config.options import encoded, marks
from zmqtopo.config.wording import listing

_FIRST: Final = ("ipv6", "hwm")
"""How an accept filter is read depends on ipv6, and the direction that is named for itself has the last word."""

_SECURITY: Final = (
    "gssapi_server", "gssapi_principal", "gssapi_service_principal", "plain_username", "plain_password", "plain_server",
    "curve_serverkey", "curve_publickey", "curve_secretkey", "curve_server",
)
"""From the weakest to the strongest: in libzmq each of these sets the mechanism anew, and the last one has it."""

_UNSIGNED: Final = frozenset({"ipc_filter_gid", "ipc_filter_pid", "ipc_filter_uid"})
_SERVERS: Final = frozenset({"curve_server", "gssapi_server", "plain_server"})


class FileContent(bytes):
    """The content of a file that an option names, which no message shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"the content of its file, {len(self)} bytes"


def socket_options(socket: Socket) -> Iterator[tuple[int, int | bytes]]:
    """The options of a socket in the order to set them, which is not that of the file where it matters.

    Raises OSError for a file that cannot be read and ValueError for what it has, for an option that pyzmq does not
    have, and for CURVE with half of its keys; all name the socket's role.
    """
    _check_keys(socket)
    for name in in_order(socket):
        yield from single_options(socket, name)


def in_order(socket: Socket) -> list[str]:
    """Return the names of the options in the order to set them."""
    return sorted(socket.options, key=_order)


def single_options(socket: Socket, name: str) -> Iterator[tuple[int, int | bytes]]:
    """What one option of the file sets. Raises as `socket_options`, but says nothing of keys that are missing."""
    value = socket.options[name]
    if name in _SERVERS and not value:
        return      # it is off unless it is switched on, and to switch it off takes away what another has set
    for option in marks(socket.type) if name == "hwm" else (name,):
        if option.upper() not in zmq.SocketOption.__members__:
            raise ValueError(f"{socket.role}: pyzmq {zmq.__version__} does not know the option {option}")
        for single in value if isinstance(value, tuple) else (value,):
            yield zmq.SocketOption[option.upper()], _raw(socket, name, single)


def _order(name: str) -> tuple[int, int]:
    """The sort key of an option; those of which nothing is said stay as they are in the file."""
    if name in _FIRST:
        return 0, _FIRST.index(name)
    return (2, _SECURITY.index(name)) if name in _SECURITY else (1, 0)


def _check_keys(socket: Socket) -> None:
    """Refuse keys that libzmq takes and that everybody can make, since it has zeros where the file has nothing."""
    if missing := missing_keys(socket.options):
        raise ValueError(f"{socket.role}: CURVE without {listing(missing, 'and')}")
    if (value := socket.options.get("curve_secretkey")) is not None:
        secret = _raw(socket, "curve_secretkey", value)
        assert isinstance(secret, bytes)
        if key_bytes(secret) == bytes(32):
            raise ValueError(f"{socket.role}: curve_secretkey has zero bytes only, which everybody knows")


def settings(socket: Socket, wanted: Iterable[tuple[Role, str, OptionValue]]) -> Iterator[tuple[int, int | bytes]]:
    """Of options by role, name and single value, those of this socket. Raises as `socket_options`."""
    return ((zmq.SocketOption[name.upper()], _raw(socket, name, value)) for role, name, value in wanted
            if role == socket.role)


def _raw(socket: Socket, name: str, value: OptionValue) -> int | bytes:
    match value:
        case File():
            return _content(socket, name, value)
        case str() if name == "tcp_accept_filter":
            return accept_filter(value, ipv6=bool(socket.options.get("ipv6"))).encode()
        case str():
            return encoded(value)
        case int() if value >= 1 << 63:
            return value - (1 << 64)    # libzmq wants 64 bits, which pyzmq takes as a signed number
        case int() if value >= 1 << 31 and name in _UNSIGNED:
            return value - (1 << 32)    # and 32 bits here
        case bytes() | int():
            return int(value) if isinstance(value, bool) else value
        case _:
            raise TypeError(f"{socket.role}: not an option value: {value!r}")


def content_of(name: str, file: File) -> FileContent:
    """The value of an option from its file. Raises OSError, and ValueError for what is in it."""
    content = read_file(file.path)
    content = part(content, file.part) if file.part else content.rstrip(b"\r\n")
    check_octets(name, content)
    return FileContent(content)


def _content(socket: Socket, name: str, file: File) -> FileContent:
    try:
        return content_of(name, file)
    except OSError as error:
        raise OSError(f"{socket.role}: cannot read {name} from {file.path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{socket.role}: cannot use {file.path}: {error}") from None
