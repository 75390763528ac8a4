"""The handler of ZAP (ZeroMQ RFC 27) of a context: who may connect to which socket.

libzmq asks it in each handshake, over inproc, and lets nobody in while it does not answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket as system
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Any, Final

import zmq

from zmqtopo.broker.sockets import AnySocket
from zmqtopo.config.curve import key_text

ADDRESS: Final = "inproc://zeromq.zap.01"

REPORT_INTERVAL: Final = 0.2
"""Seconds from one refusal that is told of a domain to the next; those between are counted."""

_VERSION: Final = b"1.0"
_CREDENTIALS: Final = {b"NULL": 0, b"CURVE": 1, b"PLAIN": 2}
_OK, _REFUSED = b"200", b"300"
"""With 300 libzmq closes the connection, and the client tries again. With 400 it is told of an error, and gives up for
good: it would not notice that its key has been added since."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may connect to a socket. ``keys`` are names by public key of 32 bytes, ``users`` passwords by name.

    None says that it is not asked for: what is not, lets nobody in by itself. ``any_key`` lets in every key;
    ``networks`` hold for tcp, ``uids`` for ipc.
    """

    keys: Mapping[bytes, str] | None = None
    any_key: bool = False
    users: Mapping[str, str] | None = field(default=None, repr=False)
    networks: tuple[str, ...] | None = None
    uids: frozenset[int] | None = None
    where: str = ""
    """Where the keys are, for people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody who was not let in; ``others`` were not in the meantime, and are not told one by one."""

    domain: str
    address: str
    reason: str
    others: int = 0


class ZapHandler:
    """Answers in a thread of its own until it is closed or its context ends."""

    def __init__(
        self, context: zmq.Context[Any], refused: Callable[[Refusal], None],
        admitted: Callable[[str, str, str], None] = lambda domain, address, user: None,
    ) -> None:
        """Bind, which has to come before any socket is bound. Raises zmq.ZMQError; EADDRINUSE if there is another.

        Both are called in the thread of the handler; ``admitted`` with the domain, the address and the user's name.
        """
        self._refused = refused
        self._admitted = admitted
        self._policies: Mapping[str, _Checked] = {}
        self._held: dict[str, Refusal] = {}
        self._told: dict[str, float] = {}
        self._socket: AnySocket = context.socket(zmq.ROUTER)
        try:
            self._socket.bind(ADDRESS)
        except zmq.ZMQError as error:
            self._socket.close(0)
            raise zmq.ZMQError(error.errno, f"cannot handle authentication: its context has a handler at {ADDRESS} "
                               "already" if error.errno == zmq.EADDRINUSE else str(error)) from None
        self._socket.linger = 0
        self._end, self._closer = system.socketpair()
        self._thread = threading.Thread(target=self._serve, name="zmqtopo zap", daemon=True)
        self._thread.start()

    def replace(self, policies: Mapping[str, Policy]) -> None:
        """Answer by these from now on; by domain. From any thread."""
        self._policies = {domain: _Checked(policy) for domain, policy in policies.items()}

    def close(self) -> None:
        """End the thread; nobody is let in any more."""
        self._closer.close()
        self._thread.join()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._end, zmq.POLLIN)
        try:
            while True:
                ready = dict(poller.poll(int(REPORT_INTERVAL * 1000) if self._held else None))
                if self._end in ready or self._end.fileno() in ready:
                    break
                if self._socket in ready:
                    self._answer(self._socket.recv_multipart(zmq.DONTWAIT))
                self._tell_held()
        except zmq.ContextTerminated:
            pass
        finally:
            self._socket.close(0)
            self._end.close()

    def _answer(self, frames: list[bytes]) -> None:
        if len(frames) < 8 or frames[1] or frames[2] != _VERSION or _CREDENTIALS.get(frames[7], -1) != len(frames) - 8:
            return      # a program in this process that is not libzmq's own client of ZAP
        who, _, _, request, domain, address, _, mechanism, *credentials = frames
        name, where = domain.decode(errors="replace"), address.decode(errors="replace")
        policy = self._policies.get(name)
        user, reason = policy.judge(where, mechanism, credentials) if policy is not None else (None, "nobody may")
        if user is None:
            self._note(Refusal(name, where, reason))
        else:
            self._admitted(name, where, user)
        answer = (_OK, b"OK", user.encode()[:255]) if user is not None else (_REFUSED, b"not allowed", b"")
        with contextlib.suppress(zmq.ZMQError):     # it has gone meanwhile
            self._socket.send_multipart([who, b"", _VERSION, request, *answer, b""], zmq.DONTWAIT)

    def _note(self, refusal: Refusal) -> None:
        """Tell of it now, or count it where another one of its domain has just been told."""
        held = self._held.get(refusal.domain)
        if held is not None:
            self._held[refusal.domain] = replace(refusal, others=held.others + 1)
        else:
            self._held[refusal.domain] = refusal

    def _tell_held(self) -> None:
        now = time.monotonic()
        for domain in [domain for domain in self._held if now - self._told.get(domain, 0) >= REPORT_INTERVAL]:
            self._told[domain] = now
            self._refused(self._held.pop(domain))


class _Checked:
    """A policy as it is asked: a thousand handshakes a second may come."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._networks = [ipaddress.ip_network(text) for text in policy.networks or ()]

    def judge(self, address: str, mechanism: bytes, credentials: list[bytes]) -> tuple[str | None, str]:
        """The user's name, None for who may not connect and then why."""
        policy = self._policy
        is_here, uid = _of_ipc(address)
        asked = policy.uids if is_here else policy.networks
        is_listed = uid in (policy.uids or ()) if is_here else self._has(address)
        if asked is not None and not is_listed:
            return None, f"user {uid} is not in allow_uids" if is_here else "its address is not in allow_ips"
        if mechanism == b"CURVE":
            return self._judge_key(credentials[0])
        if mechanism == b"PLAIN":
            return self._judge_user(*credentials)
        if policy.keys is not None or policy.any_key or policy.users is not None or asked is None:
            # Not for NULL: libzmq itself refuses a client with another mechanism than the socket's.
            return None, "it has no credentials" if asked is not None else (
                "allow_uids does not say who may connect by ipc" if is_here else
                "allow_ips does not say who may connect by tcp")
        return (f"uid {uid}" if is_here else address), ""

    def _judge_key(self, key: bytes) -> tuple[str | None, str]:
        name = (self._policy.keys or {}).get(key)
        if name is not None:
            return name, ""
        shown = key_text(key)
        return (shown, "") if self._policy.any_key else (None, f"its key {shown} is not {self._policy.where}")

    def _judge_user(self, name: bytes, password: bytes) -> tuple[str | None, str]:
        shown = name.decode(errors="replace")
        wanted = (self._policy.users or {}).get(shown)
        # Compared in any case, so that the time does not tell which names there are.
        if compare_digest((wanted or "").encode(), password) and wanted is not None:
            return shown, ""
        return None, f"user {shown!r} is not known" if wanted is None else f"the password of user {shown!r} is wrong"

    def _has(self, address: str) -> bool:
        with contextlib.suppress(ValueError):
            found = ipaddress.ip_address(address.partition("%")[0])
            if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
                found = found.ipv4_mapped
            return any(found in network for network in self._networks)
        return False


def _of_ipc(address: str) -> tuple[bool, int]:
    """Whether somebody comes by ipc, and the user: libzmq writes ``localhost:UID:GID:PID`` (ipc_listener.cpp)."""
    host, *numbers = address.split(":")
    if host == "localhost" and len(numbers) == 3 and numbers[0].isdecimal():
        return True, int(numbers[0])
    return False, -1
