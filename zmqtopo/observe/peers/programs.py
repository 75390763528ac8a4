"""Which programs of this machine have the tcp connections at some addresses, as proc(5) of Linux tells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from zmqtopo.broker.holders import program

_ADDRESS: Final = re.compile(r"tcp://(.*):([0-9]+)")

_PROC: Final = Path("/proc")


def programs(addresses: Iterable[str]) -> dict[str, tuple[int, str]]:
    """The process and its program for those of the addresses whose end is here and that may be looked into."""
    wanted = {key: address for address in addresses if (key := _key(address)) is not None}
    if not wanted:
        return {}
    inodes = {inode: wanted[key] for key, inode in _connections() if key in wanted}
    found: dict[str, tuple[int, str]] = {}
    for pid, inode in _held(set(inodes)):
        address = inodes[inode]
        # A process that has just been forked holds it too; who had it first has the lowest number.
        if address not in found or pid < found[address][0]:
            found[address] = pid, program(pid)
    return found


def _key(address: str) -> tuple[bytes, int] | None:
    """An address as bytes and port; those of IPv4 as IPv6 has them."""
    import socket

    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    host = match[1].strip("[]").partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6, host if ":" in host else f"::ffff:{host}")
    except OSError:
        return None
    return packed, int(match[2])


def _connections() -> Iterator[tuple[tuple[bytes, int], str]]:
    """The connections of this machine: their own address, and the inode by which processes hold them."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            host, _, port = fields[1].partition(":")
            # Each four bytes are a number in the order of the machine.
            words = [bytes.fromhex(host[at:at + 8])[::-1] for at in range(0, len(host), 8)]
            packed = b"".join(words)
            yield (packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed, int(port, 16)), fields[9]


def _held(inodes: set[str]) -> Iterator[tuple[int, str]]:
    """Which of the inodes are held by which processes."""
    if not inodes:
        return
    for name in os.listdir(_PROC):  # noqa: PTH208 - thousands of names
        if not name.isdigit():
            continue
        try:
            with os.scandir(f"/proc/{name}/fd") as entries:
                for entry in entries:
                    target = os.readlink(entry.path)  # noqa: PTH115 - likewise
                    if target.startswith("socket:[") and target[8:-1] in inodes:
                        yield int(name), target[8:-1]
        except OSError:
            continue        # somebody else's, or it has just ended
