"""What the verbs get that need a topology."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from zmqtopo.cli.topology import load_to_run
from zmqtopo.config.model import Topology

TEXT = "devices:\n  d: {type: streamer, in: {bind: 'tcp://127.0.0.1:PORT'}, out: {bind: 'tcp://127.0.0.1:*'}}\n"


def refusal(folder: Path, port: str) -> Topology | int:
    path = folder / "t.yaml"
    path.write_text(TEXT.replace("PORT", port))
    return load_to_run(str(path))


def test_a_topology_that_can_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topology = refusal(tmp_path, "*")
    assert isinstance(topology, Topology)
    assert list(topology.devices) == ["d"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("port", "rule"), [("99999", "bad-endpoint"), ("${SURELY_NOT_SET}", "undefined-variable")])
def test_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], port: str, rule: str) -> None:
    assert refusal(tmp_path, port) == 78
    assert f"[{rule}]" in capsys.readouterr().err


def test_a_machine_that_says_no(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert refusal(tmp_path, str(listener.getsockname()[1])) == 1
    said = capsys.readouterr().err
    assert "[port-in-use]" in said
    assert "2 |   d: {type: streamer" in said
