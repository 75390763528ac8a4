"""Who is at the other end of a connection, and how it goes, by the descriptor that libzmq has for it.

A descriptor may be closed by libzmq at any moment, and its number given to another connection: what is found out is
true of the connection that has the number now. So nothing is done to one whose other end is not who was there before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from zmqtopo.broker.holders import program

_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of unix(7): process, user, group."""

_SEND_QUEUE: Final = 0x5411
"""SIOCOUTQ of tcp(7) and unix(7)."""

_INFO_SIZE: Final = 192

_RTT: Final = struct.Struct("=I")
_TOTALS: Final = struct.Struct("=2Q")
_INFO: Final = {"rtt": 68, "retransmits": 100, "totals": 120}
"""Where fields of struct tcp_info of linux/tcp.h begin: tcpi_rtt, tcpi_total_retrans, and tcpi_bytes_acked, which
tcpi_bytes_received follows."""


@dataclass(frozen=True, slots=True)
class OtherEnd:
    """Who is at the other end. ``address`` is empty over ipc, where the system says which process and user it is.

    ``pid`` is 0 when the process is out of sight, in a container of its own.
    """

    address: str = ""
    pid: int | None = None
    uid: int | None = None
    program: str = ""


UNKNOWN: Final = OtherEnd()


@contextlib.contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A socket of Python on a descriptor of libzmq, which closes it. Raises OSError."""
    end = socket.socket(fileno=fd)
    try:
        yield end
    finally:
        end.detach()


def other_end(fd: int, *, with_program: bool = True) -> OtherEnd | None:
    """Who is at the other end of a connection; None when there is none any more."""
    try:
        with _borrowed(fd) as end:
            return _of(end, with_program)
    except OSError:
        return None


def _of(end: socket.socket, with_program: bool) -> OtherEnd:
    if end.family == socket.AF_UNIX:
        if sys.platform != "linux":
            return UNKNOWN
        pid, uid, _ = _CREDENTIALS.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return OtherEnd("", pid, uid, program(pid) if with_program else "")
    name = end.getpeername()
    if end.family in (socket.AF_INET, socket.AF_INET6):
        host = name[0].removeprefix("::ffff:")
        return OtherEnd(f"tcp://[{host}]:{name[1]}" if ":" in host else f"tcp://{host}:{name[1]}")
    return OtherEnd(str(name))


def figures(fd: int, known: OtherEnd) -> dict[str, Any] | None:
    """What the system says of a connection now; None when the descriptor is not that of ``known`` any more.

    ``rtt`` in seconds, ``retransmits``, ``bytes_out`` that the other end has acknowledged and ``bytes_in``: over tcp,
    on Linux, else None. ``send_queue`` are bytes that this machine has taken and the other end has not.
    """
    told: dict[str, Any] = dict.fromkeys(("rtt", "retransmits", "bytes_in", "bytes_out", "send_queue"))
    try:
        with _borrowed(fd) as end:
            if not _is_same(_of(end, with_program=False), known):
                return None
            if sys.platform == "linux":
                told["send_queue"] = struct.unpack("=i", fcntl.ioctl(end, _SEND_QUEUE, b"\0" * 4))[0]
                if end.family != socket.AF_UNIX:
                    info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
                    told["rtt"] = _RTT.unpack_from(info, _INFO["rtt"])[0] / 1e6
                    told["retransmits"] = _RTT.unpack_from(info, _INFO["retransmits"])[0]
                    told["bytes_out"], told["bytes_in"] = _TOTALS.unpack_from(info, _INFO["totals"])
    except (OSError, struct.error):
        return None
    return told


def bytes_of(fd: int) -> tuple[int, int] | None:
    """How many bytes the other end has taken, and how many have come; None where the system does not say."""
    if sys.platform != "linux":
        return None
    try:
        with _borrowed(fd) as end:
            if end.family == socket.AF_UNIX:
                return None
            info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
            taken, come = _TOTALS.unpack_from(info, _INFO["totals"])
            return int(taken), int(come)
    except (OSError, struct.error):
        return None


def cut(fd: int, known: OtherEnd) -> bool:
    """End a connection as if the network had; False when the descriptor is not that of ``known`` any more.

    A copy of the descriptor is looked at and shut down, so that it is the same connection in both steps.
    """
    try:
        with socket.socket(fileno=os.dup(fd)) as end:
            if not _is_same(_of(end, with_program=False), known):
                return False
            end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True


def _is_same(one: OtherEnd, other: OtherEnd) -> bool:
    return (one.address, one.pid, one.uid) == (other.address, other.pid, other.uid)
