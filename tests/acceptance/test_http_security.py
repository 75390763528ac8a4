"""Who gets what over HTTP: each sentence of the page on HTTP about security, against a server that runs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import DEADLINE, Up
from .test_http import Site

Start = Callable[..., Up]

DEVICES = """
devices:
  jobs: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}
"""
SECRET = "correct-horse-battery"
EVERYTHING = ("/", "/api/status", "/api/graph", "/api/log", "/api/events", "/static/page.js", "/nothing")
HEALTH = ("/metrics", "/livez", "/health", "/readyz", "/ready")
OWN = {"X-Zmqtopo": "1"}


def serve(folder: Path, http_: str, *arguments: str) -> Iterator[Site]:
    (folder / "it.yaml").write_text(f"http: {http_}\n{DEVICES}")
    (folder / "token").write_text(f"{SECRET}\n")
    up = Up(["it.yaml", *arguments], folder, {"ZMQTOPO_STATE_DIR": str(folder)})
    try:
        yield Site(up.ready())
        assert SECRET not in up.stop()
    finally:
        up.clean_up()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """On loopback, without a token, with control."""
    yield from serve(tmp_path_factory.mktemp("local"), "{listen: '127.0.0.1:*', control: true, hosts: [Broker.lan]}")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As short as it can be."""
    yield from serve(tmp_path_factory.mktemp("plain"), "'127.0.0.1:*'")


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """At every interface, with a token and control."""
    yield from serve(tmp_path_factory.mktemp("open"), "{listen: '*:*', control: true, token: {file: token}}")


# -- Host ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "it.localhost", "127.0.0.1", "127.8.9.1:80",
                                  "[::1]", "[::1]:9464", "192.0.2.7:9464", "broker.lan", "BROKER.LAN.:9464"])
def test_a_name_of_loopback_an_address_or_a_listed_name_is_served(local: Site, host: str) -> None:
    assert local.ask("/livez", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "broker.lan.evil",
                                  "evil.example:9464", "", "localhost@evil.example", "localhost:port", "[::1", "a b"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/api/status", "/nothing"])
def test_every_other_host_is_refused_everywhere(local: Site, host: str, path: str) -> None:
    code, _, text = local.ask(path, headers={"Host": host})
    assert code == 421
    assert "hosts: [NAME]" in text


def raw(site: Site, request: bytes) -> bytes:
    """All that is answered to these bytes until the server closes the connection."""
    host, _, port = site.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_a_request_has_one_host(local: Site) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
        for version in (b"1.0", b"1.1"):
            answer = raw(local, b"GET /livez HTTP/%s\r\n%sConnection: close\r\n\r\n" % (version, hosts))
            assert answer.split()[1] == b"400", answer


def test_the_host_counts_and_not_a_whole_address_in_the_request(local: Site) -> None:
    request = b"GET http://localhost/livez HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw(local, request).split()[1] == b"421"


# -- Origin and writing ----------------------------------------------------------------------------------------------


def test_a_page_of_another_origin_gets_nothing_and_no_permission_to_read(local: Site) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:1", "https://evil.example", "file://"):
        for path in ("/api/status", "/metrics", "/"):
            code, headers, _ = local.ask(path, headers={"Origin": origin})
            assert code == 403
            assert not [name for name in headers if name.startswith("access-control")]
    assert local.ask("/api/status", "OPTIONS", {"Origin": "http://evil.example"})[0] == 403
    assert local.ask("/api/status", "OPTIONS", {"Origin": f"http://{local.host}"})[0] == 405


def test_a_device_is_paused_and_resumed_and_restarted(local: Site) -> None:
    own = {**OWN, "Origin": f"http://{local.host}"}
    for verb, state in (("pause", "paused"), ("resume", "running"), ("restart", "running")):
        code, _, text = local.ask(f"/api/devices/jobs/{verb}", "POST", own)
        assert code == 200, text
        assert json.loads(text)["devices"][0]["state"] == state
        assert json.loads(local.get("/api/status"))[0]["devices"][0]["state"] == state
    assert local.ask("/api/devices/nobody/pause", "POST", own)[0] == 404
    assert local.ask("/api/devices/jobs/stop", "POST", own)[::2] == (
        404, "no action of a device is 'stop'; there are pause, restart, resume\n")
    assert local.ask("/api/jobs", "POST", own)[::2] == (404, "there is nothing at '/api/jobs'; / is the page\n")


def test_a_paused_device_is_not_ready_and_its_line_says_so(local: Site) -> None:
    own = {**OWN, "Origin": f"http://{local.host}"}
    local.ask("/api/devices/jobs/pause", "POST", own)
    assert local.ask("/readyz")[::2] == (503, "jobs: paused\n")
    assert local.get("/livez") == "ok\n"
    local.ask("/api/devices/jobs/resume", "POST", own)
    assert local.get("/readyz") == "ok\n"


@pytest.mark.parametrize("headers", [{}, OWN, {"Origin": "HOST"}, {**OWN, "Origin": "http://evil.example"},
                                     {**OWN, "Origin": "null"}, {"X-Zmqtopo": "0", "Origin": "HOST"}])
def test_writing_wants_the_own_origin_and_the_own_header(local: Site, headers: dict[str, str]) -> None:
    sent = {name: f"http://{local.host}" if value == "HOST" else value for name, value in headers.items()}
    assert local.ask("/api/devices/jobs/pause", "POST", sent)[0] == 403
    assert json.loads(local.get("/api/status"))[0]["devices"][0]["state"] == "running"


def test_writing_is_only_where_the_file_allows_it(plain: Site) -> None:
    code, _, text = plain.ask("/api/devices/jobs/pause", "POST", {**OWN, "Origin": f"http://{plain.host}"})
    assert code == 403
    assert "control: true" in text
    assert json.loads(plain.get("/api/status"))[0]["devices"][0]["state"] == "running"


def test_messages_are_only_shown_where_the_file_allows_it(plain: Site) -> None:
    code, _, text = plain.ask("/api/tap?device=jobs&flow=in_to_out")
    assert code == 403
    assert "tap: true" in text


# -- what every answer says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*EVERYTHING, *HEALTH, "/livez?host=evil"])
def test_every_answer_forbids_what_the_page_does_not_need(plain: Site, path: str) -> None:
    host = {"Host": "evil.example"} if "evil" in path else {}
    _, headers, _ = plain.ask(path, "HEAD", host)
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"]
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


# -- the token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERYTHING)
def test_beyond_loopback_all_but_metrics_and_health_want_the_token(open_: Site, path: str) -> None:
    code, headers, text = open_.ask(path)
    assert code == 401
    assert headers["www-authenticate"] == "Bearer"
    assert SECRET not in text
    wrong = ("wrong", "", SECRET[:-1], f"{SECRET}x", SECRET.upper(), "ä".encode().decode("latin-1"))
    assert {open_.ask(path, headers={"Authorization": f"Bearer {token}"})[0] for token in wrong} == {401}
    assert open_.ask(path, headers={"Authorization": SECRET})[0] == 401
    if path != "/api/events":
        assert open_.ask(path, "HEAD", {"Authorization": f"bearer {SECRET}"})[0] in (200, 404)


@pytest.mark.parametrize("path", HEALTH)
def test_metrics_and_health_want_none(open_: Site, path: str) -> None:
    assert open_.ask(path)[0] == 200


def test_writing_wants_the_token_too(open_: Site) -> None:
    own = {**OWN, "Origin": f"http://{open_.host}"}
    assert open_.ask("/api/devices/jobs/pause", "POST", own)[0] == 401
    assert open_.ask("/api/devices/jobs/restart", "POST", {**own, "Authorization": f"Bearer {SECRET}"})[0] == 200


def test_a_browser_brings_the_token_once_and_then_a_cookie(open_: Site) -> None:
    code, headers, _ = open_.ask(f"/?token={SECRET}&view=table")
    assert (code, headers["location"]) == (303, "/?view=table")
    cookie = headers["set-cookie"]
    assert SECRET not in cookie
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert open_.ask("/", headers={"Cookie": cookie.split(";")[0]})[0] == 200
    forged = cookie.split(";")[0][:-1] + ("0" if cookie.split(";")[0][-1] != "0" else "1")
    assert open_.ask("/", headers={"Cookie": forged})[0] == 401
    assert open_.ask("/", headers={"Cookie": "\x01;;=;" * 50})[0] == 401
    for query in ("token=wrong", "token=", f"token={SECRET}&token=x"):
        assert open_.ask(f"/?{query}")[0] == 401
    assert open_.ask(f"//evil.example/?token={SECRET}")[1]["location"] == "/evil.example/"


def test_a_token_is_read_again_when_its_file_changes(start: Start, tmp_path: Path) -> None:
    token = tmp_path / "secret"
    token.write_text("first")
    up = start(f"http: {{listen: '127.0.0.1:*', token: {{file: secret}}}}\n{DEVICES}").ready()
    site = Site(up)

    def code(given: str) -> int:
        return site.ask("/api/status", headers={"Authorization": f"Bearer {given}"})[0]

    assert (code("first"), code("second")) == (200, 401)
    (tmp_path / "new").write_text("second\n")
    (tmp_path / "new").rename(token)
    assert (code("first"), code("second")) == (401, 200)
    token.unlink()
    assert (code("second"), code("")) == (503, 503)
    assert site.get("/livez") == "ok\n"
    up.wait_for("nobody gets in: cannot read the token from ")
    token.write_text("\n")
    assert code("") == 503
    token.write_text("third")
    assert code("third") == 200
    up.stop()


def test_what_a_comment_silences_gets_no_more_open(start: Start) -> None:
    up = start(f"http: '0.0.0.0:*'  # zmqtopo: ignore[http-without-token]\n{DEVICES}").ready()
    site = Site(up)
    assert site.get("/livez") == "ok\n"
    assert site.ask("/")[0] == 403
    up.stop()


# -- what a client may cost -------------------------------------------------------------------------------------------


def test_a_thousand_event_streams_are_bounded_and_others_are_served(plain: Site) -> None:
    from zmqtopo.observe.web.events import MOST_STREAMS
    from zmqtopo.observe.web.server import MOST_CONNECTIONS

    host, _, port = plain.host.rpartition(":")
    streams = []
    refused = served = 0
    try:
        for _ in range(1000):
            one = socket.create_connection((host, int(port)), timeout=DEADLINE)
            streams.append(one)
            one.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for one in streams:
            try:
                answer = one.recv(4096)
            except OSError:
                answer = b""
            served += answer.startswith(b"HTTP/1.1 200")
            refused += not answer.startswith(b"HTTP/1.1 200")
        assert served == MOST_STREAMS < MOST_CONNECTIONS
        assert refused == 1000 - MOST_STREAMS
        assert plain.get("/livez") == "ok\n"
    finally:
        for one in streams:
            one.close()
    plain.until("/api/status", 200)
    connection = http.client.HTTPConnection(plain.host, timeout=DEADLINE)
    deadline = time.monotonic() + DEADLINE
    while True:     # their places are free again
        connection.request("GET", "/api/events")
        answer = connection.getresponse()
        code = answer.status
        answer.close()
        connection.close()
        if code == 200:
            break
        assert time.monotonic() < deadline


@pytest.mark.parametrize("request_", [
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    b"\0" * 100_000,
    b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\r\n\r\n",
], ids=["line", "header", "headers", "zeros", "version", "tls"])
def test_a_request_of_any_size_and_form_ends_its_connection_alone(plain: Site, request_: bytes) -> None:
    try:
        answer = raw(plain, request_)
    except ConnectionError:     # closed while more came
        answer = b""
    assert answer == b"" or answer.split()[1][:1] == b"4", answer[:200]
    assert plain.get("/livez") == "ok\n"


@pytest.mark.slow
@pytest.mark.parametrize("begun", [
    b"", b"GET / HT", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nX"])
def test_who_takes_long_for_a_request_is_disconnected(plain: Site, begun: bytes) -> None:
    host, _, port = plain.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as slow:
        slow.sendall(begun)
        began = time.monotonic()
        while time.monotonic() - began < 20:
            if select.select([slow], [], [], 0.5)[0]:
                try:
                    if not slow.recv(65536):
                        break
                except ConnectionError:
                    break
            elif begun:
                slow.send(b"x")     # slowly, but never silent
        assert time.monotonic() - began < 15
    assert plain.get("/livez") == "ok\n"


def test_idle_connections_make_way_for_others(plain: Site) -> None:
    from zmqtopo.observe.web.server import MOST_CONNECTIONS

    host, _, port = plain.host.rpartition(":")
    idle = [socket.create_connection((host, int(port)), timeout=DEADLINE) for _ in range(MOST_CONNECTIONS + 50)]
    try:
        assert plain.get("/livez") == "ok\n"
    finally:
        for one in idle:
            one.close()


@pytest.mark.slow
def test_who_takes_nothing_of_a_large_answer_is_disconnected(plain: Site) -> None:
    host, _, port = plain.host.rpartition(":")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(DEADLINE)
        slow.connect((host, int(port)))
        # More than all buffers on the way take.
        slow.sendall(b"GET /static/viz.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        ended = select.poll()
        ended.register(slow, 0)     # a reset alone, and not what there is to read
        deadline = time.monotonic() + 3 * DEADLINE
        while not ended.poll(200):
            assert time.monotonic() < deadline
            with contextlib.suppress(OSError):
                slow.send(b"\r\n")      # to which a system that has closed the connection answers with a reset
    assert plain.get("/livez") == "ok\n"
