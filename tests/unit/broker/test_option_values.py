"""Options as libzmq takes them, in the order in which they are set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from zmqtopo.broker.option_values import socket_options
from zmqtopo.config.model import File, OptionValue, Socket


def raw(**options: OptionValue) -> list[tuple[int, int | bytes]]:
    return list(socket_options(Socket("in", "PULL", options=options)))


@pytest.mark.parametrize(("options", "expected"), [
    ({}, []),
    ({"linger": 0}, [(zmq.LINGER, 0)]),
    ({"immediate": True}, [(zmq.IMMEDIATE, 1)]),
    ({"routing_id": "Zoë"}, [(zmq.ROUTING_ID, b"Zo\xc3\xab")]),
    ({"routing_id": b"\0\xff"}, [(zmq.ROUTING_ID, b"\0\xff")]),
    ({"subscribe": ("eu.", b"\xff", "")}, [(zmq.SUBSCRIBE, b"eu."), (zmq.SUBSCRIBE, b"\xff"), (zmq.SUBSCRIBE, b"")]),
    ({"hwm": 5}, [(zmq.SNDHWM, 5), (zmq.RCVHWM, 5)]),
    ({"rcvhwm": 7, "linger": 1, "hwm": 5}, [(zmq.SNDHWM, 5), (zmq.RCVHWM, 5), (zmq.RCVHWM, 7), (zmq.LINGER, 1)]),
])
def test_options(options: dict[str, OptionValue], expected: list[tuple[int, int | bytes]]) -> None:
    assert raw(**options) == expected


@pytest.mark.parametrize("type_", ["SUB", "XSUB"])
def test_a_mark_for_messages_does_not_limit_the_subscriptions_of_those_that_send_them(type_: str) -> None:
    assert list(socket_options(Socket("in", type_, options={"hwm": 5}))) == [(zmq.RCVHWM, 5)]
    assert list(socket_options(Socket("in", type_, options={"sndhwm": 6, "hwm": 5}))) == [
        (zmq.RCVHWM, 5), (zmq.SNDHWM, 6)]


@pytest.mark.parametrize("bits", [1, 2**63, 2**64 - 1])
def test_a_bitmap_of_64_bits_is_taken_by_pyzmq(bits: int, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    (option, value), = raw(affinity=bits)
    with context.socket(zmq.PULL) as socket:
        socket.setsockopt(option, value)
        assert socket.getsockopt(zmq.AFFINITY) % 2**64 == bits


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_is_the_content_of_its_file_without_the_end_of_its_line(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "key").write_bytes(b" a b " + end)
    assert raw(plain_password=File(str(tmp_path / "key"))) == [(zmq.PLAIN_PASSWORD, b" a b ")]


def test_a_secret_that_cannot_be_read_names_socket_option_and_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as error:
        raw(plain_password=File(str(tmp_path / "key")))
    assert str(error.value) == f"in: cannot read plain_password from {tmp_path}/key: No such file or directory"


@pytest.mark.parametrize(("make", "why"), [
    (os.mkfifo, "a pipe or a device and not a file"),
    (lambda path: path.symlink_to("/dev/zero"), "a pipe or a device and not a file"),
    (Path.mkdir, "Is a directory"),
    (lambda path: path.write_bytes(bytes(2 << 20)), "more than 1 MiB"),
])
def test_what_is_no_file_of_a_secret_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "key")
    with pytest.raises(OSError, match=rf"^in: cannot read plain_password from {tmp_path}/key: {why}$"):
        raw(plain_password=File(str(tmp_path / "key")))


def test_an_option_that_this_pyzmq_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match=rf"^in: pyzmq {zmq.__version__} does not know the option of_tomorrow$"):
        raw(of_tomorrow=1)


PUBLIC, SECRET = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"


@pytest.mark.parametrize("off", ["plain_server", "gssapi_server"])
@pytest.mark.parametrize("backwards", [False, True])
def test_no_order_of_options_switches_curve_off(
    off: str, backwards: bool, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    options: dict[str, OptionValue] = {"curve_server": True, "curve_secretkey": SECRET, off: False}
    client: dict[str, OptionValue] = {"curve_serverkey": PUBLIC, "curve_publickey": PUBLIC, "curve_secretkey": SECRET,
                                      "curve_server": False, off: False}
    for wanted, serves in ((options, 1), (client, 0)):
        given = dict(reversed(wanted.items())) if backwards else wanted
        with context.socket(zmq.PULL) as socket:
            for option, value in raw(**given):
                socket.setsockopt(option, value)
            assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE
            assert socket.getsockopt(zmq.CURVE_SERVER) == serves


def test_of_two_mechanisms_the_stronger_one_holds(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with context.socket(zmq.PULL) as socket:
        for option, value in raw(curve_server=True, curve_secretkey=SECRET, plain_server=True, plain_username="a"):
            socket.setsockopt(option, value)
        assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE


@pytest.mark.parametrize(("options", "why"), [
    ({"curve_server": True}, "in: CURVE without curve_secretkey"),
    ({"curve_server": True, "plain_server": False}, "in: CURVE without curve_secretkey"),
    ({"curve_server": True, "curve_secretkey": "0" * 40}, "in: curve_secretkey has zero bytes only"),
    ({"curve_server": True, "curve_secretkey": bytes(32)}, "in: curve_secretkey has zero bytes only"),
    ({"plain_server": True, "curve_publickey": PUBLIC}, "in: CURVE without curve_secretkey and curve_serverkey"),
    ({"curve_publickey": PUBLIC, "curve_secretkey": SECRET}, "in: CURVE without curve_serverkey"),
])
def test_half_of_the_keys_is_refused(options: dict[str, OptionValue], why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}"):
        raw(**options)


@pytest.mark.parametrize("option", ["curve_publickey", "curve_secretkey", "routing_id", "zap_domain", "plain_username"])
def test_nothing_of_a_file_is_shown_when_it_is_refused(option: str, tmp_path: Path) -> None:
    (tmp_path / "x.key_secret").write_text('curve\n    secret-key = "TOPSECRET"\n' * 20)
    keys: dict[str, OptionValue] = {"curve_serverkey": PUBLIC, "curve_publickey": PUBLIC, "curve_secretkey": SECRET}
    with pytest.raises(ValueError, match=r"x\.key_secret") as error:
        raw(**(keys | {option: File(str(tmp_path / "x.key_secret"))}))
    assert "SECRET" not in str(error.value)


def test_the_content_of_a_file_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("TOPSECRET")
    assert "TOPSECRET" not in repr(raw(routing_id=File(str(tmp_path / "key"))))


@pytest.mark.parametrize("number", [2**31, 4294967294, 4294967295])
def test_the_number_of_a_user_has_32_bits(number: int, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    (option, value), = raw(ipc_filter_uid=(number,))
    with context.socket(zmq.PULL) as socket:
        socket.setsockopt(option, value)


def test_bytes_of_a_variable_that_are_not_text_are_sent_as_they_are() -> None:
    assert raw(routing_id=os.fsdecode(b"a\xff")) == [(zmq.ROUTING_ID, b"a\xff")]
