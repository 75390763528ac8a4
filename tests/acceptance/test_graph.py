"""``zmqtopo graph`` as its users run it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]

TOPOLOGY = """\
name: feed
devices:
  ingest:
    type: monitored_queue
    in: {type: PULL, bind: tcp://*:5563}
    out: {type: PUSH, bind: tcp://*:5564}
    mon: {bind: tcp://*:5565}
peers:
  source: {type: PUSH, connect: ingest.in}
  viewer: {type: SUB, connect: ingest.mon}
"""
BAD = TOPOLOGY.replace("5564", "5563")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "feed.yaml").write_text(TOPOLOGY)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def graph(folder: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "graph", *arguments], input=text, capture_output=True, text=True, timeout=60, cwd=folder
    )


def test_the_drawing_goes_to_standard_output(folder: Path) -> None:
    done = graph(folder, "feed.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('digraph "feed" {\n')
    assert done.stdout.count(" -> ") == 3
    assert '"device:ingest":"mon":s -> "peer:viewer"' in done.stdout
    assert done.stdout == graph(folder, "--format", "dot", "-", text=TOPOLOGY).stdout


def test_the_drawing_goes_to_a_file(folder: Path) -> None:
    done = graph(folder, "feed.yaml", "-o", "feed.dot")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "feed.dot").read_text() == graph(folder, "feed.yaml").stdout


def test_a_file_that_cannot_be_written(folder: Path) -> None:
    done = graph(folder, "feed.yaml", "-o", "nowhere/feed.dot")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: cannot write to nowhere/feed.dot: No such file or directory\n"


def test_errors_are_drawn_red_but_never_into_a_file(folder: Path) -> None:
    (folder / "old.dot").write_text("as it was")
    for output in ([], ["-o", "old.dot"]):
        done = graph(folder, "bad.yaml", *output)
        assert done.returncode == 78
        assert done.stderr.startswith("bad.yaml:6:29: error: ")
        assert ("#c62828" in done.stdout) is (output == [])
    assert (folder / "old.dot").read_text() == "as it was"


def test_a_file_that_is_no_topology_is_not_drawn(folder: Path) -> None:
    (folder / "list.yaml").write_text("- 1\n")
    for name in ("list.yaml", "missing.yaml"):
        done = graph(folder, name)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith(f"{name}:1:1: error: ")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed, and only its dot can draw DOT")
def test_graphviz_draws_it(folder: Path) -> None:
    done = subprocess.run(["dot", "-Tpng"], input=graph(folder, "feed.yaml").stdout.encode(), capture_output=True,
                          timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\x89PNG")
