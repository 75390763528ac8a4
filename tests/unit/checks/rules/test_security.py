"""Security by options: what does not come together, and what is less than the file says."""

from __future__ import annotations

import pytest

from ..conftest import Found, devices, found, problems, streamer

PUBLIC, SECRET = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
OTHER_PUBLIC, OTHER_SECRET = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

SERVER = f"curve_server: true, curve_secretkey: '{SECRET}'"
CLIENT = f"curve_publickey: '{OTHER_PUBLIC}', curve_secretkey: '{OTHER_SECRET}', curve_serverkey: '{PUBLIC}'"
FILES = "curve_publickey: {file: a}, curve_secretkey: {file: b}, curve_serverkey: {file: c}"


def one(options: str) -> Found:
    return found(devices(streamer(f"{{bind: tcp://*:5000, options: {{{options}}}}}")))


def two(server: str, client: str, address: str = "tcp://127.0.0.1:5001") -> Found:
    """A socket that binds and one of another device that refers to it."""
    return found(devices(
        streamer("{bind: tcp://*:5000}", f"{{bind: '{address}', options: {{{server}}}}}"),
        streamer(f"{{connect: a.out, options: {{{client}}}}}", name="b"),
    ))


@pytest.mark.parametrize(("options", "expected"), [
    (SERVER, []), (CLIENT, []), (FILES, []), (f"{CLIENT}, curve_server: false", []),
    (f"{SERVER}, plain_server: false", []), (f"{SERVER}, curve_publickey: '{PUBLIC}'", []),
    ("curve_server: false", []),
    ("curve_server: true", [("curve-keys", "curve_server")]),
    (f"curve_server: true, curve_publickey: '{PUBLIC}'", [("curve-keys", "curve_server")]),
    (f"curve_publickey: '{PUBLIC}'", [("curve-keys", "curve_publickey")]),
    (f"curve_secretkey: '{SECRET}'", [("curve-keys", "curve_secretkey")]),
    (f"curve_serverkey: '{PUBLIC}'", [("curve-keys", "curve_serverkey")]),
    (f"curve_server: false, curve_secretkey: '{SECRET}'", [("curve-keys", "curve_secretkey")]),
    (f"curve_server: true, curve_secretkey: '{'0' * 40}'", [("curve-keys", "curve_secretkey")]),
    (f"curve_server: true, curve_secretkey: !!binary '{'A' * 43}='", [("curve-keys", "curve_secretkey")]),
    (f"{SERVER}, curve_publickey: '{OTHER_PUBLIC}'", [("curve-keys", "curve_publickey")]),
    (f"curve_publickey: '{PUBLIC}', curve_secretkey: '{SECRET}'", [("server-key-missing", "curve_publickey")]),
    (f"{SERVER}, curve_serverkey: '{PUBLIC}'", [("security-both-ways", "curve_serverkey")]),
    (f"{SERVER}, plain_username: a", [("security-both-ways", "plain_username")]),
    (f"{CLIENT}, plain_username: a, plain_password: {{file: b}}", [("security-both-ways", "plain_password")]),
    (f"{SERVER}, gssapi_server: true", [("security-both-ways", "gssapi_server")]),
    ("plain_username: a, plain_password: {file: b}", []),
])
def test_a_socket_by_itself(options: str, expected: Found) -> None:
    assert one(options) == expected


@pytest.mark.parametrize("options", [
    "curve_server: true, curve_secretkey: '${NOT_SET}'", "curve_server: true, curve_secretkye: {file: a}",
    "curve_server: true, curve_secretkey: short", "curve_server: true, what_is_this: 1",
])
def test_what_could_not_be_read_has_one_finding(options: str) -> None:
    (found,) = problems(devices(streamer(f"{{bind: tcp://*:5000, options: {{{options}}}}}")))
    assert found.rule in ("undefined-variable", "unknown-key", "bad-value")


MIXED = [("mixed-security", "a.out")]


@pytest.mark.parametrize(("server", "client", "expected"), [
    (SERVER, CLIENT, []), (CLIENT, SERVER, []), (SERVER, FILES, []), ("", "", []),
    ("curve_server: true, curve_secretkey: {file: a}", CLIENT, []),
    (SERVER, "", MIXED), ("", CLIENT, MIXED), (SERVER, SERVER, MIXED), (CLIENT, CLIENT, MIXED),
    (SERVER, CLIENT.replace(PUBLIC, OTHER_PUBLIC), MIXED),
    (f"curve_server: true, curve_secretkey: {{file: a}}, curve_publickey: '{OTHER_PUBLIC}'", CLIENT, MIXED),
    (SERVER, "plain_username: a, plain_password: b", MIXED),
    ("", "plain_username: a", MIXED), ("plain_username: a", "plain_username: b", MIXED),
    ("", "gssapi_service_principal: a", MIXED),
])
def test_the_ends_of_a_reference(server: str, client: str, expected: Found) -> None:
    assert two(server, client) == expected


def test_an_address_is_as_good_as_a_reference() -> None:
    assert found(devices(
        streamer("{bind: tcp://*:5000}", f"{{bind: 'tcp://*:5001', options: {{{SERVER}}}}}"),
        streamer("{connect: tcp://localhost:5001}", name="b"),
    )) == [("mixed-security", "tcp://localhost:5001")]


def test_inproc_has_no_security_and_needs_none() -> None:
    assert two(SERVER, "", "inproc://x") == []
    assert two(SERVER, "", "ipc://@x") == MIXED


def test_nobody_knows_the_security_of_a_peer() -> None:
    assert found(devices(streamer(f"{{bind: tcp://*:5000, options: {{{SERVER}}}}}"),
                         peers="  p: {type: PUSH, connect: a.in}")) == []


@pytest.mark.parametrize(("options", "where", "what"), [
    ("plain_server: true", "plain_server", "nobody can get in"),
    ("plain_server: true, zap_enforce_domain: true", "plain_server", "libzmq aborts at the first client"),
    ("plain_server: true, zap_enforce_domain: true, zap_domain: a", "plain_server", "nobody can get in"),
    ("zap_domain: a", "zap_domain", "everybody gets in"),
    ("zap_domain: a, zap_enforce_domain: true", "zap_domain", "nobody can get in"),
    ("zap_enforce_domain: true", "zap_enforce_domain", "it enforces nothing, and everybody gets in"),
    (f"{SERVER}, zap_domain: a, zap_enforce_domain: true", "zap_domain", "nobody can get in"),
])
def test_nobody_answers_for_an_authenticator(options: str, where: str, what: str) -> None:
    assert one(options) == [("no-authenticator", where)]
    (problem,) = problems(devices(streamer(f"{{bind: tcp://*:5000, options: {{{options}}}}}")))
    assert problem.message.endswith(what)


def test_no_key_is_shown() -> None:
    for server, client in ((SERVER, CLIENT.replace(PUBLIC, OTHER_PUBLIC)), (f"{SERVER}, plain_password: hidden", "")):
        yaml = devices(streamer("{bind: tcp://*:5000}", f"{{bind: 'tcp://*:5001', options: {{{server}}}}}"),
                       streamer(f"{{connect: a.out, options: {{{client}}}}}", name="b"))
        for problem in problems(yaml):
            assert not any(secret in problem.message + problem.hint for secret in (SECRET, OTHER_SECRET, "hidden"))
