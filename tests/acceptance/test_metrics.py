"""The metrics: their names and labels, in both formats, judged by Prometheus' own tools and scraped by a real one."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
import zmq

from .conftest import DEADLINE, Up
from .test_http import Run, Site

prometheus_client = pytest.importorskip("prometheus_client")

from prometheus_client.openmetrics.parser import (  # noqa: E402
    text_string_to_metric_families as openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as prometheus  # noqa: E402

Start = Callable[..., Up]

PROMISED = {
    "zmqtopo_messages_total": {"flow"}, "zmqtopo_bytes_total": {"flow"}, "zmqtopo_messages_dropped_total": {"flow"},
    "zmqtopo_blocked_total": {"flow"}, "zmqtopo_blocked_seconds_total": {"flow"}, "zmqtopo_blocked": {"flow"},
    "zmqtopo_last_message_timestamp_seconds": {"flow"},
    "zmqtopo_device_state": {"state"}, "zmqtopo_device_restarts_total": set(),
    "zmqtopo_device_start_time_seconds": set(), "zmqtopo_device_info": {"type", "run", "in", "out"},
    "zmqtopo_peers": {"socket"}, "zmqtopo_connections_total": {"socket"},
    "zmqtopo_handshake_failures_total": {"socket", "reason"},
}
OF_TOPOLOGY = {
    "zmqtopo_config_last_reload_successful": set(), "zmqtopo_config_last_reload_timestamp_seconds": set(),
    "zmqtopo_build_info": {"version", "pyzmq", "libzmq"},
}
TOPOLOGY = """
http: "127.0.0.1:*"
devices:
  größe:
    type: monitored_queue
    in: {type: PULL, bind: "tcp://127.0.0.1:*"}
    out: {type: PUSH, bind: "tcp://127.0.0.1:*"}
    mon: {bind: "tcp://127.0.0.1:*"}
  作業:
    type: streamer
    run: process/日
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
"""


def addresses(site: Site) -> dict[str, str]:
    return {f"{device['name']}.{role}": bound[0] for device in json.loads(site.get("/api/status"))[0]["devices"]
            for role, bound in device["endpoints"].items() if bound}


@pytest.fixture
def busy(start: Start, net: Any) -> Site:
    """A topology in which 100 messages have passed each device."""
    site = Site(start(TOPOLOGY).ready())
    at = addresses(site)
    for name in ("größe", "作業"):
        push, pull = net.socket(zmq.PUSH, connect=at[f"{name}.in"]), net.socket(zmq.PULL, connect=at[f"{name}.out"])
        for _ in range(100):
            push.send_multipart([b"ab", b"c"])
        for _ in range(100):
            assert pull.poll(DEADLINE * 1000)
            pull.recv_multipart()
    return site


def samples(families: Any) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in families:
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), (sample.name, labels)
            found[sample.name][labels] = sample.value
    return found


def value(found: dict[str, Any], name: str, **labels: str) -> float:
    return float(found[name][tuple(sorted({"topology": "it", **labels}.items()))])


def test_the_metrics_have_the_names_and_labels_that_were_promised(busy: Site) -> None:
    found = samples(prometheus(busy.get("/metrics")))
    assert {name for name in found if name.startswith("zmqtopo_")} == {*PROMISED, *OF_TOPOLOGY}
    for name, more in PROMISED.items():
        for labels in found[name]:
            assert {key for key, _ in labels} == {"topology", "device", *more}, name
    for name, more in OF_TOPOLOGY.items():
        (labels,) = found[name]
        assert {key for key, _ in labels} == {"topology", *more}, name
    for name in found.keys() - {*PROMISED, *OF_TOPOLOGY}:
        assert name.startswith("process_")
        assert {dict(labels).get("process") for labels in found[name]} == {None, "thread", "group 日"}
    assert {dict(labels)["state"] for labels in found["zmqtopo_device_state"]} == {
        "starting", "running", "paused", "backoff", "stopping", "stopped", "failed"}
    busy.up.stop()


def test_the_metrics_say_what_has_passed(busy: Site) -> None:
    text = busy.get("/metrics")
    found = samples(prometheus(text))
    for device in ("größe", "作業"):
        assert value(found, "zmqtopo_messages_total", device=device, flow="in_to_out") == 100
        assert value(found, "zmqtopo_bytes_total", device=device, flow="in_to_out") == 300
        assert value(found, "zmqtopo_device_state", device=device, state="running") == 1
        assert sum(value(found, "zmqtopo_device_state", device=device, state=state)
                   for state in ("starting", "paused", "backoff", "stopping", "stopped", "failed")) == 0
        last = value(found, "zmqtopo_last_message_timestamp_seconds", device=device, flow="in_to_out")
        assert abs(time.time() - last) < 60
    assert 'device="作業",flow="mon"' not in text       # it has none
    assert 'device="größe",flow="mon"' in text
    # The same with counters that are newer than the rest.
    assert samples(prometheus(busy.get("/metrics"))).keys() == found.keys()
    busy.up.stop()


def test_what_has_changed_since_the_last_scrape_is_in_the_next(start: Start, net: Any, control: Any) -> None:
    site = Site(start(TOPOLOGY).ready())

    def scraped() -> dict[str, Any]:
        return samples(prometheus(site.get("/metrics")))

    assert value(scraped(), "zmqtopo_peers", device="größe", socket="out") == 0
    pull = net.socket(zmq.PULL, connect=addresses(site)["größe.out"])
    net.until(lambda: control.ps()["größe"]["peers"]["out"] == 1)
    assert value(scraped(), "zmqtopo_peers", device="größe", socket="out") == 1
    push = net.socket(zmq.PUSH, connect=addresses(site)["größe.in"])
    push.send(b"1")
    assert pull.poll(DEADLINE * 1000)
    assert value(scraped(), "zmqtopo_messages_total", device="größe", flow="in_to_out") == 1
    control("pause", "größe")
    assert value(scraped(), "zmqtopo_device_state", device="größe", state="paused") == 1
    site.up.stop()


def test_both_formats_are_given_as_asked_for(busy: Site) -> None:
    code, headers, text = busy.ask("/metrics")
    assert (code, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    code, headers, other = busy.ask("/metrics", headers={"Accept": accept})
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert other.endswith("# EOF\n")
    assert samples(openmetrics(other)).keys() == samples(prometheus(text)).keys()
    assert busy.ask("/metrics", headers={"Accept": "image/png"})[1]["content-type"].startswith("text/plain")
    busy.up.stop()


def test_a_failed_reload_is_seen(busy: Site, zmqtopo: Run, tmp_path: Path) -> None:
    assert value(samples(prometheus(busy.get("/metrics"))), "zmqtopo_config_last_reload_successful") == 1
    (tmp_path / "it.yaml").write_text("devices: 3\n")
    assert zmqtopo("reload", "it").returncode == 78
    deadline = time.monotonic() + DEADLINE
    while value(found := samples(prometheus(busy.get("/metrics"))), "zmqtopo_config_last_reload_successful"):
        assert time.monotonic() < deadline
    assert abs(time.time() - value(found, "zmqtopo_config_last_reload_timestamp_seconds")) < 60
    busy.up.stop()


def test_the_verb_prints_the_same(busy: Site, zmqtopo: Run) -> None:
    done = zmqtopo("metrics", "it")
    assert done.returncode == 0, done
    assert samples(prometheus(done.stdout)).keys() == samples(prometheus(busy.get("/metrics"))).keys()
    done = zmqtopo("metrics", "it", "--format", "openmetrics")
    assert samples(openmetrics(done.stdout))
    busy.up.stop()
    assert zmqtopo("metrics", "it").returncode == 69


def test_the_verb_without_its_package(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['prometheus_client'] = None; from zmqtopo.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", hide, "metrics", "it"], cwd=tmp_path, capture_output=True, text=True,
                          check=False, timeout=DEADLINE)
    assert done.returncode == 69
    assert "pip install 'zmqtopo[web]'" in done.stderr


# -- what Prometheus says --------------------------------------------------------------------------------------------


def promtool(*arguments: str, data: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return subprocess.run(["promtool", *arguments], input=data, cwd=folder, capture_output=True, text=True, check=False,
                          timeout=60)


def test_promtool_has_nothing_to_say_of_the_metrics(busy: Site) -> None:
    done = promtool("check", "metrics", data=busy.get("/metrics"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    busy.up.stop()


def test_the_alerts_are_right_and_their_tests_pass(zmqtopo: Run, tmp_path: Path) -> None:
    assert zmqtopo("export", "alerts", "-o", "alerts.yml").returncode == 0
    assert zmqtopo("export", "alerts", "--tests", "-o", "alerts.test.yml").returncode == 0
    for arguments in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")):
        done = promtool(*arguments, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_both_ways(zmqtopo: Run) -> None:
    rules = yaml.safe_load(zmqtopo("export", "alerts").stdout)
    tests = yaml.safe_load(zmqtopo("export", "alerts", "--tests").stdout)
    seen = {(one["alertname"], bool(one["exp_alerts"])) for test in tests["tests"] for one in test["alert_rule_test"]}
    assert seen == {(rule["alert"], fires) for group in rules["groups"] for rule in group["rules"]
                    for fires in (True, False)}


def test_every_metric_that_is_named_is_there(zmqtopo: Run) -> None:
    known = {*PROMISED, *OF_TOPOLOGY, "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
             "process_max_fds"}
    for target in ("alerts", "grafana"):
        text = re.sub(r"#.*", "", zmqtopo("export", target).stdout)
        used = set(re.findall(r"\b(?:zmqtopo|process)_\w+", text))
        assert used
        assert used <= known, target


def test_the_dashboard_can_be_provisioned(zmqtopo: Run) -> None:
    text = zmqtopo("export", "grafana").stdout
    board = json.loads(text)
    assert "__inputs" not in text
    assert board["uid"] == "zmqtopo"
    assert board["templating"]["list"][0]["type"] == "datasource"
    places = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places
        places |= cells
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert not re.search(r"\[\d", target["expr"]), "a rate over a fixed time misses samples of slow scrapes"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_queries_of_the_dashboard_can_be_read(zmqtopo: Run, tmp_path: Path) -> None:
    board = json.loads(zmqtopo("export", "grafana").stdout)
    rules = [{"record": f"a:{panel['id']}_{target['refId']}", "expr": target["expr"].replace("$__rate_interval", "1m")}
             for panel in board["panels"] for target in panel["targets"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": rules}]}))
    done = promtool("check", "rules", "rules.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tests_are_of_alerts_alone(zmqtopo: Run) -> None:
    assert zmqtopo("export", "grafana", "--tests").returncode == 2
    done = zmqtopo("export", "alert")
    assert done.returncode == 2
    assert "alerts" in done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A Prometheus that scrapes a target each second."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    started: list[subprocess.Popen[bytes]] = []

    def start(target: str) -> str:
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "it", "static_configs": [{"targets": [target]}]}]}))
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        with (tmp_path / "prometheus.log").open("wb") as log:
            started.append(subprocess.Popen(
                ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address={address}",
                 f"--storage.tsdb.path={tmp_path / 'data'}"], stdout=log, stderr=log))
        return address

    yield start
    for process in started:
        process.terminate()
        process.wait(DEADLINE)


def ask(address: str, query: str) -> list[Any]:
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found
    except OSError:     # it is starting
        return []


@pytest.mark.slow
def test_a_prometheus_that_scrapes_it_counts_what_the_ends_have_counted(
    start: Start, net: Any, server: Callable[[str], str]
) -> None:
    site = Site(start(TOPOLOGY).ready())
    at = addresses(site)
    push, pull = net.socket(zmq.PUSH, connect=at["größe.in"]), net.socket(zmq.PULL, connect=at["größe.out"])
    query = 'zmqtopo_messages_total{device="größe", flow="in_to_out"}'
    prometheus_at = server(site.host)
    deadline = time.monotonic() + 6 * DEADLINE

    def wait(wanted: int) -> None:
        """Until a scrape has seen so many messages."""
        while not (found := ask(prometheus_at, query)) or int(found[0]["value"][1]) != wanted:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    wait(0)
    total = 0
    for size in (10, 2_000, 500):
        for _ in range(size):
            push.send(b"x" * 20)
            assert pull.poll(DEADLINE * 1000)
            assert len(pull.recv()) == 20
        total += size
        wait(total)
    ends = {"zmqtopo_messages_total": total, "zmqtopo_bytes_total": 20 * total}
    for name, count in ends.items():
        labels = '{topology="it", device="größe", flow="in_to_out"}'
        (now,) = ask(prometheus_at, f"{name}{labels} - min_over_time({name}{labels}[5m])")
        assert int(now["value"][1]) == count
    assert ask(prometheus_at, "up")[0]["value"][1] == "1"
    assert float(ask(prometheus_at, f"rate({query}[1m])")[0]["value"][1]) > 0
    site.up.stop()
