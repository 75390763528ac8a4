"""The record of runs that ended as they were told to: short, and safe from whatever stands in its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from zmqtopo.control import ended
from zmqtopo.control.ended import MOST_NAMES, RECORD, clean_ends, note_end
from zmqtopo.control.folder import Folder
from zmqtopo.control.places import home


def end(name: str, how: str = "cleanly", source: str = "/some/file.yaml") -> None:
    folder = Folder.claim(name, source)
    note_end(folder, how)
    folder.remove()


def test_the_last_end_of_each_is_kept() -> None:
    assert clean_ends() == []
    for how in ("first", "last"):
        end("a", how)
    end("b", source=os.fsdecode(b"/\xff.yaml"))
    assert [(one["name"], one["how"], one["pid"]) for one in clean_ends()] == [
        ("a", "last", os.getpid()), ("b", "cleanly", os.getpid())]
    assert os.fsencode(clean_ends()[1]["file"]) == b"/\xff.yaml"
    assert (home() / RECORD).stat().st_mode & 0o777 == 0o600


def test_it_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "_COMPACT_AT", 8 << 10)
    for number in range(200):
        end(f"n{number}")
    assert [one["name"] for one in clean_ends()] == [f"n{number}" for number in range(200 - MOST_NAMES, 200)]
    assert (home() / RECORD).stat().st_size < 9 << 10
    assert [path.name for path in home().iterdir()] == [RECORD]


@pytest.mark.parametrize("kind", ["rubbish", "cut", "deep", "link", "fifo", "folder", "list", "binary"])
def test_what_stands_there_instead_does_no_harm(tmp_path: Path, kind: str) -> None:
    end("a")
    path = home() / RECORD
    line = path.read_bytes()
    path.unlink()
    match kind:
        case "link":
            (tmp_path / "mine").write_text("mine")
            path.symlink_to(tmp_path / "mine")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.write_bytes({"rubbish": b"x\n{}\n", "cut": line[: len(line) // 2], "deep": b"[" * 100_000,
                              "list": json.dumps([1]).encode(), "binary": b"\xff\x00\n"}[kind])
    end("b")
    assert [one["name"] for one in clean_ends()] == ([] if kind in ("link", "fifo", "folder") else ["b"])
    if kind == "link":
        assert (tmp_path / "mine").read_text() == "mine"
