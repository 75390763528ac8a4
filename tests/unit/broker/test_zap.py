"""The handler of ZAP: whom it lets in, what it tells, and what it survives."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from zmqtopo.broker.zap import ADDRESS, Policy, Refusal, ZapHandler

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    with zmq.Context() as context:
        yield context


class Asked:
    """A handler, and what is asked of it as libzmq does."""

    def __init__(self, context: zmq.Context[Any], **policies: Policy) -> None:
        self.refusals: queue.SimpleQueue[Refusal] = queue.SimpleQueue()
        self.handler = ZapHandler(context, self.refusals.put)
        self.handler.replace(policies)
        self.socket = context.socket(zmq.DEALER)
        self.socket.connect(ADDRESS)

    def send(self, domain: str, address: str, mechanism: bytes, *credentials: bytes) -> None:
        self.socket.send_multipart(
            [b"", b"1.0", b"7", domain.encode(), address.encode(), b"", mechanism, *credentials])

    def answer(self) -> tuple[bytes, bytes]:
        assert self.socket.poll(5000)
        empty, version, request, status, _, user, metadata = self.socket.recv_multipart()
        assert (empty, version, request, metadata) == (b"", b"1.0", b"7", b"")
        return status, user

    def ask(self, domain: str, address: str, mechanism: bytes, *credentials: bytes) -> tuple[bytes, bytes]:
        self.send(domain, address, mechanism, *credentials)
        return self.answer()

    def close(self) -> None:
        self.socket.close(0)
        self.handler.close()


@pytest.fixture
def asked(context: zmq.Context[Any]) -> Iterator[Asked]:
    found = Asked(
        context, keys=Policy({KEY: "alice"}, where="in keys/"), any=Policy({}, any_key=True),
        users=Policy(users={"bob": "p"}), near=Policy(networks=("127.0.0.0/8", "fd00::/8")),
        me=Policy(uids=frozenset({7})), both=Policy({KEY: "alice"}, networks=("10.0.0.0/8",)), nothing=Policy(),
    )
    yield found
    found.close()


OK, NO = b"200", b"300"


@pytest.mark.parametrize(("domain", "address", "mechanism", "credentials", "answer"), [
    ("keys", "10.0.0.1", b"CURVE", [KEY], (OK, b"alice")),
    ("keys", "10.0.0.1", b"CURVE", [OTHER], (NO, b"")),
    ("keys", "10.0.0.1", b"CURVE", [b""], (NO, b"")),
    ("keys", "10.0.0.1", b"NULL", [], (NO, b"")),
    ("keys", "10.0.0.1", b"PLAIN", [b"alice", b""], (NO, b"")),
    ("keys", "localhost:7:7:1", b"CURVE", [KEY], (OK, b"alice")),
    ("users", "10.0.0.1", b"PLAIN", [b"bob", b"p"], (OK, b"bob")),
    ("users", "10.0.0.1", b"PLAIN", [b"bob", b""], (NO, b"")),
    ("users", "10.0.0.1", b"PLAIN", [b"\xff", b"p"], (NO, b"")),
    ("users", "10.0.0.1", b"NULL", [], (NO, b"")),
    ("near", "127.3.2.1", b"NULL", [], (OK, b"127.3.2.1")),
    ("near", "::ffff:127.0.0.1", b"NULL", [], (OK, b"::ffff:127.0.0.1")),
    ("near", "fd00::1%eth0", b"NULL", [], (OK, b"fd00::1%eth0")),
    ("near", "10.0.0.1", b"NULL", [], (NO, b"")),
    ("near", "what is this", b"NULL", [], (NO, b"")),
    ("near", "localhost:7:7:1", b"NULL", [], (NO, b"")),
    ("me", "localhost:7:7:1", b"NULL", [], (OK, b"uid 7")),
    ("me", "localhost:8:8:1", b"NULL", [], (NO, b"")),
    ("me", "127.0.0.1", b"NULL", [], (NO, b"")),
    ("both", "10.1.2.3", b"CURVE", [KEY], (OK, b"alice")),
    ("both", "11.1.2.3", b"CURVE", [KEY], (NO, b"")),
    ("both", "10.1.2.3", b"NULL", [], (NO, b"")),
    ("nothing", "127.0.0.1", b"NULL", [], (NO, b"")),
    ("nothing", "127.0.0.1", b"CURVE", [KEY], (NO, b"")),
    ("ünknown", "127.0.0.1", b"NULL", [], (NO, b"")),
])
def test_who_may(
    asked: Asked, domain: str, address: str, mechanism: bytes, credentials: list[bytes], answer: tuple[bytes, bytes]
) -> None:
    assert asked.ask(domain, address, mechanism, *credentials) == answer


def test_any_key_is_its_own_name(asked: Asked) -> None:
    status, user = asked.ask("any", "10.0.0.1", b"CURVE", OTHER)
    assert (status, len(user)) == (OK, 40)


def test_refusals_are_told_with_their_number(asked: Asked) -> None:
    for _ in range(50):
        assert asked.ask("keys", "10.0.0.9", b"CURVE", OTHER)[0] == NO
    told = [asked.refusals.get(timeout=5)]
    while sum(1 + refusal.others for refusal in told) < 50:
        told.append(asked.refusals.get(timeout=5))
    assert sum(1 + refusal.others for refusal in told) == 50
    assert len(told) < 50
    assert {(refusal.domain, refusal.address) for refusal in told} == {("keys", "10.0.0.9")}
    assert told[0].reason.endswith("is not in keys/")


def test_garbage_is_not_answered_and_hurts_nobody(asked: Asked) -> None:
    for frames in ([b""], [b"x"], [b"", b"1.0"], [b"", b"2.0", *[b""] * 5], [b"", b"1.0", b"", b"", b"", b"", b"CURVE"],
                   [b"", b"1.0", b"", b"", b"", b"", b"GSSAPI", b""], [b"\xff" * 1000] * 20):
        asked.socket.send_multipart(frames)
    assert asked.ask("keys", "10.0.0.1", b"CURVE", KEY) == (OK, b"alice")


def test_other_policies_hold_at_once(asked: Asked) -> None:
    asked.handler.replace({"keys": Policy({OTHER: "bob"})})
    assert asked.ask("keys", "10.0.0.1", b"CURVE", OTHER) == (OK, b"bob")
    assert asked.ask("keys", "10.0.0.1", b"CURVE", KEY)[0] == NO
    assert asked.ask("near", "127.0.0.1", b"NULL")[0] == NO


def test_a_context_has_one(asked: Asked, context: zmq.Context[Any]) -> None:
    with pytest.raises(zmq.ZMQError, match="its context has a handler at") as info:
        ZapHandler(context, lambda refusal: None)
    assert info.value.errno == zmq.EADDRINUSE


def test_it_ends_with_its_context() -> None:
    context: zmq.Context[Any] = zmq.Context()
    handler = ZapHandler(context, lambda refusal: None)
    context.term()
    handler.close()


def test_a_policy_shows_no_password() -> None:
    assert "sesame" not in repr(Policy(users={"alice": "sesame"}))
