"""The lines of the control socket."""

from __future__ import annotations

import json

import pytest

from zmqtopo.control.protocol import ProtocolError, decode, encode, parse_request


def test_a_message_is_a_line() -> None:
    message = {"ok": True, "devices": [{"name": "été", "note": "two\nlines"}]}
    assert encode(message).count(b"\n") == 1
    assert decode(encode(message)) == message


@pytest.mark.parametrize(("line", "verb", "devices", "force"), [
    (b'{"zmqtopo": 1, "verb": "ps"}', "ps", (), False),
    (b'{"zmqtopo": 1, "verb": "stop", "devices": ["a", "b"]}', "stop", ("a", "b"), False),
    (b'{"zmqtopo": 1, "verb": "down", "force": true, "more": {}}', "down", (), True),
    (b'{"zmqtopo": 1, "verb": "down", "force": false, "file": null}\r', "down", (), False),
])
def test_questions(line: bytes, verb: str, devices: tuple[str, ...], force: bool) -> None:
    assert parse_request(line) == {"verb": verb, "devices": devices, "force": force, "file": None, "dry_run": False,
                                   "overflow": "drop", "client": 0, "within": None, "by": "", "peer": None}


@pytest.mark.parametrize(("within", "good"), [
    ("0", True), ("2.5", True), ("null", True), ("-1", False), ("true", False), ("1e300", False), ("NaN", False),
    ('"5s"', False), ("[1]", False),
])
def test_a_time_for_a_stop(within: str, good: bool) -> None:
    line = f'{{"zmqtopo": 1, "verb": "stop", "within": {within}, "by": "somebody", "client": 7}}'.encode()
    if good:
        asked = parse_request(line)
        assert (asked["within"], asked["by"], asked["client"]) == (json.loads(within), "", 0)
    else:
        with pytest.raises(ProtocolError, match='"within" is a number of seconds from 0 to 315360000 or null'):
            parse_request(line)


def test_a_question_for_a_reload() -> None:
    asked = parse_request(b'{"zmqtopo": 1, "verb": "reload", "file": "/etc/feed.yaml", "dry_run": true}')
    assert (asked["file"], asked["dry_run"]) == ("/etc/feed.yaml", True)


@pytest.mark.parametrize(("line", "error", "reason"), [
    (b"", "an object in JSON", "bad-request"),
    (b"GET / HTTP/1.1\r", "an object in JSON", "bad-request"),
    (b"[1]", "an object in JSON", "bad-request"),
    (b"[" * 60_000, "an object in JSON", "bad-request"),
    (b"\xff\xfe\x00", "an object in JSON", "bad-request"),
    (b"1" * 5000, "an object in JSON", "bad-request"),
    (b"{}", 'a request has the version of the control protocol: "zmqtopo": 1$', "version"),
    (b'{"verb": "ps"}', 'a request has the version of the control protocol: "zmqtopo": 1$', "version"),
    (b'{"zmqtopo": null, "verb": "ps"}', "speaks version 1 of the control protocol, not null", "version"),
    (b'{"zmqtopo": 2, "verb": "ps"}', "speaks version 1 of the control protocol, not 2", "version"),
    (b'{"zmqtopo": ' + b"[" * 900 + b"]" * 900 + b"}", "speaks version 1 of the control protocol$", "version"),
    (b'{"zmqtopo": true, "verb": "ps"}', "not true", "version"),
    (b'{"zmqtopo": "' + b"1" * 1000 + b'", "verb": "ps"}', 'not "1{38}…$', "version"),
    (b'{"zmqtopo": 1}', "a request has a verb", "bad-request"),
    (b'{"zmqtopo": 1, "verb": ["ps"]}', '"verb" is text$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": null}', '"verb" is text, not null$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "stop", "devices": "a"}', '"devices" is a list of names, not "a"$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "stop", "devices": [1]}', '"devices" is a list of names$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "down", "force": "yes"}', '"force" is true or false, not "yes"$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "down", "force": 1}', '"force" is true or false, not 1$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "reload", "dry_run": null}', '"dry_run" is true or false, not null$', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "reload", "file": "feed.yaml"}', '"file" is an absolute path or null', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "reload", "file": "/a\\u0000"}', '"file" is an absolute path or null', "bad-request"),
    (b'{"zmqtopo": 1, "verb": "reload", "file": 1}', '"file" is an absolute path or null, not 1$', "bad-request"),
])
def test_what_is_no_question(line: bytes, error: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=error) as failure:
        parse_request(line)
    assert failure.value.reason == reason
