"""What a running topology answers over HTTP, and what becomes of the process that does."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .conftest import DEADLINE, Up

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Up]

TOPOLOGY = """
http: {listen: "127.0.0.1:*"}
devices:
  jobs:
    type: streamer
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
"""


class Site:
    """The HTTP server of a topology."""

    def __init__(self, up: Up) -> None:
        self.up = up
        line = next((line for line in up.lines if " http at " in line), None) or up.wait_for(" http at ")
        self.url = line.partition(" http at ")[2]
        self.host = re.sub("^http://|/$", "", self.url)

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(self.host, timeout=DEADLINE)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read().decode()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> str:
        code, _, text = self.ask(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert code == 200, text
        return text

    def until(self, path: str, code: int) -> str:
        """Ask until that is the answer."""
        deadline = time.monotonic() + DEADLINE
        while True:
            found, _, text = self.ask(path)
            if found == code:
                return text
            assert time.monotonic() < deadline, (found, text)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests that only ask."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "it.yaml").write_text(TOPOLOGY)
    up = Up(["it.yaml"], folder, {"ZMQTOPO_STATE_DIR": str(folder)})
    try:
        yield Site(up.ready())
        up.stop()
    finally:
        up.clean_up()


def test_health_is_ok_while_every_device_runs(shared: Site) -> None:
    for path in ("/livez", "/health", "/readyz", "/ready"):
        assert shared.ask(path)[::2] == (200, "ok\n")


def test_the_status_is_what_ps_prints(start: Start, zmqtopo: Run) -> None:
    up = start(TOPOLOGY).ready()
    told = json.loads(Site(up).get("/api/status"))
    printed = json.loads(zmqtopo("ps", "it", "--format", "json").stdout)

    def still(topologies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [topology | {"devices": [device | {"uptime": None} for device in topology["devices"]]}
                for topology in topologies]

    assert still(told) == still(printed)
    up.stop()


def test_what_is_not_there_is_said_in_a_line(shared: Site) -> None:
    assert shared.ask("/nothing")[::2] == (404, "there is nothing at '/nothing'; / is the page\n")
    assert shared.ask("/static/nothing.js")[::2] == (404, "there is nothing at '/static/nothing.js'; / is the page\n")
    code, headers, text = shared.ask("/api/status", "PUT")
    assert (code, text) == (405, f"'/api/status' is not for PUT, but for {headers['allow']}\n")


def test_the_graph_has_the_devices(shared: Site) -> None:
    assert '"device:jobs"' in shared.get("/api/graph")


def test_the_log_ends_with_what_was_said_last(shared: Site) -> None:
    entries = json.loads(shared.get("/api/log?lines=1"))
    assert [entry["event"] for entry in entries] == ["ready"]
    assert json.loads(shared.get("/api/log?lines=0")) == []
    assert shared.ask("/api/log?lines=-1")[0] == 400


def test_an_event_comes_at_once_and_then_each_second(shared: Site) -> None:
    connection = http.client.HTTPConnection(shared.host, timeout=DEADLINE)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    lines = [answer.readline().decode().strip() for _ in range(8)]
    answer.close()
    connection.close()
    assert lines[0] == "retry: 2000"
    first, second = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
    assert [device["name"] for device in first["devices"]] == ["jobs"]
    assert 0.5 < second["time"] - first["time"] < 5
    assert f"id: {first['config']}" in lines


def test_messages_are_an_endless_answer_to_a_few(start: Start) -> None:
    site = Site(start(TOPOLOGY.replace('*"}', '*", tap: true}', 1)).ready())
    assert site.ask("/api/tap?device=nobody")[0] == 404
    assert site.ask("/api/tap?device=jobs&flow=sideways")[0] == 400
    looking = []
    for _ in range(4):
        connection = http.client.HTTPConnection(site.host, timeout=DEADLINE)
        connection.request("GET", "/api/tap?device=jobs&flow=in_to_out")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert answer.readline() == b"event: begin\n"
        looking.append((connection, answer))
    code, _, text = site.ask("/api/tap?device=jobs")
    assert code == 503
    assert "too many" in text
    for connection, answer in looking:
        answer.close()
        connection.close()
    deadline = time.monotonic() + DEADLINE
    while site.ask("/api/tap?device=jobs", "HEAD")[0] != 200:
        assert time.monotonic() < deadline


def test_a_file_that_the_browser_has_is_not_sent_again(shared: Site) -> None:
    code, headers, text = shared.ask("/static/viz.js")
    assert (code, headers["cache-control"]) == (200, "no-cache")
    assert len(text) > 1_000_000
    code, _, text = shared.ask("/static/viz.js", headers={"If-None-Match": headers["etag"]})
    assert (code, text) == (304, "")
    assert shared.ask("/static/viz.js", headers={"If-None-Match": '"another"'})[0] == 200


def test_what_is_not_there_and_what_cannot_be_done_there(shared: Site) -> None:
    for path in ("/nothing", "/metrics/", "/static/nothing.js", "/static/../page.py", "/static/%2e%2e%2fpage.py",
                 "//nothing", "/api/devices/jobs/pause/more"):
        assert shared.ask(path)[0] == 404, path
    assert shared.ask("/metrics", "DELETE")[0] == 405
    assert shared.ask("/api/devices/jobs/pause")[0] == 405


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/api/status", "/api/events", "/api/graph", "/api/log"])
def test_head_says_as_much_as_get_without_a_body(shared: Site, path: str) -> None:
    code, headers, text = shared.ask(path, "HEAD")
    assert (code, text) == (200, "")
    assert headers["content-type"]


def test_a_unix_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    up = start(TOPOLOGY.replace("127.0.0.1:*\"}\ndevices", f"unix://{path}\"}}\ndevices")).ready()
    asked = subprocess.run(["curl", "-sS", "--unix-socket", str(path), "http://localhost/livez"],
                           capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert asked.stdout == "ok\n", asked.stderr
    up.stop()
    assert not path.exists()


def test_up_http_is_where_it_listens_whatever_the_file_says(start: Start) -> None:
    up = start(TOPOLOGY.replace("http:", "x-http:"), "--http", "127.0.0.1:*").ready()
    assert Site(up).get("/livez") == "ok\n"
    up.stop()
