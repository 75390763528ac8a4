"""Keys of CURVE against libzmq's."""

from __future__ import annotations

import zmq
import zmq.utils.z85

from zmqtopo.config.curve import key_bytes, missing_keys, public_key


def test_public_keys_are_those_of_libzmq() -> None:
    for _ in range(20):
        public, secret = zmq.curve_keypair()
        known = key_bytes(secret)
        assert known is not None
        assert public_key(known) == key_bytes(public) == zmq.utils.z85.decode(public)
        assert public_key(known) == zmq.utils.z85.decode(zmq.curve_public(secret))


def test_what_is_not_a_key() -> None:
    assert key_bytes("0" * 40) == key_bytes(bytes(32)) == bytes(32)
    assert [key_bytes(text) for text in ("#" * 40, "~" * 40, "a" * 39, "a" * 32, "é" * 40)] == [None] * 5


def test_what_is_missing() -> None:
    assert missing_keys({}) == missing_keys({"curve_server": False}) == ()
    assert missing_keys({"curve_server": True}) == ("curve_secretkey",)
    assert missing_keys({"curve_server": True, "curve_secretkey": "s"}) == ()
    assert missing_keys({"curve_secretkey": "s"}) == ("curve_publickey", "curve_serverkey")
    assert missing_keys({"curve_secretkey": "s"}, {"curve_serverkey"}) == ("curve_publickey",)
