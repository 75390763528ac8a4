"""``zmqtopo graph --live``: what passes, in the picture of a running topology."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .brokers import ANY
from .conftest import Up
from .test_top import stream

TOPOLOGY = f"""
devices:
  jobs: {{type: streamer, in: {ANY}, out: {ANY}}}
  calls: {{type: queue, in: {ANY}, out: {ANY}}}
"""


def edges(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = json.loads(text)["edges"]
    return {(edge["source"].partition(":")[2], edge["target"].partition(":")[2]): edge for edge in found}


def test_rates_of_real_traffic(start: Callable[..., Up], zmqtopo: Any, net: Any) -> None:
    up = start(TOPOLOGY).ready()
    with stream(net, up):
        by_name = zmqtopo("graph", "it", "--live", "--format", "json")
        assert (by_name.returncode, by_name.stderr) == (0, "")
        by_file = zmqtopo("graph", "--live", "it.yaml")
        assert (by_file.returncode, by_file.stderr) == (0, "")
        mermaid = zmqtopo("graph", "--live", "it.yaml", "--format", "mermaid").stdout
    found = edges(by_name.stdout)
    into = found["tcp://127.0.0.1:* of jobs.in", "jobs"]
    assert 20 < into["messages_per_second"] < 1000
    assert not into["at_most"]
    out = found["jobs", "tcp://127.0.0.1:* of jobs.out"]
    assert out["messages_per_second"] == into["messages_per_second"]
    assert found["calls", "tcp://127.0.0.1:* of calls.out"]["messages_per_second"] == 0
    assert re.search(r'-> "device:jobs":"in":w \[label=<[^>]*>[\d.]+k?/s<', by_file.stdout)
    assert re.search(r"push/pull<br/>[\d.]+k?/s", mermaid)
    up.stop()


def test_it_is_what_runs_and_not_what_the_file_says_by_now(
    start: Callable[..., Up], zmqtopo: Any, tmp_path: Path
) -> None:
    up = start(TOPOLOGY).ready()
    (tmp_path / "it.yaml").write_text("nothing: that can be run\n")
    assert '"device:calls"' in zmqtopo("graph", "it", "--live").stdout
    (tmp_path / "it.yaml").unlink()
    assert '"device:calls"' in zmqtopo("graph", "it", "--live").stdout
    up.stop()


def test_variables_and_secrets_stay_where_it_runs(start: Callable[..., Up], zmqtopo: Any) -> None:
    socket = '{connect: "tcp://127.0.0.1:${PORT}", options: {plain_username: me, plain_password: "${PASSWORD}"}}'
    up = start(f"devices:\n  a: {{type: streamer, in: {socket}, out: {ANY}}}\n",
               env={"PORT": "17", "PASSWORD": "wonderland"}).ready()
    done = zmqtopo("graph", "it", "--live")
    assert done.returncode == 0, done
    assert "tcp://127.0.0.1:17" in done.stdout
    assert "wonderland" not in done.stdout + done.stderr
    up.stop()


def test_what_does_not_run_and_what_is_full(start: Callable[..., Up], zmqtopo: Any, control: Any, net: Any) -> None:
    small = "{bind: \"tcp://127.0.0.1:*\", options: {hwm: 1, sndbuf: 4096, rcvbuf: 4096}}"
    up = start(f"devices:\n  jobs: {{type: streamer, in: {small}, out: {small}}}\n"
               f"  calls: {{type: queue, in: {ANY}, out: {ANY}}}\n").ready()
    push = net.socket(zmq.PUSH, connect=up.address("jobs.in"), sndhwm=1)
    net.fill(push, [bytes(10_000)])
    control("pause", "calls")
    told = json.loads(zmqtopo("graph", "it", "--live", "--format", "json").stdout)
    nodes = {node["name"]: node for node in told["nodes"]}
    assert (nodes["jobs"]["state"], nodes["jobs"]["full"]) == ("running", ["out"])
    assert nodes["jobs"]["blocked"] > 0.5
    assert nodes["calls"]["state"] == "paused"
    up.stop()


@pytest.mark.parametrize("form", ["svg", "png"])
def test_pictures(start: Callable[..., Up], zmqtopo: Any, tmp_path: Path, form: str) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    up = start(TOPOLOGY).ready()
    assert zmqtopo("graph", "it", "--live", "-o", f"it.{form}").returncode == 0
    drawing = (tmp_path / f"it.{form}").read_bytes()
    assert drawing.startswith(b"<?xml" if form == "svg" else b"\x89PNG")
    assert form != "svg" or b">0/s<" in drawing
    up.stop()


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["nothing", "--live"], 69, "'nothing' is not running"),
    (["it.yaml", "--live"], 69, "'it.yaml' is not running"),
    (["-", "--live"], 69, "'-' is not running"),
    (["--live"], 69, "not running"),
    (["it.yaml", "--live", "--check", "it.dot"], 2, "--check and --live exclude each other"),
    (["it.yaml", "--live", "-o", "README.md"], 2, "README.md: rates are no drawing to keep in a page"),
    (["it.yaml", "--live", "-o", "it.doc"], 2, "it.doc: cannot tell the format from '.doc'"),
])
def test_bad_input(zmqtopo: Any, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    done = zmqtopo("graph", *arguments)
    assert done.returncode == code, done
    assert words in done.stderr.replace("no topology is running", "not running")
    assert done.stdout == ""


def test_a_focus_that_is_not_there(start: Callable[..., Up], zmqtopo: Any) -> None:
    up = start(TOPOLOGY).ready()
    done = zmqtopo("graph", "it", "--live", "--focus", "job")
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has no device 'job'; did you mean 'jobs'?" in done.stderr
    focused = zmqtopo("graph", "it", "--live", "--focus", "jobs").stdout
    assert "calls" not in focused
    assert "0/s" in focused
    up.stop()


def test_without_live_nothing_of_what_runs_is_imported(zmqtopo: Any, tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(TOPOLOGY)
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "zmqtopo", "graph", "it.yaml"], cwd=tmp_path,
                          capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {name for name in imported if name.startswith(("zmq.", "zmqtopo.control", "zmqtopo.observe"))}
