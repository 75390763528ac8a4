"""``zmqtopo init`` as its users run it, and the hook of pre-commit."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import zmqtopo
from zmqtopo.cli.init import TEMPLATES

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]
ROOT = Path(__file__).parents[2]
EVERY_KIND = pytest.mark.parametrize("kind", TEMPLATES)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60,
                          cwd=folder, check=False, stdin=subprocess.DEVNULL, env=environ)


def test_without_arguments_it_asks_nothing_and_writes_a_queue(tmp_path: Path) -> None:
    done = run(tmp_path, "init")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == ("zmqtopo: wrote topology.yaml; next: zmqtopo validate topology.yaml\n"
                           "zmqtopo: wrote topology.schema.json, which editors read\n")
    assert {path.name for path in tmp_path.iterdir()} == {"topology.yaml", "topology.schema.json"}
    assert (tmp_path / "topology.schema.json").read_text() == run(tmp_path, "schema").stdout
    assert "type: queue" in (tmp_path / "topology.yaml").read_text()


@EVERY_KIND
def test_what_it_writes_is_valid_and_commented(tmp_path: Path, kind: str) -> None:
    assert run(tmp_path, "init", "--kind", kind, "first.yaml").returncode == 0
    done = run(tmp_path, "validate", "--strict", "first.yaml")
    assert (done.returncode, done.stdout) == (0, "no problems in 1 file\n")
    text = (tmp_path / "first.yaml").read_text()
    modeline, *_ = text.splitlines()
    assert modeline == "# yaml-language-server: $schema=topology.schema.json"
    assert (tmp_path / modeline.partition("=")[2]).exists()
    assert "zmqtopo up first.yaml" in text
    assert text.count("#") > 6
    assert max(map(len, text.splitlines())) <= 120
    assert run(tmp_path, "init", "--kind", kind, "-").stdout.replace("FILE", "first.yaml") == text


@EVERY_KIND
def test_what_it_writes_runs(tmp_path: Path, kind: str) -> None:
    run(tmp_path, "init", "--kind", kind)
    path = tmp_path / "topology.yaml"
    path.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:*", path.read_text()))   # whatever port is free
    with zmqtopo.up(path) as running:
        assert running.endpoints


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    for name in ("topology.yaml", "topology.schema.json"):
        (tmp_path / name).write_text("mine")
    done = run(tmp_path, "init")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: topology.yaml already exists; not overwritten; name another file\n"
    assert run(tmp_path, "init", "other.yaml").stderr.count("\n") == 1
    assert (tmp_path / "topology.yaml").read_text() == (tmp_path / "topology.schema.json").read_text() == "mine"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "topology.yaml").symlink_to("elsewhere")
    assert run(tmp_path, "init").returncode == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "no/such/topology.yaml")
    assert (done.returncode, done.stderr) == (
        1, "zmqtopo: error: cannot write to no/such/topology.yaml: No such file or directory\n")


# -- pre-commit -------------------------------------------------------------------------------------------------------


def test_the_hook_of_pre_commit(tmp_path: Path) -> None:
    hook, = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook.keys() == {"id", "name", "description", "entry", "language", "types", "files"}
    assert (hook["id"], hook["language"], hook["types"]) == ("zmqtopo-validate", "python", ["yaml"])
    wanted = re.compile(hook["files"])
    for name in ("topologies/a.yaml", "deploy/topologies/eu/a.yml", "topology.yaml", "x/feed.topology.yml"):
        assert wanted.search(name), name
    for name in ("docker-compose.yaml", "mytopologies/a.yaml", "topologies/a.md", "topology.yaml.j2"):
        assert not wanted.search(name), name
    command, *arguments = shlex.split(hook["entry"])    # pre-commit appends the names of the files
    assert command == "zmqtopo"
    run(tmp_path, "init")
    assert run(tmp_path, *arguments, "topology.yaml").returncode == 0
    (tmp_path / "topology.yaml").write_text("devices: 1\n")
    assert run(tmp_path, *arguments, "topology.yaml").returncode == 1
