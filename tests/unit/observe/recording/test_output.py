from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from zmqtopo.observe.recording.errors import WriteError
from zmqtopo.observe.recording.output import Output, numbered


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_text("mine")
    with pytest.raises(WriteError, match="already exists; --force replaces it"):
        Output(str(path))
    assert path.read_text() == "mine"
    Output(str(path), replace=True).close()
    assert path.read_text() == ""


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    Output(str(tmp_path / "a.mcap")).close()
    assert (tmp_path / "a.mcap").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["missing/a.mcap", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(WriteError, match=f"{path}"):
        Output(str(tmp_path / path), replace=True)


def test_a_write_is_whole_or_absent(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "a.mcap"))
    output.write(b"whole")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            output.write(b"too much")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "a.mcap").read_bytes() == b"whole"
    output.write(b", again")
    output.close()
    assert (tmp_path / "a.mcap").read_bytes() == b"whole, again"


def test_it_knows_the_room_that_is_left(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "a.mcap"))
    assert output.free
    there = os.statvfs(tmp_path)
    assert output.free == pytest.approx(there.f_bavail * there.f_frsize, rel=0.2)
    output.close()


def test_files_are_numbered() -> None:
    assert numbered("run/a.mcap", 12) == "run/a-00012.mcap"
    assert numbered("a", 1) == "a-00001"
