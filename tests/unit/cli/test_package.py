"""What ``import zmqtopo`` offers."""

from __future__ import annotations

from pathlib import Path

import pytest

import zmqtopo


@pytest.mark.parametrize("name", zmqtopo.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(zmqtopo, name) is not None
    assert name in dir(zmqtopo)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="'zmqtopo' has no attribute 'nonsense'"):
        zmqtopo.nonsense  # noqa: B018


def test_load_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("devices: {a: {type: streamer, in: {bind: tcp://*:80}, out: {bind: tcp://*:5001}}}\n")
    topology = zmqtopo.load(path)
    assert isinstance(topology, zmqtopo.Topology)
    assert list(topology.devices) == ["a"]
    assert [p.rule for p in zmqtopo.check(path)] == ["privileged-port"]  # a warning stops nobody


@pytest.mark.parametrize(("text", "rules"), [
    ("devices: {a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}}", ["bind-conflict"]),
    ("{", ["yaml-syntax"]),
    (None, ["unreadable-file"]),
    ("devices: {a: {type: streamer, in: {bind: '${NOT_SET}'}, out: {bind: tcp://*:5001}}}", ["undefined-variable"]),
])
def test_load_a_bad_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, rules: list[str]) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    path = tmp_path / "t.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(zmqtopo.TopologyError) as error:
        zmqtopo.load(str(path))
    assert [p.rule for p in error.value.problems] == rules
    assert f"[{rules[0]}]" in str(error.value)
