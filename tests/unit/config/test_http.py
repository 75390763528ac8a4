"""Addresses of the HTTP server."""

from __future__ import annotations

import pytest

from zmqtopo.config.endpoint import EndpointError
from zmqtopo.config.http import DEFAULT, parse_listen


@pytest.mark.parametrize(("text", "is_loopback", "url"), [
    (DEFAULT, True, "http://127.0.0.1:9464/"),
    ("127.3.2.1:80", True, "http://127.3.2.1:80/"),
    ("[::1]:9464", True, "http://[::1]:9464/"),
    ("localhost:9464", True, "http://localhost:9464/"),
    ("unix:///run/http.sock", True, "unix:///run/http.sock"),
    ("*:9464", False, "http://127.0.0.1:9464/"),
    ("0.0.0.0:9464", False, "http://127.0.0.1:9464/"),
    ("[::]:9464", False, "http://127.0.0.1:9464/"),
    ("192.0.2.1:9464", False, "http://192.0.2.1:9464/"),
    ("localhost.evil.example:9464", False, "http://localhost.evil.example:9464/"),
    ("broker.lan:9464", False, "http://broker.lan:9464/"),
])
def test_an_address_and_whether_others_reach_it(text: str, is_loopback: bool, url: str) -> None:
    where = parse_listen(text)
    assert (where.is_loopback, where.url()) == (is_loopback, url)


def test_a_port_of_the_systems_choice() -> None:
    for text in ("127.0.0.1:*", "127.0.0.1:0"):
        assert parse_listen(text).endpoint.port is None
        assert parse_listen(text).url(4711) == "http://127.0.0.1:4711/"


@pytest.mark.parametrize("text", ["", " 127.0.0.1:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                                  "256.0.0.1:1", "[::1:1", "eth0;127.0.0.1:1", "unix:", "unix://run/x", "unix:///run/",
                                  "tcp://127.0.0.1:1", "https://127.0.0.1:1/", "9464", "\n", "a b:1", "unix:///a\0b"])
def test_what_is_none_has_a_reason_and_a_remedy(text: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_listen(text)
    assert str(caught.value)
    assert "tcp://" not in str(caught.value).replace(text, "")
    assert text in ("\n", " 127.0.0.1:1") or caught.value.hint
    assert "tcp://" not in caught.value.hint
