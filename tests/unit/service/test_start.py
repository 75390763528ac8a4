"""What keeps a file from running, and what is said of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from zmqtopo.config.model import Topology
from zmqtopo.service.start import CannotRunError, load_to_run

TEXT = "devices:\n  d: {type: streamer, in: {bind: 'tcp://127.0.0.1:PORT'}, out: {bind: 'tcp://127.0.0.1:*'}}\n"


def load(folder: Path, port: str) -> Topology:
    path = folder / "t.yaml"
    path.write_text(TEXT.replace("PORT", port))
    return load_to_run(str(path))


def refusal(folder: Path, port: str) -> int:
    with pytest.raises(CannotRunError) as error:
        load(folder, port)
    return error.value.code


def test_a_topology_that_can_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topology = load(tmp_path, "*")
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
